#include "descramble/analysis/explore.h"

#include <fmt/format.h>

#include "data/text_table.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "experiment/choices.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/explore_report.h"

namespace descramble {

namespace {

using nlohmann::json;

/// One word a line. @throws Error for a file that is missing or empty
std::vector<std::string> read_vocabulary(const json& path, const Workspace& workspace,
                                         std::vector<InputFile>& inputs) {
  if (path.is_null()) return {};
  InputFile file{"vocabulary", path, workspace.paths.find(path, "vocabulary")};
  const std::string text = read_file(file.path);
  const std::vector<std::string_view> lines = lines_of(text);
  std::vector<std::string> words(lines.begin(), lines.end());
  if (words.empty())
    throw Error({"an empty vocabulary", file.path.string(), "one word in each line", "none"});
  file.sha256 = sha256_of_path(file.path);
  inputs.push_back(std::move(file));
  return words;
}

StepResult run_explore(const json& resolved, const Workspace& workspace, Progress& progress) {
  std::vector<InputFile> inputs;
  const std::vector<std::string> vocabulary =
      read_vocabulary(resolved.at("vocabulary"), workspace, inputs);
  const json& components = resolved.at("components");
  const ExploreOptions options{
      .taps = step_selectors(resolved),
      .bases = bases_in(resolved.at("bases"), workspace),
      .directions = resolved.at("directions"),
      .components = components.is_null() ? std::vector<std::int64_t>{}
                                         : components.get<std::vector<std::int64_t>>(),
      .order = parse_order(resolved.at("order")),
      .points = resolved.at("points"),
      .patches = resolved.at("patches"),
      .spacing = resolved.at("spacing") == "uniform" ? Spacing::uniform : Spacing::even,
      .through = resolved.at("through") == "zero" ? Through::zero : Through::mean,
      .nearness = resolved.at("nearest") == "direction" ? Nearness::direction : Nearness::space,
      .distinct = resolved.at("distinct") == "position" ? Distinct::position : Distinct::image,
      .position = parse_position(resolved.at("position")),
      .axis = axis_in(resolved),
      .rows = rows_in(resolved),
      .one_position = resolved.at("positions") == "one",
      .data = split_in(resolved),
      .statistics_data = split_in(resolved, "statistics_data"),
      .size = resolved.at("size")};
  StepResult result = explore_report(options, explore(workspace, options, progress), vocabulary);
  result.inputs.insert(result.inputs.end(), inputs.begin(), inputs.end());
  return result;
}

Field count_field(const char* name, const char* doc, int usual, double maximum) {
  return {.name = name,
          .type = FieldType::integer,
          .doc = doc,
          .fallback = usual,
          .minimum = 1,
          .maximum = maximum};
}

Field choice_field(const char* name, const char* doc, std::vector<std::string> choices) {
  return {.name = name,
          .type = FieldType::string,
          .doc = doc,
          .fallback = choices.front().c_str(),
          .choices = choices};
}

}  // namespace

const StepKind& step_kind_explore() {
  static const StepKind kind{
      .info =
          {.name = "explore",
           .summary = "Points along directions of a layer, and the samples whose values are "
                      "nearest to each: what a direction means, shown",
           .formula = "nearest a to c + s q: ||a - c - s q||, over all positions of all samples",
           .source = "Dey, Taylor, Wong, Tripp, Taylor, Neuron-based explanations of neural "
                     "networks sacrifice completeness and interpretability, TMLR",
           .fields =
               {{.name = "taps",
                 .type = FieldType::names,
                 .doc = "tap points: names or globs (* within one component, ** across)"},
                axis_field("where the directions lie"),
                position_field("after: the tap's own value; before: what its call receives"),
                {.name = "bases",
                 .type = FieldType::kinds,
                 .doc = "whose directions are shown",
                 .fallback = Fallback::json(R"([{"kind": "pca"}, {"kind": "neurons"}])"),
                 .family = basis_family},
                count_field("directions", "how many directions of each basis", 5, 1000),
                {.name = "components",
                 .type = FieldType::integers,
                 .doc = "these directions instead, by their numbers from 0; null: the first ones",
                 .fallback = nullptr,
                 .minimum = 0},
                {.name = "order",
                 .type = FieldType::string,
                 .doc = "which directions come first: by the variance that they explain, or as "
                        "the basis has them",
                 .fallback = "descending",
                 .choices = order_names()},
                count_field("points", "points along each direction", 7, 100),
                count_field("patches", "nearest samples at each point", 6, 100),
                choice_field("spacing",
                             "points between the smallest and the largest projection; even: evenly "
                             "spaced, ends included; uniform: drawn from the seed",
                             {"even", "uniform"}),
                choice_field("through", "what the lines run through", {"mean", "zero"}),
                choice_field("nearest",
                             "space: nearest in the whole space; direction: along the direction "
                             "alone",
                             {"space", "direction"}),
                choice_field("distinct",
                             "image: at most one position of a sample at a point; position: any",
                             {"image", "position"}),
                {.name = "positions",
                 .type = FieldType::string,
                 .doc = "statistics from all positions of a sample, or from one of each, drawn at "
                        "random; all positions are searched",
                 .fallback = "all",
                 .choices = {"all", "one"}},
                count_field("size", "side of the picture of a patch in pixels, at most", 48, 512),
                {.name = "vocabulary",
                 .type = FieldType::path,
                 .doc = "for inputs that are token ids: a file with one word in each line; null: "
                        "ids are shown",
                 .fallback = nullptr},
                rows_field(),
                data_field("test"),
                statistics_data_field()}},
      .run = run_explore};
  return kind;
}

}  // namespace descramble
