#include "descramble/objective/quartimax.h"

#include "descramble/objective/kinds.h"

namespace descramble {

namespace {

/// The weight's columns as rows to rotate: what one input does to the d quantities.
TapValues columns_of(const LayerData& layer) {
  return {layer.tap, layer.weight.detach().to(at::kCPU, at::kDouble).flatten(1).t().contiguous(),
          Axis::features};
}

}  // namespace

const ObjectiveKind& objective_kind_quartimax() {
  static const ObjectiveKind kind{
      .info = {.name = "quartimax",
               .summary = "the fourth powers of the rotated values (or weights), maximised: few "
                          "large entries among many small ones",
               .formula =
                   "maximise sum_i mean_n (P h_n)_i^4, h_n the layer's values or the columns "
                   "of its weight",
               .source = "Neuhaus and Wrigley, Brit. J. Stat. Psych. 7 (1954) 81; Zhai et al., "
                         "JMLR 21 (2020), l4-norm maximisation over the orthogonal group",
               .fields = {{.name = "of",
                           .type = FieldType::string,
                           .doc = "what is rotated and counted: the layer's values, or the columns "
                                  "of its weight",
                           .fallback = "values",
                           .choices = {"values", "weight"}},
                          {.name = "center",
                           .type = FieldType::boolean,
                           .doc = "subtract the mean of the values first",
                           .fallback = true}}},
      .traits = [](const Settings&) { return ObjectiveTraits{.is_concave = true}; },
      .needs =
          [](const Settings& settings) {
            return settings.text("of") == "weight" ? LayerNeeds::weight : LayerNeeds::values;
          },
      .make = [](const Settings& settings, const LayerData& layer) -> std::unique_ptr<Objective> {
        const TapValues rows = settings.text("of") == "weight" ? columns_of(layer) : *layer.values;
        return std::make_unique<Quartimax>(settings.flag("center") ? rows.centred() : rows);
      }};
  return kind;
}

}  // namespace descramble
