#include "descramble/objective/smoothness.h"

#include <nlohmann/json.hpp>

namespace descramble {

const ObjectiveKind& objective_kind_smoothness() {
  static const ObjectiveKind kind{
      .info =
          {.name = "smoothness",
           .summary = "||D P F||^2 / N: how rough the rotated activations are along the layer, D a "
                      "differentiation stencil",
           .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), descrambler groups",
           .fields = {{.name = "stencil",
                       .type = FieldType::string,
                       .doc = "the differentiation stencil D; central_periodic takes the highest "
                              "frequency for smooth and is there to reproduce published work",
                       .fallback = "fourier_second",
                       .choices = stencil_names()},
                      {.name = "center",
                       .type = FieldType::boolean,
                       .doc = "use the covariance; false: the raw second moment, as descramble.m "
                              "does, which mostly maps the mean to the constant vector",
                       .fallback = true}}},
      .make = [](const nlohmann::json& resolved,
                 const Moments& moments) -> std::unique_ptr<Objective> {
        const Stencil stencil = parse_stencil(resolved.at("stencil"));
        return std::make_unique<Smoothness>(
            stencil, resolved.at("center") ? moments.covariance() : moments.second_moment());
      }};
  return kind;
}

}  // namespace descramble
