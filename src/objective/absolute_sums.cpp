#include "objective/absolute_sums.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "data/samples.h"

namespace descramble {

namespace {

// A processor's widest instructions are chosen when the program starts: such a pass is bound by
// square roots and divisions, several of which run at once. The choice comes before the runtimes of
// sanitizers are ready, and a build with one would end there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define DESCRAMBLE_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DESCRAMBLE_WIDE
#endif

/// Columns that are summed in the precision of z, in as many partial sums as there are lanes.
constexpr std::int64_t block = 512;
constexpr std::int64_t lanes = 32;

/// Sums of a row of φ and |z|.
struct RowSums {
  double value = 0;
  double sharp = 0;
};

template <typename Number>
double total(const Number* partial) {
  double sum = 0;
  for (std::int64_t lane = 0; lane < lanes; ++lane) sum += static_cast<double>(partial[lane]);
  return sum;
}

/// Inlined into each of the clones below. Without a width it is |z| and its sign.
template <typename Number, bool smooth, bool with_slope>
inline __attribute__((always_inline)) RowSums sums_of(Number* z, std::int64_t d, Number epsilon,
                                                      Number weight) {
  const Number square = epsilon * epsilon;
  const auto entry = [&](Number& at, Number& value, Number& sharp) {
    const Number one = at;
    sharp += std::abs(one);
    if constexpr (smooth) {
      const Number root = std::sqrt(one * one + square);
      value += root - epsilon;  // per entry: subtracting the sum of all ε would lose precision
      if constexpr (with_slope) at = weight * one / root;
    } else if constexpr (with_slope) {
      at = weight * static_cast<Number>((one > 0) - (one < 0));
    }
  };
  RowSums sums;
  for (std::int64_t begin = 0; begin < d; begin += block) {
    const std::int64_t end = std::min(d, begin + block);
    Number value[lanes] = {};
    Number sharp[lanes] = {};
    std::int64_t j = begin;
    for (; j + lanes <= end; j += lanes) {
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        entry(z[j + lane], value[lane], sharp[lane]);
    }
    for (; j < end; ++j) entry(z[j], value[j % lanes], sharp[j % lanes]);
    sums.value += total(value);
    sums.sharp += total(sharp);
  }
  if constexpr (!smooth) sums.value = sums.sharp;
  return sums;
}

// Clones are made of functions, not of templates.
DESCRAMBLE_WIDE RowSums smooth(float* z, std::int64_t d, float epsilon, float weight) {
  return sums_of<float, true, false>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums smooth_slope(float* z, std::int64_t d, float epsilon, float weight) {
  return sums_of<float, true, true>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums sharp(float* z, std::int64_t d, float epsilon, float weight) {
  return sums_of<float, false, false>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums sharp_slope(float* z, std::int64_t d, float epsilon, float weight) {
  return sums_of<float, false, true>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums smooth(double* z, std::int64_t d, double epsilon, double weight) {
  return sums_of<double, true, false>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums smooth_slope(double* z, std::int64_t d, double epsilon, double weight) {
  return sums_of<double, true, true>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums sharp(double* z, std::int64_t d, double epsilon, double weight) {
  return sums_of<double, false, false>(z, d, epsilon, weight);
}
DESCRAMBLE_WIDE RowSums sharp_slope(double* z, std::int64_t d, double epsilon, double weight) {
  return sums_of<double, false, true>(z, d, epsilon, weight);
}

template <typename Number>
AbsoluteSums on_processor(at::Tensor& z, const at::Tensor& weights, double epsilon,
                          bool with_gradient, bool weighted) {
  const std::int64_t rows = z.size(0);
  const std::int64_t d = z.size(1);
  auto* numbers = z.data_ptr<Number>();
  const auto* weight = weights.data_ptr<double>();
  const auto width = static_cast<Number>(epsilon);
  // Rows are summed in their order, so the result is the same for any number of threads.
  std::vector<RowSums> found(static_cast<std::size_t>(rows));
  constexpr std::int64_t enough = 16384;  // entries that are worth a thread
  const std::int64_t at_once = std::max<std::int64_t>(1, enough / d);
  for_each_sample((rows + at_once - 1) / at_once, 1, [&](std::int64_t part) {
    for (std::int64_t r = part * at_once; r < std::min(rows, (part + 1) * at_once); ++r) {
      Number* row = numbers + r * d;
      const auto factor = static_cast<Number>(weighted ? weight[r] : 1);
      RowSums& sums = found[static_cast<std::size_t>(r)];
      if (epsilon > 0) {
        sums = with_gradient ? smooth_slope(row, d, width, factor) : smooth(row, d, width, factor);
      } else {
        sums = with_gradient ? sharp_slope(row, d, width, factor) : sharp(row, d, width, factor);
      }
    }
  });
  AbsoluteSums sums;
  for (std::int64_t r = 0; r < rows; ++r) {
    sums.value += weight[r] * found[static_cast<std::size_t>(r)].value;
    sums.sharp += weight[r] * found[static_cast<std::size_t>(r)].sharp;
  }
  return sums;
}

/// On any device.
AbsoluteSums anywhere(at::Tensor& z, const at::Tensor& weights, double epsilon, bool with_gradient,
                      bool weighted) {
  const auto weighed = [&](const at::Tensor& each) {
    return each.sum(1).to(at::kCPU, at::kDouble).dot(weights).item<double>();
  };
  AbsoluteSums sums;
  sums.sharp = sums.value = weighed(z.abs());
  if (epsilon > 0) {
    const at::Tensor root = z.square().add_(epsilon * epsilon).sqrt_();
    sums.value = weighed(root - epsilon);
    if (with_gradient) z.div_(root);
  } else if (with_gradient) {
    z.sign_();
  }
  if (with_gradient && weighted) z.mul_(weights.to(z.device(), z.scalar_type()).unsqueeze(1));
  return sums;
}

}  // namespace

AbsoluteSums absolute_sums(at::Tensor& z, const at::Tensor& weights, double epsilon,
                           bool with_gradient, bool weighted) {
  const at::Tensor each = weights.contiguous();
  if (z.is_cpu() && z.is_contiguous() && z.numel() > 0) {
    if (z.scalar_type() == at::kFloat)
      return on_processor<float>(z, each, epsilon, with_gradient, weighted);
    if (z.scalar_type() == at::kDouble)
      return on_processor<double>(z, each, epsilon, with_gradient, weighted);
  }
  return anywhere(z, each, epsilon, with_gradient, weighted);
}

}  // namespace descramble
