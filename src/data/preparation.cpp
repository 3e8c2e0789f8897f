#include "data/preparation.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/json.h"

namespace descramble {

namespace {

using Shape = std::vector<std::int64_t>;

/// `numbers` as a tensor that broadcasts over the dimensions behind the first of a sample.
at::Tensor by_channel(const std::vector<double>& numbers, const Shape& sample,
                      const std::string& pointer) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  const std::int64_t channels = sample.empty() ? 1 : sample.front();
  if (count != 1 && count != channels) {
    throw Error({"wrong number of values", pointer,
                 channels == 1 ? "1 number"
                               : fmt::format("1 number or {}, one for each channel of [{}]",
                                             channels, fmt::join(sample, ", ")),
                 fmt::format("{} numbers", count)});
  }
  // A sample that is one number has no channel: a value that is added to [n] keeps the shape [n].
  Shape shape(sample.size(), 1);
  if (!shape.empty()) shape.front() = count;
  at::Tensor result = at::empty(shape, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), result.data_ptr<double>());
  return result;
}

void require_fit(const Shape& shape, const Shape& sample, const std::string& pointer) {
  const auto product = [](const Shape& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>());
  };
  if (product(shape) == product(sample)) return;
  throw Error(
      {"the samples do not fit the shape", pointer,
       fmt::format("{} numbers, a sample being [{}]", product(sample), fmt::join(sample, ", ")),
       fmt::format("[{}], {} numbers", fmt::join(shape, ", "), product(shape))});
}

}  // namespace

at::Tensor Preparation::apply(at::Tensor values) const {
  if (shape) {
    Shape whole = *shape;
    whole.insert(whole.begin(), values.size(0));
    values = values.reshape(whole);
  }
  if (!scale && !mean.defined() && !std.defined()) return values;
  if (!values.is_floating_point()) values = values.to(at::kFloat);
  if (scale && *scale != 1) values = values.mul(*scale);
  if (mean.defined()) values = values.sub(mean.to(values.dtype()));
  if (std.defined()) values = values.div(std.to(values.dtype()));
  return values;
}

at::Tensor Preparation::undo(at::Tensor values) const {
  if (std.defined()) values = values.mul(std.to(values.dtype()));
  if (mean.defined()) values = values.add(mean.to(values.dtype()));
  if (scale && *scale != 1) values = values.div(*scale);
  return values;
}

std::vector<Field> preparation_fields(const Fallback& unscaled) {
  return {{.name = "shape",
           .type = FieldType::integers,
           .doc = "reshape each sample to this, with as many numbers as it has; null: as it comes",
           .fallback = nullptr,
           .minimum = 1},
          {.name = "scale",
           .type = FieldType::number,
           .doc = "multiply each value by this, before mean and std",
           .fallback = unscaled},
          {.name = "mean",
           .type = FieldType::numbers,
           .doc = "subtract this: one number, or one for each channel (a sample's first "
                  "dimension); null: none",
           .fallback = nullptr},
          {.name = "std",
           .type = FieldType::numbers,
           .doc = "then divide by this: one number, or one for each channel; null: 1",
           .fallback = nullptr,
           .minimum = 0,
           .above_minimum = true}};
}

bool prepares(const Settings& settings) {
  return settings.find_integers("shape") || settings.find_numbers("mean") ||
         settings.find_numbers("std") || settings.find_number("scale").value_or(1) != 1;
}

Preparation read_preparation(const Settings& settings, const at::Tensor& one,
                             const std::string& pointer) {
  Preparation result;
  Shape sample = one.sizes().slice(1).vec();
  result.shape = settings.find_integers("shape");
  if (result.shape) {
    require_fit(*result.shape, sample, join_pointer(pointer, "shape"));
    sample = *result.shape;
  }
  result.scale = settings.find_number("scale");
  if (result.scale == 0.0)
    throw Error({"scale", join_pointer(pointer, "scale"), "a number other than 0", "0"});
  const auto numbers = [&](const char* key) {
    const std::optional<std::vector<double>> given = settings.find_numbers(key);
    return given ? by_channel(*given, sample, join_pointer(pointer, key)) : at::Tensor();
  };
  result.mean = numbers("mean");
  result.std = numbers("std");
  return result;
}

}  // namespace descramble
