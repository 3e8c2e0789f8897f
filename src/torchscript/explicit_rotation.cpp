#include "torchscript/explicit_rotation.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "descramble/taps/axis.h"

namespace descramble {

using torch::jit::Value;
namespace aten = torch::jit::aten;

namespace {

/// A convolution with a kernel of one place turns channels where they are.
bool convolves(const RotationEdit& edit) {
  const std::int64_t spatial = edit.dimensions - 2;
  return edit.axis == Axis::channels && spatial >= 1 && spatial <= 3;
}

}  // namespace

at::Tensor product_weight(const RotationEdit& edit, const at::Tensor& matrix) {
  if (!convolves(edit)) return matrix;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(edit.dimensions), 1);
  sizes[0] = sizes[1] = matrix.size(0);
  return matrix.reshape(sizes);
}

Value* insert_product(NodeWriter& nodes, const RotationEdit& edit, Value* value, Value* weight,
                      bool batched) {
  Value* none = nodes.constant(c10::IValue());
  if (convolves(edit)) {
    const std::int64_t spatial = edit.dimensions - 2;
    const std::vector<std::int64_t> ones(static_cast<std::size_t>(spatial), 1);
    const std::vector<std::int64_t> zeros(static_cast<std::size_t>(spatial), 0);
    const c10::Symbol symbol = c10::Symbol::fromQualString(fmt::format("aten::conv{}d", spatial));
    return nodes.call(symbol, {value, weight, none, nodes.constant(ones), nodes.constant(zeros),
                               nodes.constant(ones), nodes.constant(std::int64_t{1})});
  }
  const bool flat = edit.axis == Axis::features || edit.dimensions == 2;
  if (flat) return nodes.call(aten::linear, {value, weight, none});
  Value* one = nodes.constant(std::int64_t{batched ? 1 : 0});
  Value* last = nodes.constant(std::int64_t{-1});
  const c10::Symbol movedim = c10::Symbol::fromQualString("aten::movedim");
  if (edit.axis == Axis::channels) {
    Value* behind = nodes.call(movedim, {value, one, last});
    return nodes.call(movedim, {nodes.call(aten::linear, {behind, weight, none}), last, one});
  }
  Value* rows = nodes.call(aten::flatten, {value, one, last});
  return nodes.call(c10::Symbol::fromQualString("aten::reshape_as"),
                    {nodes.call(aten::linear, {rows, weight, none}), value});
}

}  // namespace descramble
