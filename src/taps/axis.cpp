#include "descramble/taps/axis.h"

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

std::string axis_name(Axis axis) {
  switch (axis) {
    case Axis::features:
      return "features";
    case Axis::channels:
      return "channels";
    case Axis::neurons:
      return "neurons";
  }
  return "";
}

Axis parse_axis(const std::string& name) {
  for (const Axis axis : {Axis::features, Axis::channels, Axis::neurons}) {
    if (axis_name(axis) == name) return axis;
  }
  throw Error({"unknown axis", "", "'features', 'channels' or 'neurons'", "'" + name + "'"});
}

Axis default_axis(const at::Tensor& value, const TapPoint& point) {
  const bool channels = value.dim() >= 4 || (value.dim() == 3 && point.channels_first);
  return channels ? Axis::channels : Axis::features;
}

namespace {

void require_axis(const at::Tensor& value, Axis axis) {
  const bool fits = axis == Axis::features ? value.dim() >= 1 : value.dim() >= 2;
  if (!fits || value.numel() == 0) {
    throw Error({"the value has no axis '" + axis_name(axis) + "'", "",
                 axis == Axis::features ? "at least one dimension" : "at least two dimensions",
                 shape_text(value)});
  }
}

}  // namespace

std::int64_t axis_size(const at::Tensor& value, Axis axis) {
  require_axis(value, axis);
  if (axis == Axis::features) return value.size(-1);
  if (axis == Axis::channels) return value.size(1);
  return value.numel() / value.size(0);
}

at::Tensor to_rows(const at::Tensor& value, Axis axis) {
  const std::int64_t d = axis_size(value, axis);
  if (axis == Axis::channels) return value.movedim(1, -1).reshape({-1, d});
  return value.reshape({-1, d});
}

at::Tensor from_rows(const at::Tensor& rows, const at::Tensor& like, Axis axis) {
  return from_rows(rows, like.sizes(), axis);
}

at::Tensor from_rows(const at::Tensor& rows, at::IntArrayRef sizes, Axis axis) {
  if (axis != Axis::channels) return rows.reshape(sizes);
  std::vector<std::int64_t> moved = sizes.vec();
  const std::int64_t d = moved[1];
  moved.erase(moved.begin() + 1);
  moved.push_back(d);
  return rows.reshape(moved).movedim(-1, 1);
}

void require_memory(std::int64_t d, std::int64_t memory_mb, const std::string& tap, Axis axis) {
  const double needed = 4.0 * 8.0 * static_cast<double>(d) * static_cast<double>(d);
  if (needed <= static_cast<double>(memory_mb) * 1048576.0) return;
  throw Error({"the axis '" + axis_name(axis) + "' is too long", "tap '" + tap + "'",
               fmt::format("at most {} MiB (memory_mb)", memory_mb),
               fmt::format("d = {}, which takes {:.0f} MiB", d, needed / 1048576.0)});
}

}  // namespace descramble
