#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/core/error.h"

namespace [[gnu::visibility("default")]] descramble {

/// A kind that a config names, and its fields with the defaults filled in.
template <typename Kind>
struct Chosen {
  const Kind& kind;   ///< an entry of the registry, which outlives this
  Settings settings;  ///< its fields, every default filled in
};

/// All kinds that one place of a config may contain, as the builtin.def of that folder lists them.
/// `Kind` has a member `KindInfo info` and any functions that it needs.
template <typename Kind>
class Registry {
 public:
  /// `common`: the fields that every kind has.
  Registry(std::string title, std::vector<Kind> kinds, std::vector<Field> common = {})
      : kinds_(std::move(kinds)), family_{.title = std::move(title), .common = std::move(common)} {
    for (const Kind& kind : kinds_) family_.kinds.push_back(kind.info);
  }

  /// All kinds, in the order of builtin.def.
  const std::vector<Kind>& kinds() const { return kinds_; }
  /// What JSON, the schema and the documentation see of the kinds.
  const KindFamily& family() const { return family_; }

  /// The kind of that name; null if there is none.
  const Kind* find(std::string_view name) const {
    const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                    [name](const Kind& kind) { return kind.info.name == name; });
    return found == kinds_.end() ? nullptr : &*found;
  }

  /// The kind of that name.
  /// @throws Error if there is none
  const Kind& at(std::string_view name) const {
    if (const Kind* kind = find(name)) return *kind;
    throw Error({"unknown kind", family_.title, "one of " + quoted_list(family_.names()),
                 "'" + std::string(name) + "'"});
  }

  /// Checks a config's value and fills in the defaults. @throws Error naming the JSON pointer
  Chosen<Kind> resolve(const nlohmann::json& value, const std::string& pointer) const {
    Settings settings = resolve_settings(family_, value, pointer);
    const Kind& kind = at(settings.kind());
    return {kind, std::move(settings)};
  }

 private:
  std::vector<Kind> kinds_;
  KindFamily family_;
};

}  // namespace descramble
