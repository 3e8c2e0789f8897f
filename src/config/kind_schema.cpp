#include <cstdint>

#include <nlohmann/json.hpp>

#include "descramble/config/kind.h"

namespace descramble {

using nlohmann::json;

namespace {

json schema_of_field(const Field& field) {
  json schema = json::object();
  const auto limits = [&field](json target) {
    if (field.minimum)
      target[field.above_minimum ? "exclusiveMinimum" : "minimum"] = *field.minimum;
    if (field.maximum) target["maximum"] = *field.maximum;
    return target;
  };
  const json text = field.choices.empty() ? json{{"type", "string"}, {"minLength", 1}}
                                          : json{{"enum", field.choices}};
  const auto reference = [&field]() { return json{{"$ref", "#/$defs/" + field.family().title}}; };
  switch (field.type) {
    case FieldType::string:
    case FieldType::path:
      schema = text;
      break;
    case FieldType::boolean:
      schema = {{"type", "boolean"}};
      break;
    case FieldType::integer:
      schema = limits({{"type", "integer"}});
      break;
    case FieldType::unsigned_integer:
      schema = {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT64_MAX}};
      break;
    case FieldType::number:
      schema = limits({{"type", "number"}});
      break;
    case FieldType::names:
      schema = {{"anyOf", {text, {{"type", "array"}, {"minItems", 1}, {"items", text}}}}};
      break;
    case FieldType::integers:
      schema = {{"type", "array"}, {"items", limits({{"type", "integer"}})}};
      break;
    case FieldType::numbers:
      schema = {{"type", "array"}, {"items", limits({{"type", "number"}})}};
      break;
    case FieldType::index_or_key:
      schema = {{"anyOf", {{{"type", "string"}}, {{"type", "integer"}, {"minimum", 0}}}}};
      break;
    case FieldType::object:
      schema = {{"type", "object"}};
      break;
    case FieldType::kind:
      schema = reference();
      break;
    case FieldType::kinds:
      schema = {{"type", "array"}, {"minItems", 1}, {"items", reference()}};
      break;
    case FieldType::kind_or_integers:
      schema = {
          {"anyOf",
           {reference(), {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 1}}}}}}};
      break;
    case FieldType::kind_or_split:
      schema = {{"anyOf",
                 {reference(),
                  {{"type", "object"},
                   {"properties", {{"train", reference()}, {"test", reference()}}},
                   {"required", {"train", "test"}},
                   {"additionalProperties", false}}}}};
      break;
    case FieldType::group:
      schema = schema_of(field.fields().fields, field.fields().title);
      break;
    case FieldType::groups:
      schema = {{"type", "array"},
                {"items", schema_of(field.fields().fields, field.fields().title)}};
      break;
  }
  if (field.nullable || (field.fallback && field.fallback->is_null()))
    schema = {{"anyOf", {schema, {{"type", "null"}}}}};
  if (!field.doc.empty()) schema["description"] = field.doc;
  if (field.fallback) schema["default"] = field.fallback->value();
  return schema;
}

}  // namespace

json schema_of(const std::vector<Field>& fields, const std::string& title) {
  json properties = json::object();
  json required = json::array();
  for (const Field& field : fields) {
    properties[field.name] = schema_of_field(field);
    if (!field.fallback) required.push_back(field.name);
  }
  json schema = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!title.empty()) schema["title"] = title;
  if (!required.empty()) schema["required"] = required;
  return schema;
}

json schema_of(const KindFamily& family) {
  json options = json::array();
  for (const KindInfo& kind : family.kinds) {
    std::vector<Field> fields = kind.fields;
    fields.insert(fields.end(), family.common.begin(), family.common.end());
    json option = schema_of(fields, kind.name);
    option["description"] = kind.summary;
    option["properties"]["kind"] = {{"const", kind.name}};
    json required = json::array({"kind"});
    if (option.contains("required")) {
      for (const json& name : option["required"]) required.push_back(name);
    }
    option["required"] = required;
    for (const std::string& name : kind.exactly_one) {
      option["oneOf"].push_back(
          {{"required", {name}}, {"properties", {{name, {{"not", {{"type", "null"}}}}}}}});
    }
    if (!kind.at_most_one.empty()) {
      json all = {{"required", kind.at_most_one}};
      for (const std::string& name : kind.at_most_one)
        all["properties"][name] = {{"not", {{"type", "null"}}}};
      option["not"] = std::move(all);
    }
    options.push_back(option);
  }
  return {{"title", family.title}, {"anyOf", options}};
}

}  // namespace descramble
