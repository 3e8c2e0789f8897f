#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/sin.h>

#include "descramble/data/kinds.h"
#include "descramble/data/tensor_set.h"

namespace descramble {

const SourceKind& source_kind_waves() {
  static const SourceKind kind{
      .info = {.name = "waves",
               .summary = "sine waves of growing frequency, in three classes",
               .fields = {{.name = "count",
                           .type = FieldType::integer,
                           .doc = "how many",
                           .fallback = 60,
                           .minimum = 1},
                          {.name = "length",
                           .type = FieldType::integer,
                           .doc = "values of each",
                           .fallback = 8,
                           .minimum = 1}}},
      .open = [](const Settings& settings, const DataContext&) {
        const std::int64_t count = settings.integer("count");
        const at::Tensor samples = at::arange(1, count + 1, at::kFloat);
        const at::Tensor places = at::arange(1, settings.integer("length") + 1, at::kFloat);
        return tensor_set(at::sin(at::outer(samples, places).mul(0.37)),
                          at::arange(count, at::kLong).remainder(3))
            .data;
      }};
  return kind;
}

}  // namespace descramble
