#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "data/forwarding_set.h"
#include "data/preparation.h"
#include "data/samples.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

/// A source's first `size` samples, each input prepared in its own way.
class PreparedSet : public ForwardingSet {
 public:
  PreparedSet(std::shared_ptr<const DataSet> source, std::int64_t size,
              std::vector<Preparation> preparations)
      : ForwardingSet(std::move(source)), size_(size), preparations_(std::move(preparations)) {}

  std::int64_t size() const override { return size_; }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size_);
    Batch batch = ForwardingSet::gather(indices);
    for (std::size_t i = 0; i < preparations_.size(); ++i)
      batch.inputs[i] = preparations_[i].apply(std::move(batch.inputs[i]));
    return batch;
  }

  at::Tensor unprepared(const at::Tensor& input) const override {
    return preparations_.empty() ? input : preparations_.front().undo(input);
  }

 private:
  std::int64_t size_;
  std::vector<Preparation> preparations_;  ///< one for each input, or none at all
};

/// The place in `names` of the input that each entry of "prepare" means.
std::vector<std::size_t> prepared_inputs(const std::vector<Settings>& entries,
                                         const std::vector<std::string>& names,
                                         const std::string& pointer) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string name = entries[i].text("input");
    const std::string where = fmt::format("{}/prepare/{}/input", pointer, i);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      throw Error({"no such input", where, "one of " + quoted_list(nearest(name, names)),
                   "'" + name + "'"});
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    if (std::find(places.begin(), places.end(), place) != places.end())
      throw Error({"input prepared twice", where, "each input once", "'" + name + "' again"});
    places.push_back(place);
  }
  return places;
}

/// One for each input: its entry in "prepare", else the source's own fields if it is floating
/// point, else nothing.
std::vector<Preparation> read_preparations(const DataSet& source, const Settings& settings,
                                           const std::string& pointer) {
  const std::vector<Settings> entries =
      settings.has("prepare") ? settings.groups("prepare") : std::vector<Settings>{};
  if (!prepares(settings) && entries.empty()) return {};
  const std::vector<at::Tensor> inputs = source.slice(0, 1).inputs;
  const std::vector<std::size_t> places = prepared_inputs(entries, source.input_names(), pointer);
  std::vector<Preparation> result(inputs.size());
  bool common_used = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto entry =
        static_cast<std::size_t>(std::find(places.begin(), places.end(), i) - places.begin());
    if (entry < places.size()) {
      result[i] =
          read_preparation(entries[entry], inputs[i], fmt::format("{}/prepare/{}", pointer, entry));
    } else if (prepares(settings) && inputs[i].is_floating_point()) {
      result[i] = read_preparation(settings, inputs[i], pointer);
      common_used = true;
    }
  }
  if (prepares(settings) && !common_used) {
    throw Error({"shape, scale, mean and std apply to no input", pointer,
                 "a floating-point input without an entry in 'prepare'", "none"});
  }
  return result;
}

}  // namespace

Source open_source(const nlohmann::json& resolved, const DataContext& context) {
  const Settings settings(resolved);
  for (const SourceKind& kind : source_kinds()) {
    if (kind.info.name != settings.kind()) continue;
    std::shared_ptr<const DataSet> data = kind.open(settings, context);
    std::int64_t size = data->size();
    if (size < 1)
      throw Error({"the data set is empty", context.pointer, "at least one sample", "none"});
    size = std::min(size, settings.find_integer("limit").value_or(size));
    std::vector<Preparation> preparations = read_preparations(*data, settings, context.pointer);
    return {std::make_shared<PreparedSet>(std::move(data), size, std::move(preparations)),
            settings.find_integer("batch_size").value_or(1)};
  }
  throw Error({"unknown kind", join_pointer(context.pointer, "kind"),
               "one of " + quoted_list(source_family().names()), '"' + settings.kind() + '"'});
}

}  // namespace descramble
