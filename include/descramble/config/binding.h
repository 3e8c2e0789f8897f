#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"

namespace descramble {

/// Binds the fields of a kind to the members of an options struct. The struct holds the defaults,
/// and a program sets its members; a config sets the same fields by name.
///
///     Binding<Annealed> binding;
///     binding.add(&Annealed::starts, {.name = "starts", .doc = "starting points", .minimum = 1});
template <typename Options>
class Binding {
 public:
  /// The member's type and value become the field's type and default.
  template <typename Member>
  Binding& add(Member Options::*member, Field field) {
    static_assert(std::is_same_v<Member, std::int64_t> || std::is_same_v<Member, double> ||
                  std::is_same_v<Member, bool> || std::is_same_v<Member, std::string>);
    const Options defaults{};
    const std::string name = field.name;
    if constexpr (std::is_same_v<Member, std::int64_t>) {
      field.type = FieldType::integer;
    } else if constexpr (std::is_same_v<Member, double>) {
      field.type = FieldType::number;
    } else if constexpr (std::is_same_v<Member, bool>) {
      field.type = FieldType::boolean;
    } else {
      field.type = FieldType::string;
    }
    field.fallback = Fallback(defaults.*member);
    fields_.push_back(std::move(field));
    read_.push_back([member, name](Options& options, const Settings& settings) {
      if constexpr (std::is_same_v<Member, std::int64_t>) {
        options.*member = settings.integer(name);
      } else if constexpr (std::is_same_v<Member, double>) {
        options.*member = settings.number(name);
      } else if constexpr (std::is_same_v<Member, bool>) {
        options.*member = settings.flag(name);
      } else {
        options.*member = settings.text(name);
      }
    });
    write_.push_back([member, name](const Options& options, SettingValues& values) {
      values.emplace_back(name, options.*member);
    });
    return *this;
  }

  const std::vector<Field>& fields() const { return fields_; }

  /// @throws Error where a field is missing (see Settings)
  Options read(const Settings& settings) const {
    Options options;
    for (const auto& read : read_) read(options, settings);
    return options;
  }

  /// The options as a config would give them; nothing is checked yet.
  SettingValues values(const Options& options) const {
    SettingValues result;
    for (const auto& write : write_) write(options, result);
    return result;
  }

 private:
  std::vector<Field> fields_{};
  std::vector<std::function<void(Options&, const Settings&)>> read_{};
  std::vector<std::function<void(const Options&, SettingValues&)>> write_{};
};

}  // namespace descramble
