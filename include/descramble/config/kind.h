#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/core/error.h"

namespace descramble {

struct FieldSet;

/// The type of a JSON value. `names` is a string or a list of strings. `kind` is an object with a
/// "kind" key from another family, `kinds` is a non-empty list of such objects, and `kind_or_split`
/// is one such object or {"train": …, "test": …}. `group` is a nested object, `groups` a list of
/// nested objects. Each case is a shape that messages and schemas name in its own words; that is
/// why lists and alternatives are cases and not combinations of others.
enum class FieldType {
  string,
  path,
  boolean,
  integer,
  unsigned_integer,
  number,
  names,
  integers,
  numbers,
  index_or_key,
  kind,
  kinds,
  kind_or_integers,
  kind_or_split,
  group,
  groups,
  object  ///< any JSON object; the code that reads it checks it
};

struct KindFamily;

/// A default as JSON text, made from a C++ literal; keeps the JSON library out of this header.
struct Fallback {
  std::string text{};

  Fallback(std::nullptr_t) : text("null") {}
  Fallback(bool value) : text(value ? "true" : "false") {}
  Fallback(int value) : text(std::to_string(value)) {}
  Fallback(std::int64_t value) : text(std::to_string(value)) {}
  Fallback(double value);
  Fallback(const char* value);
  Fallback(const std::string& value) : Fallback(value.c_str()) {}
  static Fallback json(std::string text);  ///< an object or list, as JSON

  bool is_null() const { return text == "null"; }
  nlohmann::json value() const;
};

/// One field of a JSON object: its name, type, default, limits, and a sentence for people. The
/// reader, the JSON Schema, `descramble kinds` and the documentation's tables all come from it.
struct Field {
  std::string name{};
  FieldType type = FieldType::string;
  std::string doc{};
  /// Absent: the field is required. JSON null: optional without a default.
  std::optional<Fallback> fallback{};
  std::optional<double> minimum{};
  std::optional<double> maximum{};
  bool above_minimum = false;               ///< the minimum itself is not allowed
  bool nullable = false;                    ///< null is a value besides the default
  std::vector<std::string> choices{};       ///< for `string` and `names`
  const KindFamily& (*family)() = nullptr;  ///< for `kind`, `kinds`, …
  const FieldSet& (*fields)() = nullptr;    ///< for `group` and `groups`
};

struct FieldSet {
  std::string title{};
  std::vector<Field> fields{};
};

/// The description of a registered kind.
struct KindInfo {
  std::string name{};
  std::string summary{};
  std::string formula{};  ///< what it computes; empty if the summary says everything
  std::string source{};   ///< source of the formula: paper and equation; empty if there is none
  std::vector<Field> fields{};
  /// Exactly one of these fields must be given.
  std::vector<std::string> exactly_one{};
  /// At most one of these fields may be given.
  std::vector<std::string> at_most_one{};
};

/// All kinds that one place of a config may contain ("data source", "objective", …).
struct KindFamily {
  std::string title{};
  std::vector<Field> common{};  ///< fields that every kind of the family has
  std::vector<KindInfo> kinds{};

  const KindInfo* find(std::string_view name) const;
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
nlohmann::json schema_of(const KindFamily& family);

/// "a string", "an integer ≥ 1", …: the type as text for errors and tables.
std::string type_text(const Field& field);

}  // namespace descramble
