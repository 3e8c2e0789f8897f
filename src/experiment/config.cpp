#include "experiment/config.h"

#include "descramble/basis/kinds.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "descramble/objective/kinds.h"
#include "descramble/objective/objective.h"
#include "descramble/reading/kinds.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/solver.h"
#include "experiment/fields.h"
#include "experiment/matrices/matrix_kind.h"
#include "experiment/step.h"
#include "experiment/train_config.h"

namespace descramble {

using nlohmann::json;

namespace {

std::vector<Field> common_fields() {
  return {{.name = "$schema",
           .type = FieldType::string,
           .doc = "where editors find the schema",
           .fallback = "schema.json"},
          {.name = "schema_version",
           .type = FieldType::integer,
           .doc = "version of this format",
           .fallback = 1,
           .minimum = 1,
           .maximum = 1},
          {.name = "name", .type = FieldType::string, .doc = "name of the experiment"},
          {.name = "seed",
           .type = FieldType::unsigned_integer,
           .doc = "the one seed of all random streams",
           .fallback = 1},
          {.name = "threads",
           .type = FieldType::integer,
           .doc = "threads of the tensor library; 0: all cores",
           .fallback = 0,
           .minimum = 0,
           .maximum = 4096},
          {.name = "device",
           .type = FieldType::string,
           .doc = "cpu, cuda or cuda:N",
           .fallback = "cpu"},
          {.name = "memory_mb",
           .type = FieldType::integer,
           .doc = "ceiling for matrices and captured values, MiB",
           .fallback = 4096,
           .minimum = 1,
           .maximum = 1 << 30},
          {.name = "dtype",
           .type = FieldType::string,
           .doc = "converts the model first; null: its own",
           .fallback = nullptr,
           .choices = {"float32", "float64", "bfloat16", "float16"}},
          {.name = "model", .type = FieldType::kind, .doc = "the network", .family = model_family},
          {.name = "data",
           .type = FieldType::kind_or_split,
           .doc = "one source (then it is both), or train and test",
           .family = source_family}};
}

}  // namespace

const std::vector<Field>& experiment_fields() {
  static const std::vector<Field> fields = [] {
    std::vector<Field> result = common_fields();
    result.push_back({.name = "steps",
                      .type = FieldType::kinds,
                      .doc = "what to do, in order",
                      .family = step_family});
    return result;
  }();
  return fields;
}

const std::vector<Field>& training_fields() {
  static const std::vector<Field> fields = [] {
    std::vector<Field> result = common_fields();
    result.push_back({.name = "train",
                      .type = FieldType::group,
                      .doc = "how to train the model",
                      .fields = train_fields});
    return result;
  }();
  return fields;
}

std::vector<const KindFamily*> all_families() {
  return {&model_family(),     &layer_family(),    &source_family(), &step_family(),
          &objective_family(), &solver_family(),   &basis_family(),  &grid_family(),
          &optimizer_family(), &schedule_family(), &matrix_family(), &reading_family()};
}

Config resolve_config(const json& document, const std::filesystem::path& file) {
  const auto name_file = [&](Complaint& complaint) {
    complaint.where = file.string() + (complaint.where.empty() ? "" : " at " + complaint.where);
  };
  return with_complaint(name_file, [&]() -> Config {
    const bool training = document.is_object() && document.contains("train");
    if (training && document.contains("steps")) {
      throw Error({"both 'steps' and 'train'", "/",
                   "'steps' (an experiment) or 'train' (a training)", "both"});
    }
    json resolved =
        resolve_fields(training ? training_fields() : experiment_fields(), document, "");
    if (!training) check_steps(resolved.at("steps"));
    return {file, std::move(resolved)};
  });
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& assignments) {
  json document = read_json(file);
  for (const std::string& assignment : assignments) set_by_pointer(document, assignment);
  return resolve_config(document, file);
}

json config_schema() {
  json definitions = json::object();
  for (const KindFamily* family : all_families()) definitions[family->title] = schema_of(*family);
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "descramble config, version 1"},
          {"description",
           "An experiment (steps) or a training (train). Paths: absolute, beside the config, in "
           "the working directory, or in DESCRAMBLE_DATA."},
          {"$defs", definitions},
          {"if", {{"required", {"train"}}}},
          {"then", schema_of(training_fields(), "training")},
          {"else", schema_of(experiment_fields(), "experiment")}};
}

}  // namespace descramble
