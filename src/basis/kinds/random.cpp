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
      .make = [](const Settings& settings, const BasisInput& input) -> BasisDraws {
        return random_bases(settings.integer("draws"))(input);
      }};
  return kind;
}

}  // namespace descramble
