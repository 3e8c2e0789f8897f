#include "descramble/objective/smoothness.h"

#include "descramble/objective/kinds.h"

namespace descramble {

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
            return settings.text("route") == "autograd" ? LayerNeeds::values : LayerNeeds::moments;
          },
      .make = [](const Settings& settings, const LayerData& layer) -> std::unique_ptr<Objective> {
        const Stencil stencil = parse_stencil(settings.text("stencil"));
        const bool center = settings.flag("center");
        if (settings.text("route") == "autograd") {
          const TapValues values = center ? layer.values->centred() : *layer.values;
          return std::make_unique<LossObjective>(values,
                                                 smoothness_loss(stencil, values.space().axis));
        }
        return std::make_unique<Smoothness>(
            stencil, center ? layer.moments.covariance() : layer.moments.second_moment());
      }};
  return kind;
}

}  // namespace descramble
