#include <optional>

#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include "descramble/analysis/matrices.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/core/random.h"
#include "descramble/reading/kinds.h"
#include "experiment/fields.h"
#include "experiment/matrix_choice.h"
#include "experiment/step.h"
#include "results/read_report.h"

namespace descramble {

namespace {

using nlohmann::json;

std::set<std::int64_t> needed_steps(const json& step) {
  std::set<std::int64_t> steps = steps_of_matrix(step.at("matrix"));
  if (!step.at("with").is_null()) steps.merge(steps_of_matrix(step.at("with")));
  return steps;
}

/// A network without training, on the same data, with the rotations that the same earlier steps
/// find of it.
Workspace untrained_workspace(const json& resolved, const Workspace& workspace,
                              std::vector<std::string>& kept, Progress& progress) {
  UntrainedTwin found_twin = untrained_twin(workspace, workspace.seed);
  kept = std::move(found_twin.kept);
  Workspace twin = workspace;
  static_cast<Subject&>(twin) = std::move(found_twin.subject);
  twin.rotations.clear();
  for (const std::int64_t step : needed_steps(resolved)) {
    const json& earlier = workspace.steps.at(static_cast<std::size_t>(step));
    const StepResult found = step_kind(earlier.at("kind")).run(earlier, twin, progress);
    for (const RotationEdit& edit : found.edits) twin.rotations[{step, edit.tap}] = edit.rotation;
  }
  return twin;
}

/// The matrices of a reading: the one that is read, and the one that it is compared with.
struct Pair {
  MatrixView matrix{};
  std::optional<MatrixView> other{};

  const MatrixView* with() const { return other ? &*other : nullptr; }
};

Pair pair_in(const json& resolved, const Workspace& workspace, std::vector<InputFile>& inputs,
             Progress& progress) {
  Pair pair{.matrix = matrix_in(resolved.at("matrix"), workspace, inputs, "matrix", progress)};
  require_readable(pair.matrix);
  if (resolved.at("with").is_null()) return pair;
  pair.other = matrix_in(resolved.at("with"), workspace, inputs, "with", progress);
  require_readable(*pair.other);
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

StepResult run_read(const json& resolved, const Workspace& workspace, Progress& progress) {
  std::vector<InputFile> inputs;
  std::vector<InputFile> again;
  const Pair own = pair_in(resolved, workspace, inputs, progress);
  const json& matrix = resolved.at("matrix");
  const std::string kind = matrix.at("kind");
  std::vector<std::pair<std::string, Pair>> controls;
  std::vector<std::string> notes;
  std::vector<MatrixView> drawn;
  const bool rotated_weight = kind == "weight" && !steps_of_matrix(matrix).empty();
  if (rotated_weight) {
    Pair raw{.matrix = weight_view(workspace, matrix.at("layer")), .other = own.other};
    drawn.push_back(raw.matrix);
    if (asked(resolved, "raw")) controls.emplace_back("raw", std::move(raw));
  }
  drawn.push_back(own.matrix);
  if (kind != "tensor" && asked(resolved, "untrained")) {
    try {
      std::vector<std::string> kept;
      const Workspace twin = untrained_workspace(resolved, workspace, kept, Progress::none());
      controls.emplace_back("untrained", pair_in(resolved, twin, again, Progress::none()));
      if (!kept.empty())
        notes.push_back("the untrained control keeps the trained " + quoted_list(kept));
    } catch (const Error& error) {
      notes.push_back("there is no untrained control: " + std::string(error.what()));
    }
  }
  if (asked(resolved, "rotated")) {
    const bool columns = kind == "weight" && !matrix.at("right").is_null();
    controls.emplace_back("rotated", Pair{turned(own.matrix, columns, workspace.seed), own.other});
  }
  std::vector<ReadingOutcome> outcomes;
  for (const json& reading : resolved.at("readings")) {
    ReadingOutcome outcome{.kind = reading.at("kind"),
                           .reading = read_matrix(own.matrix, own.with(), reading)};
    for (const auto& [name, control] : controls) {
      outcome.controls.emplace_back(name, read_matrix(control.matrix, control.with(), reading));
    }
    outcomes.push_back(std::move(outcome));
  }
  StepResult result = read_report(own.matrix, drawn, outcomes, notes);
  result.json["data"] = resolved.at("data");
  result.inputs = std::move(inputs);
  return result;
}

void check_earlier(const json& steps, std::size_t number) {
  const json& own = steps[number];
  for (const char* key : {"matrix", "with"}) {
    if (own.at(key).is_null()) continue;
    check_matrix(own.at(key), key);
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
    if (matrix.at("kind") == "jacobian_at_mean") {
      require_taps(model, {matrix.at("from")}, std::string(key) + "/from");
      require_taps(model, {matrix.at("to")}, std::string(key) + "/to");
    }
    if (matrix.at("kind") == "weight")
      require_taps(model, {matrix.at("layer")}, std::string(key) + "/layer");
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
