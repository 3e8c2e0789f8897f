#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace [[gnu::visibility("default")]] descramble {

struct KindFamily;

/// A resolved object of a config. Code reads it by names and types and needs no JSON. A name that
/// does not exist, or a value of another type, is a mistake of the program, not of the user: the
/// getters throw an Error that names it. The forms `find_...` return nothing if the value is null.
class Settings {
 public:
  /// Implicit, so that JSON can be passed wherever settings are expected.
  /// @throws Error if `object` is not an object
  Settings(const nlohmann::json& object);

  /// The value of "kind".
  std::string kind() const { return text("kind"); }
  /// Whether there is a value of that name; null counts as a value.
  bool has(const std::string& name) const;

  /// A string. @throws Error for a missing name or another type
  std::string text(const std::string& name) const;
  /// A number. @throws Error for a missing name or another type
  double number(const std::string& name) const;
  /// An integer that fits 64 bits with a sign. @throws Error for a missing name or another type
  std::int64_t integer(const std::string& name) const;
  /// A boolean. @throws Error for a missing name or another type
  bool flag(const std::string& name) const;
  /// A list of strings; a single string is a list of one.
  std::vector<std::string> texts(const std::string& name) const;
  /// A list of integers. @throws Error for a missing name or another type
  std::vector<std::int64_t> integers(const std::string& name) const;
  /// A list of numbers. @throws Error for a missing name or another type
  std::vector<double> numbers(const std::string& name) const;
  /// A list of nested objects. @throws Error for a missing name or another type
  std::vector<Settings> groups(const std::string& name) const;

  /// A string; nothing if the value is null. @throws Error for a missing name or another type
  std::optional<std::string> find_text(const std::string& name) const;
  /// A number; nothing if the value is null. @throws Error for a missing name or another type
  std::optional<double> find_number(const std::string& name) const;
  /// An integer; nothing if the value is null. @throws Error for a missing name or another type
  std::optional<std::int64_t> find_integer(const std::string& name) const;
  /// A boolean; nothing if the value is null. @throws Error for a missing name or another type
  std::optional<bool> find_flag(const std::string& name) const;
  /// A list of strings, or a single string as a list of one; nothing if the value is null. @throws
  /// Error for a missing name or another type
  std::optional<std::vector<std::string>> find_texts(const std::string& name) const;
  /// A list of integers; nothing if the value is null. @throws Error for a missing name or another
  /// type
  std::optional<std::vector<std::int64_t>> find_integers(const std::string& name) const;
  /// A list of numbers; nothing if the value is null. @throws Error for a missing name or another
  /// type
  std::optional<std::vector<double>> find_numbers(const std::string& name) const;
  /// A nested object; nothing if the value is null.
  std::optional<Settings> group(const std::string& name) const;

  /// The object itself, for values that the getters do not reach.
  const nlohmann::json& json() const { return *object_; }

 private:
  explicit Settings(std::shared_ptr<const nlohmann::json> object) : object_(std::move(object)) {}
  const nlohmann::json& at(const std::string& name) const;
  /// A part of the object. The part keeps the object alive.
  Settings part(const nlohmann::json& value, const std::string& name) const;

  std::shared_ptr<const nlohmann::json> object_;
};

/// A value that a program may set.
using SettingValue = std::variant<bool, std::int64_t, double, std::string, std::vector<double>,
                                  std::vector<std::string>, Settings>;
/// Names with their values, in the order in which they are written.
using SettingValues = std::vector<std::pair<std::string, SettingValue>>;

/// Settings that a program writes instead of a config; nothing is checked or filled in yet.
Settings settings_of(const SettingValues& values);

/// `value` checked against the family, with the defaults filled in (see resolve_kind).
/// @throws Error naming the JSON pointer, what was expected and what was found
Settings resolve_settings(const KindFamily& family, const nlohmann::json& value,
                          const std::string& pointer);

/// Whether a config's value is null, for code that only passes JSON on.
bool is_null(const nlohmann::json& value);

}  // namespace descramble
