#include "experiment/fields.h"

#include <nlohmann/json.hpp>

namespace descramble {

using nlohmann::json;

Field data_field(const char* fallback) {
  return {.name = "data",
          .type = FieldType::string,
          .doc = "which of the two sources it runs on",
          .fallback = fallback,
          .choices = {"train", "test"}};
}

Field statistics_data_field() {
  Field field = data_field("train");
  field.name = "statistics_data";
  field.doc = "the source of mean, variances and principal components";
  return field;
}

Split split_in(const json& resolved, const char* key) {
  return parse_split(resolved.at(key));
}

Field axis_field() {
  return {.name = "axis",
          .type = FieldType::string,
          .doc =
              "what is rotated: features (last dimension), channels (dimension 1, every position a "
              "sample) or neurons "
              "(all but the batch); null: features up to 3 dimensions, channels from 4 on",
          .fallback = nullptr,
          .choices = {"features", "channels", "neurons"}};
}

Field axis_field(const std::string& what) {
  Field field = axis_field();
  field.doc = what +
              ": features (last dimension), channels (dimension 1) or neurons (all but the batch); "
              "null: features up to 3 dimensions, channels from 4 on";
  return field;
}

std::optional<Axis> axis_in(const json& resolved) {
  const json& axis = resolved.at("axis");
  if (axis.is_null()) return std::nullopt;
  return parse_axis(axis.get<std::string>());
}

namespace {

const FieldSet& row_fields() {
  static const FieldSet fields{
      .title = "rows",
      .fields = {{.name = "mask",
                  .type = FieldType::string,
                  .doc = "an input of the data, other than 0 where a row counts (an attention "
                         "mask); null: all rows count",
                  .fallback = nullptr},
                 {.name = "skip",
                  .type = FieldType::integer,
                  .doc = "the first so many of each sample's rows that the mask leaves do not "
                         "count (the token that begins a sequence)",
                  .fallback = 0,
                  .minimum = 0}}};
  return fields;
}

}  // namespace

Field rows_field() {
  return {.name = "rows",
          .type = FieldType::group,
          .doc = "which rows (positions of a sample: tokens, pixels) count; null: all",
          .fallback = nullptr,
          .fields = row_fields};
}

RowSelection rows_in(const json& resolved) {
  const json& rows = resolved.at("rows");
  RowSelection selection;
  if (rows.is_null()) return selection;
  selection.skip = rows.at("skip");
  if (rows.at("mask").is_string()) selection.mask_name = rows.at("mask");
  return selection;
}

Field position_field(const std::string& doc, bool both) {
  Field field{.name = "position",
              .type = FieldType::string,
              .doc = doc,
              .fallback = "after",
              .choices = {"before", "after"}};
  if (both) field.choices.emplace_back("both");
  return field;
}

std::vector<std::string> names_in_field(const json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

const KindFamily& grid_family() {
  static const Field points{.name = "points",
                            .type = FieldType::integer,
                            .doc = "counts in all; more than there are directions: every count",
                            .fallback = 64,
                            .minimum = 3};
  static const KindFamily family{
      .title = "grid",
      .kinds = {{.name = "all", .summary = "every count from none to all"},
                {.name = "linear", .summary = "evenly spread counts", .fields = {points}},
                {.name = "adaptive",
                 .summary = "half of the counts evenly spread, the others where accuracy moved "
                            "most between those",
                 .fields = {points}}}};
  return family;
}

Grid grid_in(const json& resolved) {
  const json& grid = resolved.at("grid");
  const std::string kind = grid.at("kind");
  if (kind == "all") return {.kind = Grid::Kind::all};
  return {.kind = kind == "linear" ? Grid::Kind::linear : Grid::Kind::adaptive,
          .points = grid.at("points")};
}

}  // namespace descramble
