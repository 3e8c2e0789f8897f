#include <fmt/format.h>

#include "descramble/basis/kinds.h"
#include "descramble/basis/orthogonal.h"

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
        return {.label = "random",
                .draw =
                    [mean = input.moments.mean(), seed = input.seed, tap = input.tap,
                     pointer = input.pointer](std::int64_t number) {
                      RandomStream stream = random_stream(seed, "basis/random/" + tap,
                                                          static_cast<std::uint64_t>(number));
                      return Basis(haar_rotation(mean.size(0), stream), mean, pointer);
                    },
                .count = settings.integer("draws")};
      }};
  return kind;
}

}  // namespace descramble
