#include <nlohmann/json.hpp>

#include "descramble/basis/choice.h"

namespace descramble {

const BasisKind& basis_kind_random() {
  static const BasisKind kind{
      .info = {.name = "random",
               .summary = "directions drawn uniformly from all rotations (Haar measure)",
               .fields = {{.name = "draws",
                           .type = FieldType::integer,
                           .doc = "how many bases are drawn; several give a band",
                           .fallback = 1,
                           .minimum = 1,
                           .maximum = 1000}}},
      .make = [](const nlohmann::json& resolved, const BasisInput& input) -> BasisDraws {
        return random_bases(resolved.at("draws"))(input);
      }};
  return kind;
}

}  // namespace descramble
