#include "descramble/config/settings.h"

#include <cstdint>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"

namespace descramble {

using nlohmann::json;

namespace {

[[noreturn]] void other_type(const std::string& name, const std::string& expected,
                             const json& value) {
  throw Error({"setting '" + name + "' of another type", "", expected, describe(value)});
}

std::string text_in(const json& value, const std::string& name) {
  if (!value.is_string()) other_type(name, "a string", value);
  return value.get<std::string>();
}

double number_in(const json& value, const std::string& name) {
  if (!value.is_number()) other_type(name, "a number", value);
  return value.get<double>();
}

std::int64_t integer_in(const json& value, const std::string& name) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
  if (!fits) other_type(name, "an integer", value);
  return value.get<std::int64_t>();
}

bool flag_in(const json& value, const std::string& name) {
  if (!value.is_boolean()) other_type(name, "true or false", value);
  return value.get<bool>();
}

template <typename Item>
std::vector<Item> list_in(const json& value, const std::string& name,
                          Item (*item_in)(const json& value, const std::string& name)) {
  if (!value.is_array()) other_type(name, "a list", value);
  std::vector<Item> result;
  for (const json& item : value) result.push_back(item_in(item, name));
  return result;
}

std::vector<std::string> texts_in(const json& value, const std::string& name) {
  if (value.is_string()) return {value.get<std::string>()};
  return list_in(value, name, text_in);
}

std::vector<std::int64_t> integers_in(const json& value, const std::string& name) {
  return list_in(value, name, integer_in);
}

std::vector<double> numbers_in(const json& value, const std::string& name) {
  return list_in(value, name, number_in);
}

/// `read(value, name)`; nothing if the value is null.
template <typename Value>
std::optional<Value> unless_null(const json& value, const std::string& name,
                                 Value (*read)(const json& value, const std::string& name)) {
  if (value.is_null()) return std::nullopt;
  return read(value, name);
}

}  // namespace

Settings::Settings(const nlohmann::json& object)
    : object_(std::make_shared<const nlohmann::json>(object)) {
  if (!object.is_object())
    throw Error({"settings of another type", "", "an object", describe(object)});
}

bool Settings::has(const std::string& name) const {
  return object_->contains(name);
}

const nlohmann::json& Settings::at(const std::string& name) const {
  const auto found = object_->find(name);
  if (found != object_->end()) return *found;
  std::vector<std::string> names;
  for (const auto& [known, value] : object_->items()) names.push_back(known);
  throw Error({"no setting '" + name + "'", "",
               names.empty() ? "a setting that is there" : "one of " + quoted_list(names),
               "'" + name + "'"});
}

Settings Settings::part(const nlohmann::json& value, const std::string& name) const {
  if (!value.is_object()) other_type(name, "an object", value);
  return Settings(std::shared_ptr<const nlohmann::json>(object_, &value));
}

std::string Settings::text(const std::string& name) const {
  return text_in(at(name), name);
}

double Settings::number(const std::string& name) const {
  return number_in(at(name), name);
}

std::int64_t Settings::integer(const std::string& name) const {
  return integer_in(at(name), name);
}

bool Settings::flag(const std::string& name) const {
  return flag_in(at(name), name);
}

std::vector<std::string> Settings::texts(const std::string& name) const {
  return texts_in(at(name), name);
}

std::vector<std::int64_t> Settings::integers(const std::string& name) const {
  return integers_in(at(name), name);
}

std::vector<double> Settings::numbers(const std::string& name) const {
  return numbers_in(at(name), name);
}

std::vector<Settings> Settings::groups(const std::string& name) const {
  const nlohmann::json& value = at(name);
  if (!value.is_array()) other_type(name, "a list of objects", value);
  std::vector<Settings> result;
  for (const nlohmann::json& item : value) result.push_back(part(item, name));
  return result;
}

std::optional<std::string> Settings::find_text(const std::string& name) const {
  return unless_null(at(name), name, text_in);
}

std::optional<double> Settings::find_number(const std::string& name) const {
  return unless_null(at(name), name, number_in);
}

std::optional<std::int64_t> Settings::find_integer(const std::string& name) const {
  return unless_null(at(name), name, integer_in);
}

std::optional<bool> Settings::find_flag(const std::string& name) const {
  return unless_null(at(name), name, flag_in);
}

std::optional<std::vector<std::string>> Settings::find_texts(const std::string& name) const {
  return unless_null(at(name), name, texts_in);
}

std::optional<std::vector<std::int64_t>> Settings::find_integers(const std::string& name) const {
  return unless_null(at(name), name, integers_in);
}

std::optional<std::vector<double>> Settings::find_numbers(const std::string& name) const {
  return unless_null(at(name), name, numbers_in);
}

std::optional<Settings> Settings::group(const std::string& name) const {
  const nlohmann::json& value = at(name);
  if (value.is_null()) return std::nullopt;
  return part(value, name);
}

Settings settings_of(const SettingValues& values) {
  json object = json::object();
  for (const auto& [name, value] : values) {
    object[name] = std::visit(
        [](const auto& set) -> json {
          if constexpr (std::is_same_v<decltype(set), const Settings&>) {
            return set.json();
          } else {
            return set;
          }
        },
        value);
  }
  return object;
}

Settings resolve_settings(const KindFamily& family, const nlohmann::json& value,
                          const std::string& pointer) {
  return resolve_kind(family, value, pointer);
}

bool is_null(const json& value) {
  return value.is_null();
}

}  // namespace descramble
