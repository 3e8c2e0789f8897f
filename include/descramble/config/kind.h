#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/core/error.h"

namespace [[gnu::visibility("default")]] descramble {

struct FieldSet;

/// The type of a JSON value. Each case is a shape that messages and schemas name in its own words;
/// that is why lists and alternatives are cases and not combinations of others.
enum class FieldType {
  string,            ///< a non-empty text, or one of the choices
  path,              ///< a text that names a file or folder
  boolean,           ///< true or false
  integer,           ///< a whole number, 64 bits with a sign
  unsigned_integer,  ///< a whole number from 0, 64 bits
  number,            ///< a finite number
  names,             ///< a string or a list of strings
  integers,          ///< a list of whole numbers
  numbers,           ///< a list of numbers
  index_or_key,      ///< a whole number from 0, or a string
  kind,              ///< an object with a "kind" key from another family
  kinds,             ///< a non-empty list of such objects
  kind_or_integers,  ///< one such object, or a list of whole numbers from 1
  kind_or_split,     ///< one such object or {"train": …, "test": …}
  group,             ///< a nested object
  groups,            ///< a list of nested objects
  object             ///< any JSON object; the code that reads it checks it
};

struct KindFamily;

/// A default as JSON text, made from a C++ literal; keeps the JSON library out of this header.
struct Fallback {
  std::string text{};  ///< the value as JSON

  /// JSON null.
  Fallback(std::nullptr_t) : text("null") {}
  /// A boolean.
  Fallback(bool value) : text(value ? "true" : "false") {}
  /// An integer.
  Fallback(int value) : text(std::to_string(value)) {}
  /// An integer.
  Fallback(std::int64_t value) : text(std::to_string(value)) {}
  /// A finite number, with all its digits.
  Fallback(double value);
  /// A string.
  Fallback(const char* value);
  /// A string.
  Fallback(const std::string& value) : Fallback(value.c_str()) {}
  static Fallback json(std::string text);  ///< an object or list, as JSON

  /// Whether the default is null: the field is optional and has no default.
  bool is_null() const { return text == "null"; }
  /// The value, parsed.
  nlohmann::json value() const;
};

/// One field of a JSON object: its name, type, default, limits, and a sentence for people. The
/// reader, the JSON Schema, `descramble kinds` and the documentation's tables all come from it.
struct Field {
  std::string name{};                  ///< the key in the object
  FieldType type = FieldType::string;  ///< what the value may be
  std::string doc{};                   ///< a sentence for people
  /// Absent: the field is required. JSON null: optional without a default.
  std::optional<Fallback> fallback{};
  /// The smallest value; for lists, of each item. Absent: no limit.
  std::optional<double> minimum{};
  /// The largest value; for lists, of each item. Absent: no limit.
  std::optional<double> maximum{};
  bool above_minimum = false;          ///< the minimum itself is not allowed
  bool nullable = false;               ///< null is a value besides the default
  std::vector<std::string> choices{};  ///< the allowed values of `string` and `names`; empty: any
  const KindFamily& (*family)() = nullptr;  ///< the family of `kind`, `kinds`, …
  const FieldSet& (*fields)() = nullptr;    ///< the fields of `group` and `groups`
};

/// The fields of a nested object.
struct FieldSet {
  std::string title{};          ///< names the object in schemas and messages
  std::vector<Field> fields{};  ///< the fields, in the order in which they are shown
};

/// The description of a registered kind.
struct KindInfo {
  std::string name{};     ///< the value of "kind"
  std::string summary{};  ///< one sentence: what it is
  std::string formula{};  ///< what it computes; empty if the summary says everything
  std::string source{};   ///< source of the formula: paper and equation; empty if there is none
  std::vector<Field> fields{};  ///< besides those that all kinds of the family have
  /// Exactly one of these fields must be given.
  std::vector<std::string> exactly_one{};
  /// At most one of these fields may be given.
  std::vector<std::string> at_most_one{};
};

/// All kinds that one place of a config may contain ("data source", "objective", …).
struct KindFamily {
  std::string title{};            ///< names the family in messages: "objective"
  std::vector<Field> common{};    ///< fields that every kind of the family has
  std::vector<KindInfo> kinds{};  ///< the kinds, in the order of builtin.def

  /// The kind of that name; null if there is none.
  const KindInfo* find(std::string_view name) const;
  /// The names of all kinds, in their order.
  std::vector<std::string> names() const;
};

/// Checks `value` against `fields` and fills in the defaults: the resolved object.
/// @throws Error naming the JSON pointer, what was expected and what was found
nlohmann::json resolve_fields(const std::vector<Field>& fields, const nlohmann::json& value,
                              const std::string& pointer, bool has_kind = false);

/// The same for an object with a "kind" key.
nlohmann::json resolve_kind(const KindFamily& family, const nlohmann::json& value,
                            const std::string& pointer);

/// JSON Schema (draft 2020-12) of a field set or family.
nlohmann::json schema_of(const std::vector<Field>& fields, const std::string& title);
/// The same for a family: one schema for each kind, told apart by "kind".
nlohmann::json schema_of(const KindFamily& family);

/// "a string", "an integer ≥ 1", …: the type as text for errors and tables.
std::string type_text(const Field& field);

}  // namespace descramble
