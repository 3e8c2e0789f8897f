#include "descramble/config/kind.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/json.h"

namespace descramble {

using nlohmann::json;

Fallback::Fallback(double value) : text(nlohmann::json(value).dump()) {}
Fallback::Fallback(const char* value) : text(nlohmann::json(value).dump()) {}

Fallback Fallback::json(std::string text) {
  Fallback result(nullptr);
  result.text = std::move(text);
  return result;
}

nlohmann::json Fallback::value() const {
  return nlohmann::json::parse(text);
}

const KindInfo* KindFamily::find(std::string_view name) const {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [name](const KindInfo& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

std::vector<std::string> KindFamily::names() const {
  std::vector<std::string> result;
  for (const KindInfo& kind : kinds) result.push_back(kind.name);
  return result;
}

namespace {

std::string limits_text(const Field& field) {
  std::string text;
  if (field.minimum)
    text += fmt::format(" {} {}", field.above_minimum ? ">" : ">=", *field.minimum);
  if (field.maximum) text += fmt::format("{} <= {}", field.minimum ? " and" : "", *field.maximum);
  return text;
}

bool optional_null(const Field& field) {
  return field.nullable || (field.fallback && field.fallback->is_null());
}

}  // namespace

std::string type_text(const Field& field) {
  switch (field.type) {
    case FieldType::string:
      return field.choices.empty() ? "a non-empty string" : "one of " + quoted_list(field.choices);
    case FieldType::path:
      return "a path";
    case FieldType::boolean:
      return "true or false";
    case FieldType::integer:
      return "an integer" + limits_text(field);
    case FieldType::unsigned_integer:
      return "an integer from 0 to 2^64 - 1";
    case FieldType::number:
      return "a number" + limits_text(field);
    case FieldType::names:
      return field.choices.empty()
                 ? "a name or a non-empty list of names"
                 : "one of " + quoted_list(field.choices) + ", or a non-empty list of them";
    case FieldType::integers:
      return "a list of integers" + limits_text(field);
    case FieldType::numbers:
      return "a list of numbers" + limits_text(field);
    case FieldType::index_or_key:
      return "an index (integer >= 0) or a key (string)";
    case FieldType::kind:
      return "an object {\"kind\": ...}: " + field.family().title;
    case FieldType::kinds:
      return "a non-empty list of objects {\"kind\": ...}: " + field.family().title;
    case FieldType::kind_or_integers:
      return "an object {\"kind\": ...}: " + field.family().title + ", or a list of integers >= 1";
    case FieldType::kind_or_split:
      return "an object {\"kind\": ...}: " + field.family().title +
             ", or {\"train\": ..., \"test\": ...}";
    case FieldType::object:
    case FieldType::group:
      return "an object";
    case FieldType::groups:
      return "a list of objects";
  }
  return "";
}

namespace {

[[noreturn]] void mismatch(const Field& field, const json& value, const std::string& pointer) {
  throw Error({"wrong value for '" + field.name + "'", pointer, type_text(field), describe(value)});
}

/// Whether a JSON integer fits std::int64_t.
bool fits_integer(const json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() ||
          value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
}

/// JSON that C++ made holds 5 as a signed number.
bool is_non_negative(const json& value) {
  return value.is_number_unsigned() ||
         (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

void check_limits(const Field& field, const json& value, const std::string& pointer,
                  const json& whole) {
  const double number = value.get<double>();
  const bool low = field.minimum &&
                   (number < *field.minimum || (field.above_minimum && number <= *field.minimum));
  const bool high = field.maximum && number > *field.maximum;
  if (!std::isfinite(number) || low || high) mismatch(field, whole, pointer);
}

json resolve_split(const Field& field, const json& value, const std::string& pointer) {
  json result = json::object();
  for (const auto& [key, item] : value.items()) {
    if (key != "train" && key != "test") {
      throw Error({"unknown key '" + key + "'", join_pointer(pointer, key), "'train' and 'test'",
                   "'" + key + "'"});
    }
    result[key] = resolve_kind(field.family(), item, join_pointer(pointer, key));
  }
  for (const char* key : {"train", "test"}) {
    if (!value.contains(key)) {
      throw Error({"missing key '" + std::string(key) + "'", pointer, "'train' and 'test'",
                   describe(value)});
    }
  }
  return result;
}

json resolve_names(const Field& field, const json& value, const std::string& pointer) {
  const json list = value.is_string() ? json::array({value}) : value;
  if (!list.is_array() || list.empty()) mismatch(field, value, pointer);
  const auto& known = field.choices;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const json& item = list[i];
    const bool named = item.is_string() && !item.get_ref<const std::string&>().empty();
    const bool fits = named && (known.empty() || std::find(known.begin(), known.end(),
                                                           item.get<std::string>()) != known.end());
    if (fits) continue;
    if (value.is_string()) mismatch(field, value, pointer);
    throw Error({"wrong value for '" + field.name + "'", join_pointer(pointer, std::to_string(i)),
                 known.empty() ? "a name" : "one of " + quoted_list(known), describe(item)});
  }
  return known.empty() ? value : list;
}

void check_numbers(const Field& field, const json& value, const std::string& pointer) {
  if (!value.is_array()) mismatch(field, value, pointer);
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = join_pointer(pointer, std::to_string(i));
    const bool fits =
        field.type == FieldType::integers ? fits_integer(value[i]) : value[i].is_number();
    if (!fits) mismatch(field, value[i], place);
    check_limits(field, value[i], place, value[i]);
  }
}

json resolve_value(const Field& field, const json& value, const std::string& pointer) {
  const auto require = [&](bool condition) {
    if (!condition) mismatch(field, value, pointer);
  };
  switch (field.type) {
    case FieldType::string:
      require(value.is_string() && !value.get_ref<const std::string&>().empty());
      if (!field.choices.empty()) {
        require(std::find(field.choices.begin(), field.choices.end(), value.get<std::string>()) !=
                field.choices.end());
      }
      return value;
    case FieldType::path:
      require(value.is_string() && !value.get_ref<const std::string&>().empty());
      return value;
    case FieldType::boolean:
      require(value.is_boolean());
      return value;
    case FieldType::integer:
      require(fits_integer(value));
      check_limits(field, value, pointer, value);
      return value;
    case FieldType::unsigned_integer:
      require(is_non_negative(value));
      return value;
    case FieldType::number:
      require(value.is_number());
      check_limits(field, value, pointer, value);
      return value;
    case FieldType::names:
      return resolve_names(field, value, pointer);
    case FieldType::integers:
    case FieldType::numbers:
      check_numbers(field, value, pointer);
      return value;
    case FieldType::index_or_key:
      require(value.is_string() || (is_non_negative(value) && fits_integer(value)));
      return value;
    case FieldType::object:
      require(value.is_object());
      return value;
    case FieldType::kind:
      return resolve_kind(field.family(), value, pointer);
    case FieldType::kinds: {
      require(value.is_array() && !value.empty());
      json result = json::array();
      for (std::size_t i = 0; i < value.size(); ++i) {
        result.push_back(
            resolve_kind(field.family(), value[i], join_pointer(pointer, std::to_string(i))));
      }
      return result;
    }
    case FieldType::kind_or_integers:
      if (value.is_object()) return resolve_kind(field.family(), value, pointer);
      require(value.is_array());
      for (const json& item : value) require(fits_integer(item) && item.get<std::int64_t>() >= 1);
      return value;
    case FieldType::kind_or_split:
      require(value.is_object());
      if (value.contains("kind")) return resolve_kind(field.family(), value, pointer);
      return resolve_split(field, value, pointer);
    case FieldType::group:
      require(value.is_object());
      return resolve_fields(field.fields().fields, value, pointer);
    case FieldType::groups: {
      require(value.is_array());
      json result = json::array();
      for (std::size_t i = 0; i < value.size(); ++i) {
        result.push_back(resolve_fields(field.fields().fields, value[i],
                                        join_pointer(pointer, std::to_string(i))));
      }
      return result;
    }
  }
  return value;
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

}  // namespace

json resolve_fields(const std::vector<Field>& fields, const json& value, const std::string& pointer,
                    bool has_kind) {
  if (!value.is_object())
    throw Error({"wrong value", pointer.empty() ? "/" : pointer, "an object", describe(value)});
  for (const auto& [key, item] : value.items()) {
    if (has_kind && key == "kind") continue;
    const std::vector<std::string> known = names_of(fields);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error({"unknown key '" + key + "'", join_pointer(pointer, key),
                   known.empty() ? "no keys" : "one of " + quoted_list(known), "'" + key + "'"});
    }
  }
  json result = json::object();
  if (has_kind) result["kind"] = value["kind"];
  for (const Field& field : fields) {
    const std::string place = join_pointer(pointer, field.name);
    const auto found = value.find(field.name);
    if (found != value.end() && !(found->is_null() && optional_null(field))) {
      result[field.name] = resolve_value(field, *found, place);
    } else if (found != value.end() && field.nullable) {
      result[field.name] = nullptr;
    } else if (found == value.end() || optional_null(field)) {
      if (!field.fallback) {
        throw Error({"missing key '" + field.name + "'", pointer.empty() ? "/" : pointer,
                     type_text(field), "nothing"});
      }
      // Defaults that are objects are resolved too, so that theirs appear.
      const json fallback = field.fallback->value();
      result[field.name] = fallback.is_object() ? resolve_value(field, fallback, place) : fallback;
    }
  }
  return result;
}

json resolve_kind(const KindFamily& family, const json& value, const std::string& pointer) {
  if (!value.is_object()) {
    throw Error(
        {"wrong value", pointer, "an object {\"kind\": ...}: " + family.title, describe(value)});
  }
  const auto kind = value.find("kind");
  if (kind == value.end()) {
    throw Error({"missing key 'kind'", pointer,
                 family.title + ", one of " + quoted_list(family.names()), "nothing"});
  }
  const KindInfo* info = kind->is_string() ? family.find(kind->get<std::string>()) : nullptr;
  if (info == nullptr) {
    throw Error({"unknown kind", join_pointer(pointer, "kind"),
                 family.title + ", one of " + quoted_list(family.names()), describe(*kind)});
  }
  std::vector<Field> fields = info->fields;
  fields.insert(fields.end(), family.common.begin(), family.common.end());
  json result = resolve_fields(fields, value, pointer, true);
  const auto given_of = [&result](const std::vector<std::string>& names) {
    std::vector<std::string> given;
    for (const std::string& name : names) {
      if (!result.at(name).is_null()) given.push_back(name);
    }
    return given;
  };
  if (const auto both = given_of(info->at_most_one); both.size() > 1) {
    throw Error({"keys that exclude each other", pointer,
                 "at most one of " + quoted_list(info->at_most_one), quoted_list(both)});
  }
  const std::vector<std::string> given = given_of(info->exactly_one);
  if (!info->exactly_one.empty() && given.size() != 1) {
    throw Error({"one of several keys is needed", pointer,
                 "exactly one of " + quoted_list(info->exactly_one),
                 given.empty() ? "none" : quoted_list(given)});
  }
  return result;
}

}  // namespace descramble
