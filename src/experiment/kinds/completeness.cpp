#include "descramble/analysis/completeness.h"

#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "experiment/choices.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/completeness_report.h"

namespace descramble {

namespace {

using nlohmann::json;

/// "'descramble'", and what else rotates.
std::string rotating_kinds() {
  std::vector<std::string> names;
  for (const StepKind& kind : step_kinds()) {
    if (kind.rotates != nullptr) names.push_back(kind.info.name);
  }
  return quoted_list(names);
}

/// An order is drawn once. A basis of a step needs a rotation that was found before.
void check_steps(const json& steps, std::size_t number) {
  const json& orders = steps[number].at("orders");
  for (std::size_t i = 0; i < orders.size(); ++i) {
    if (std::count(orders.begin(), orders.end(), orders[i]) == 1) continue;
    throw Error({"an order stands twice", fmt::format("/orders/{}", i), "each order once",
                 "'" + orders[i].get<std::string>() + "'"});
  }
  const json& bases = steps[number].at("bases");
  for (std::size_t i = 0; i < bases.size(); ++i) {
    if (bases[i].at("kind") != "step") continue;
    const auto named = bases[i].at("step").get<std::size_t>();
    const std::string where = fmt::format("/bases/{}/step", i);
    if (named >= number) {
      throw Error({"a basis of a step that has not run", where,
                   number == 0 ? "an earlier step, of which there is none"
                               : fmt::format("0 to {}", number - 1),
                   std::to_string(named)});
    }
    if (step_kind(steps[named].at("kind")).rotates == nullptr) {
      throw Error(
          {"a basis of a step that rotates nothing", where, "a step of kind " + rotating_kinds(),
           fmt::format("step {} of kind '{}'", named, steps[named].at("kind").get<std::string>())});
    }
  }
}

std::optional<Reference> reference_in(const json& resolved) {
  const json& reference = resolved.at("reference");
  if (reference.is_null()) return std::nullopt;
  return reference == "class" ? Reference::untouched_class : Reference::untouched_output;
}

StepResult run_completeness(const json& resolved, const Workspace& workspace, Progress& progress) {
  CompletenessOptions options{
      .taps = step_selectors(resolved),
      .bases = bases_in(resolved.at("bases"), workspace),
      .orders = {},
      .ablate = resolved.at("ablate") == "zero" ? Ablate::zero : Ablate::mean,
      .grid = grid_in(resolved),
      .reference = reference_in(resolved),
      .position = parse_position(resolved.at("position")),
      .axis = axis_in(resolved),
      .rows = rows_in(resolved),
      .one_position = resolved.at("positions") == "one",
      .data = split_in(resolved),
      .statistics_data = split_in(resolved, "statistics_data")};
  for (const json& order : resolved.at("orders")) options.orders.push_back(parse_order(order));
  return completeness_report(options, measure_completeness(workspace, options, progress));
}

}  // namespace

const StepKind& step_kind_completeness() {
  static const StepKind kind{
      .info = {.name = "completeness",
               .summary = "Accuracy as the directions of a layer are ablated one after the other, "
                          "in one basis and another",
               .formula =
                   "h - sum_i q_i q_i' (h - c) over the first m directions q_i of a basis, c "
                   "the mean (or 0), at every position",
               .source = "Dey, Taylor, Wong, Tripp, Taylor, Neuron-based explanations of neural "
                         "networks sacrifice completeness and interpretability, TMLR",
               .fields = {{.name = "taps",
                           .type = FieldType::names,
                           .doc = "tap points, each ablated on its own: names or globs"},
                          axis_field("where the directions lie"),
                          position_field(
                              "after: the tap's own value; before: what its call receives"),
                          {.name = "bases",
                           .type = FieldType::kinds,
                           .doc = "whose directions are ablated",
                           .family = basis_family},
                          {.name = "orders",
                           .type = FieldType::names,
                           .doc = "by the variance that the directions explain, or as the basis "
                                  "has them",
                           .fallback = Fallback::json(R"(["descending", "ascending"])"),
                           .choices = order_names()},
                          {.name = "ablate",
                           .type = FieldType::string,
                           .doc = "what an ablated component becomes: its mean, or zero",
                           .fallback = "mean",
                           .choices = {"mean", "zero"}},
                          {.name = "grid",
                           .type = FieldType::kind,
                           .doc = "the numbers of ablated directions that are measured",
                           .fallback = Fallback::json(R"({"kind": "adaptive", "points": 64})"),
                           .family = grid_family},
                          {.name = "reference",
                           .type = FieldType::string,
                           .doc = "what outputs are held against: the class, or the output itself, "
                                  "of the untouched model; null: the labels where the data have "
                                  "any, else that output",
                           .fallback = nullptr,
                           .choices = {"class", "output"}},
                          {.name = "positions",
                           .type = FieldType::string,
                           .doc = "statistics from all positions of a sample, or from one of each, "
                                  "drawn at random",
                           .fallback = "all",
                           .choices = {"all", "one"}},
                          rows_field(),
                          data_field("test"),
                          statistics_data_field()}},
      .run = run_completeness,
      .check = check_steps};
  return kind;
}

}  // namespace descramble
