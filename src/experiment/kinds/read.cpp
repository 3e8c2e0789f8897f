#include <optional>

#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/core/random.h"
#include "descramble/reading/kinds.h"
#include "experiment/fields.h"
#include "experiment/matrices/matrix_kind.h"
#include "experiment/step.h"
#include "experiment/step_memory.h"
#include "results/read_report.h"

namespace descramble {

namespace {

using nlohmann::json;

std::set<std::int64_t> needed_steps(const json& step) {
  std::set<std::int64_t> steps = steps_of_matrix(step.at("matrix"));
  if (!step.at("with").is_null()) steps.merge(steps_of_matrix(step.at("with")));
  return steps;
}

/// The matrices of a reading: the one that is read, and the one that it is compared with.
struct Pair {
  MatrixView matrix{};
  std::optional<MatrixView> other{};

  const MatrixView* with() const { return other ? &*other : nullptr; }
};

MatrixView matrix_in(const json& resolved, const MatrixContext& context) {
  MatrixView matrix = matrix_kind(resolved.at("kind")).make(resolved, context);
  require_readable(matrix);
  return matrix;
}

Pair pair_in(const json& resolved, const Workspace& workspace, std::vector<InputFile>& inputs,
             Progress& progress) {
  Pair pair{.matrix = matrix_in(resolved.at("matrix"), {workspace, "matrix", inputs, progress})};
  if (!resolved.at("with").is_null())
    pair.other = matrix_in(resolved.at("with"), {workspace, "with", inputs, progress});
  return pair;
}

/// The matrix turned at random where a rotation turns it: on the side of its rows, and of its
/// columns if that side is rotated too.
MatrixView turned(const MatrixView& matrix, bool columns, std::uint64_t seed) {
  RandomStream random = random_stream(seed, "read/rotated");
  MatrixView result = matrix;
  result.title = matrix.title + ", turned at random";
  result.values = random.haar_tensor(matrix.values.size(0)).matmul(matrix.values);
  if (columns) result.values = result.values.matmul(random.haar_tensor(matrix.values.size(1)));
  return result;
}

bool asked(const json& resolved, const char* control) {
  for (const json& one : resolved.at("controls")) {
    if (one == control) return true;
  }
  return false;
}

/// "singular_vectors, sinusoid, right": the kind and what was chosen for it.
std::string label_of(const json& reading) {
  std::string label = reading.at("kind");
  for (const auto& [key, value] : reading.items()) {
    if (key != "kind" && value.is_string()) label += ", " + value.get<std::string>();
  }
  return label;
}

StepResult run_read(const json& resolved, const Workspace& workspace, Progress& progress) {
  std::vector<InputFile> inputs;
  std::vector<InputFile> again;
  const Pair own = pair_in(resolved, workspace, inputs, progress);
  const json& matrix = resolved.at("matrix");
  const MatrixKind& kind = matrix_kind(matrix.at("kind"));
  std::vector<std::pair<std::string, Pair>> controls;
  std::vector<std::string> notes;
  std::vector<MatrixView> drawn;
  if (kind.raw != nullptr) {
    if (std::optional<MatrixView> raw = kind.raw(matrix, {workspace, "matrix", again, progress})) {
      drawn.push_back(*raw);
      if (asked(resolved, "raw")) controls.emplace_back("raw", Pair{std::move(*raw), own.other});
    }
  }
  drawn.push_back(own.matrix);
  if (kind.of_network && asked(resolved, "untrained")) {
    try {
      const Untrained& twin = untrained_after(needed_steps(resolved), workspace);
      controls.emplace_back("untrained",
                            pair_in(resolved, twin.workspace, again, Progress::none()));
      if (!twin.kept.empty())
        notes.push_back("the untrained control keeps the trained " + quoted_list(twin.kept));
    } catch (const Error& error) {
      notes.push_back("there is no untrained control: " + std::string(error.what()));
    }
  }
  if (asked(resolved, "rotated")) {
    const bool columns = kind.turns_columns != nullptr && kind.turns_columns(matrix);
    controls.emplace_back("rotated", Pair{turned(own.matrix, columns, workspace.seed), own.other});
  }
  std::vector<ReadingOutcome> outcomes;
  for (const json& reading : resolved.at("readings")) {
    ReadingOutcome outcome{.kind = reading.at("kind"),
                           .label = label_of(reading),
                           .reading = read_matrix(own.matrix, own.with(), reading)};
    for (const auto& [name, control] : controls) {
      outcome.controls.emplace_back(name, read_matrix(control.matrix, control.with(), reading));
    }
    outcomes.push_back(std::move(outcome));
  }
  StepResult result = read_report(own.matrix, drawn, outcomes, notes);
  result.json["data"] = resolved.at("data");
  // The layer that the matrix belongs to, so that a reader of the result finds it there.
  for (const char* key : {"layer", "tap", "to"}) {
    const json& matrix_config = resolved.at("matrix");
    if (matrix_config.contains(key) && matrix_config[key].is_string())
      result.json["matrix"]["layer"] = matrix_config[key];
  }
  result.inputs = std::move(inputs);
  return result;
}

void check_earlier(const json& steps, std::size_t number) {
  const json& own = steps[number];
  for (const char* key : {"matrix", "with"}) {
    if (own.at(key).is_null()) continue;
    const MatrixKind& kind = matrix_kind(own.at(key).at("kind"));
    if (kind.check != nullptr) kind.check(own.at(key), key);
    for (const std::int64_t step : steps_of_matrix(own.at(key))) {
      const bool rotates = step < static_cast<std::int64_t>(number) &&
                           step_kind(steps[static_cast<std::size_t>(step)].at("kind")).rotates;
      if (rotates) continue;
      throw Error({"no earlier step that rotates", key,
                   "the number of a step before this one that rotates a tap",
                   fmt::format("{}", step)});
    }
  }
  for (std::size_t i = 0; i < own.at("readings").size(); ++i) {
    const json& reading = own.at("readings")[i];
    const std::string place = fmt::format("readings/{}", i);
    for (const ReadingKind& kind : reading_kinds()) {
      if (kind.info.name != reading.at("kind")) continue;
      if (kind.needs_other && own.at("with").is_null())
        throw Error({"the reading compares two matrices", "with", "the second matrix", "null"});
      if (kind.check != nullptr) within(place, [&] { kind.check(reading); });
    }
  }
}

void check_layers(const json& step, const Model& model) {
  for (const char* key : {"matrix", "with"}) {
    const json& matrix = step.at(key);
    if (matrix.is_null()) continue;
    for (const std::string& name : matrix_kind(matrix.at("kind")).names_taps)
      require_taps(model, {matrix.at(name)}, std::string(key) + "/" + name);
  }
}

}  // namespace

const StepKind& step_kind_read() {
  static const StepKind kind{
      .info = {.name = "read",
               .summary = "Asks questions of a matrix of the run: Fourier transform, fits of its "
                          "singular vectors, comparison with another one; with controls beside "
                          "each answer",
               .fields =
                   {{.name = "matrix",
                     .type = FieldType::kind,
                     .doc = "what is read",
                     .family = matrix_family},
                    {.name = "with",
                     .type = FieldType::kind,
                     .doc = "the second matrix of readings that compare; null: none",
                     .fallback = nullptr,
                     .family = matrix_family},
                    {.name = "readings",
                     .type = FieldType::kinds,
                     .doc = "the questions",
                     .family = reading_family},
                    {.name = "controls",
                     .type = FieldType::names,
                     .doc = "the same reading of: the raw weight, an untrained network (the steps "
                            "before are run on it too), the matrix turned at random",
                     .fallback = Fallback::json(R"(["raw", "untrained", "rotated"])"),
                     .choices = {"raw", "untrained", "rotated"}},
                    data_field("train")}},
      .run = run_read,
      .check = check_earlier,
      .check_model = check_layers};
  return kind;
}

}  // namespace descramble
