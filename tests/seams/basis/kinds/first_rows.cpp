#include <algorithm>

#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_qr.h>

#include "descramble/basis/kinds.h"
#include "descramble/core/error.h"

namespace descramble {

const BasisKind& basis_kind_first_rows() {
  static const BasisKind kind{
      .info = {.name = "first_rows",
               .summary = "the first values of the layer, orthonormalised",
               .fields = {{.name = "count",
                           .type = FieldType::integer,
                           .doc = "how many directions",
                           .fallback = 1,
                           .minimum = 1}}},
      .make = [](const Settings& settings, const BasisInput& input) -> BasisDraws {
        if (!input.for_each_rows)
          throw Error({"no values for the basis", input.pointer, "values of the layer", "none"});
        const std::int64_t count = settings.integer("count");
        std::vector<at::Tensor> rows;
        std::int64_t found = 0;
        input.for_each_rows([&](const at::Tensor& some) {
          if (found == count) return;
          rows.push_back(some.slice(0, 0, std::min(count - found, some.size(0))));
          found += rows.back().size(0);
        });
        const at::Tensor directions = std::get<0>(at::linalg_qr(at::cat(rows).t()));
        return one_basis("first rows", Basis(directions, input.moments.mean(), input.pointer));
      }};
  return kind;
}

}  // namespace descramble
