#include <fmt/format.h>
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
        const auto draws = resolved.at("draws").get<std::int64_t>();
        const std::int64_t bytes = draws * mean.size(0) * mean.size(0) * 8;
        if (bytes >> 20 > input.memory_mb) {
          throw Error({"the random bases do not fit into memory",
                       join_pointer(input.pointer, "draws"),
                       fmt::format("at most {} MiB (memory_mb)", input.memory_mb),
                       fmt::format("{} draws of {} MiB", draws, bytes / draws >> 20)});
        }
        for (std::uint64_t draw = 0; draw < resolved.at("draws").get<std::uint64_t>(); ++draw) {
          RandomStream stream = random_stream(input.seed, "basis/random/" + input.tap, draw);
          result.draws.emplace_back(haar_rotation(mean.size(0), stream), mean, input.pointer);
        }
        return result;
      }};
  return kind;
}

}  // namespace descramble
