#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/basis/kinds.h"
#include "descramble/core/error.h"

namespace descramble {

namespace {

std::string known_text(const Rotations& rotations) {
  std::vector<std::string> known;
  for (const auto& [key, rotation] : rotations)
    known.push_back(fmt::format("'{}' of step {}", key.second, key.first));
  return known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "));
}

}  // namespace

const BasisKind& basis_kind_step() {
  static const BasisKind kind{
      .info = {.name = "step",
               .summary = "the rotation that an earlier step of the run has found",
               .formula = "Q = P'",
               .fields = {{.name = "step",
                           .type = FieldType::integer,
                           .doc = "the number of a step that rotates, counted from 0",
                           .minimum = 0},
                          {.name = "tap",
                           .type = FieldType::string,
                           .doc = "the tap that it rotated; null: the one that is ablated",
                           .fallback = nullptr}}},
      .make = [](const Settings& settings, const BasisInput& input) -> BasisDraws {
        const std::int64_t step = settings.integer("step");
        const std::string tap = settings.find_text("tap").value_or(input.tap);
        const auto found = input.rotations.find({step, tap});
        if (found == input.rotations.end()) {
          throw Error({"no such rotation", input.pointer,
                       "a tap that an earlier step rotated: " + known_text(input.rotations),
                       fmt::format("'{}' of step {}", tap, step)});
        }
        return one_basis(fmt::format("step {}", step),
                         Basis(found->second.t(), input.moments.mean(), input.pointer));
      }};
  return kind;
}

}  // namespace descramble
