#include "descramble/objective/smoothness.h"

#include "descramble/core/error.h"
#include "descramble/objective/choice.h"
#include "descramble/objective/kinds.h"

namespace descramble {

namespace {

SmoothnessOptions options_in(const Settings& settings) {
  return {.stencil = parse_stencil(settings.text("stencil")),
          .center = settings.flag("center"),
          .without_bias = settings.flag("without_bias"),
          .pair = settings.flag("pair"),
          .scaled = settings.flag("scaled")};
}

}  // namespace

const ObjectiveKind& objective_kind_smoothness() {
  static const ObjectiveKind kind{
      .info = {.name = "smoothness",
               .summary =
                   "||D P F||^2 / N: how rough the rotated activations are along the layer, D a "
                   "differentiation stencil",
               .formula =
                   "minimise ||D P F||^2 / N = sum_i l_i (T' P C P' T)_ii, D'D = T diag(l) T', C "
                   "the covariance (or raw second moment); optimum sum_i l_i m_i, l ascending, m "
                   "the eigenvalues of C descending",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), descrambler groups",
               .fields =
                   {{.name = "stencil",
                     .type = FieldType::string,
                     .doc = "the differentiation stencil D; central_periodic takes the highest "
                            "frequency for smooth and is there to reproduce published work",
                     .fallback = "fourier_second",
                     .choices = stencil_names()},
                    {.name = "center",
                     .type = FieldType::boolean,
                     .doc = "use the covariance; false: the raw second moment, as descramble.m "
                            "does, which mostly maps the mean to the constant vector",
                     .fallback = true},
                    {.name = "without_bias",
                     .type = FieldType::boolean,
                     .doc = "take the layer's bias off its values, F = W X, as the paper does; "
                            "with \"center\" true there is no difference",
                     .fallback = false},
                    {.name = "pair",
                     .type = FieldType::boolean,
                     .doc = "the layer's weight W stands beside the values, [m W, F], m = ||F||_2 "
                            "/ ||W||_2: at NAME.input this is the pair of the weights that follow "
                            "and the activations",
                     .fallback = false},
                    {.name = "scaled",
                     .type = FieldType::boolean,
                     .doc =
                         "multiply the value by d^2 / (||D'D||_2 ||C||_2), as descramble.m does, "
                         "to compare losses; the rotation stays the same",
                     .fallback = false},
                    {.name = "route",
                     .type = FieldType::string,
                     .doc = "closed_form: from the moments; autograd: from the values themselves, "
                            "the same number at N times the cost, to check one by the other",
                     .fallback = "closed_form",
                     .choices = {"closed_form", "autograd"}}}},
      .traits =
          [](const Settings& settings) {
            return ObjectiveTraits{.has_closed_form = settings.text("route") == "closed_form"};
          },
      .needs =
          [](const Settings& settings) {
            return settings.text("route") == "autograd" ? LayerNeeds::values
                                                        : options_in(settings).needs();
          },
      .make = [](const Settings& settings, const LayerData& layer) -> std::unique_ptr<Objective> {
        const SmoothnessOptions options = options_in(settings);
        if (settings.text("route") == "autograd") {
          if (options.needs() != LayerNeeds::moments || options.scaled) {
            throw Error({"the route through autograd takes the values alone", "/objective/route",
                         "closed_form for 'pair', 'without_bias' and 'scaled'", "autograd"});
          }
          const TapValues values = options.center ? layer.values->centred() : *layer.values;
          return std::make_unique<LossObjective>(
              values, smoothness_loss(options.stencil, values.space().axis));
        }
        return std::make_unique<Smoothness>(options.stencil, smoothness_moment(options, layer));
      }};
  return kind;
}

}  // namespace descramble
