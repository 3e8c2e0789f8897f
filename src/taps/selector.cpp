#include <algorithm>
#include <map>
#include <set>

#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "descramble/taps/point.h"
#include "descramble/taps/select.h"

namespace descramble {

namespace {

/// `*` matches any run without a dot, `**` any run.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*') {
    return !name.empty() && pattern.front() == name.front() &&
           matches(pattern.substr(1), name.substr(1));
  }
  const bool across = pattern.size() > 1 && pattern[1] == '*';
  const std::string_view rest = pattern.substr(across ? 2 : 1);
  for (std::size_t taken = 0;; ++taken) {
    if (matches(rest, name.substr(taken))) return true;
    if (taken == name.size() || (!across && name[taken] == '.')) return false;
  }
}

}  // namespace

std::vector<std::string> select_names(const std::vector<std::string>& names,
                                      const std::string& selector) {
  std::vector<std::string> selected;
  if (selector.find('*') == std::string::npos) {
    constexpr std::string_view suffix = ".input";
    const bool of_input = selector.ends_with(suffix) &&
                          std::find(names.begin(), names.end(), selector) == names.end();
    const std::string owner =
        of_input ? selector.substr(0, selector.size() - suffix.size()) : selector;
    if (std::find(names.begin(), names.end(), owner) != names.end()) selected.push_back(selector);
  } else {
    std::copy_if(names.begin(), names.end(), std::back_inserter(selected),
                 [&](const std::string& name) { return matches(selector, name); });
  }
  if (names.empty()) {
    throw Error({"the model has no tap points", "", "a tensor among its values", "none"});
  }
  if (selected.empty()) {
    throw Error({"unknown tap '" + selector + "'", "",
                 "a tap point; the nearest are " + quoted_list(nearest(selector, names)),
                 "'" + selector + "'"});
  }
  return selected;
}

std::vector<std::string> select_taps(const Model& model,
                                     const std::vector<std::string>& selectors) {
  std::vector<std::string> names;
  for (const TapPoint& point : list_taps(model)) names.push_back(point.name);
  std::set<std::string> wanted;
  const std::map<std::string, std::string> no_points = model.network().no_points();
  for (const std::string& selector : selectors) {
    if (const auto found = no_points.find(selector); found != no_points.end()) {
      throw Error({"no tap point", "tap '" + selector + "' of " + model.name(),
                   "a tap that is met on the thread of the forward", found->second});
    }
    const auto selected = select_names(names, selector);
    wanted.insert(selected.begin(), selected.end());
  }
  std::vector<std::string> result;
  for (const std::string& name : names) {
    // A submodule may be called "input": then NAME.input is a point of its own, met in its turn.
    const std::string argument = name + ".input";
    const bool real = std::find(names.begin(), names.end(), argument) != names.end();
    if (!real && wanted.contains(argument)) result.push_back(argument);
    if (wanted.contains(name)) result.push_back(name);
  }
  return result;
}

}  // namespace descramble
