#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"

namespace [[gnu::visibility("default")]] descramble {

/// How a member of this type stands in a config: the type of its field, and what reads it.
template <typename Member>
struct SettingOf;
/// A whole number.
template <>
struct SettingOf<std::int64_t> {
  static constexpr FieldType type = FieldType::integer;  ///< the type in JSON
  static constexpr auto read = &Settings::integer;       ///< the getter of resolved settings
};
/// A number.
template <>
struct SettingOf<double> {
  static constexpr FieldType type = FieldType::number;  ///< the type in JSON
  static constexpr auto read = &Settings::number;       ///< the getter of resolved settings
};
/// True or false.
template <>
struct SettingOf<bool> {
  static constexpr FieldType type = FieldType::boolean;  ///< the type in JSON
  static constexpr auto read = &Settings::flag;          ///< the getter of resolved settings
};
/// A text.
template <>
struct SettingOf<std::string> {
  static constexpr FieldType type = FieldType::string;  ///< the type in JSON
  static constexpr auto read = &Settings::text;         ///< the getter of resolved settings
};

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
    const Options defaults{};
    const std::string name = field.name;
    field.type = SettingOf<Member>::type;
    field.fallback = Fallback(defaults.*member);
    fields_.push_back(std::move(field));
    read_.push_back([member, name](Options& options, const Settings& settings) {
      options.*member = (settings.*SettingOf<Member>::read)(name);
    });
    write_.push_back([member, name](const Options& options, SettingValues& values) {
      values.emplace_back(name, options.*member);
    });
    return *this;
  }

  /// The fields, in the order in which they were added.
  const std::vector<Field>& fields() const { return fields_; }

  /// The options that resolved settings give.
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
