#include "descramble/taps/space.h"

namespace descramble {

TapSpace space_of(const std::string& tap, const at::Tensor& value, Axis axis) {
  return {.name = tap,
          .axis = axis,
          .shape = value.sizes().slice(1).vec(),
          .dtype = value.scalar_type(),
          .dimension = axis_size(value, axis)};
}

}  // namespace descramble
