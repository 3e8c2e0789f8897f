#include <nlohmann/json.hpp>

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
      .make = [](const nlohmann::json& resolved, const BasisInput& input) -> BasisDraws {
        BasisDraws result{.label = "random"};
        const at::Tensor mean = input.moments.mean();
        for (std::uint64_t draw = 0; draw < resolved.at("draws").get<std::uint64_t>(); ++draw) {
          RandomStream stream = random_stream(input.seed, "basis/random/" + input.tap, draw);
          result.draws.emplace_back(haar_rotation(mean.size(0), stream), mean, input.pointer);
        }
        return result;
      }};
  return kind;
}

}  // namespace descramble
