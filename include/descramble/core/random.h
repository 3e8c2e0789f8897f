#pragma once

#include "descramble/core/language.h"

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// A named stream of random numbers, derived from the one seed of an experiment. Streams with
/// different names or indices are independent. A stream is the same on every platform: the engine
/// is std::mt19937_64, and the distributions are implemented here, because the C++ standard does
/// not define their algorithms.
class RandomStream {
 public:
  /// A stream that begins at this state of the engine. Use random_stream, which derives the state
  /// from a name.
  explicit RandomStream(std::uint64_t state) : engine_(state) {}

  double uniform();                                       ///< U[0, 1), 53 bits
  double uniform(double low, double high);                ///< U[low, high)
  double normal();                                        ///< N(0, 1), Box–Muller
  std::int64_t below(std::int64_t n);                     ///< uniform on {0, …, n − 1}; n ≥ 1
  std::vector<std::int64_t> permutation(std::int64_t n);  ///< Fisher–Yates

  at::Tensor uniform_tensor(at::IntArrayRef sizes, double low, double high);  ///< float64
  at::Tensor normal_tensor(at::IntArrayRef sizes);                            ///< float64
  /// Uniform on O(d) (Haar measure): Q of a Gaussian matrix's QR decomposition with R's diagonal
  /// positive.
  /// @source Mezzadri, Notices of the AMS 54 (2007) 592.
  at::Tensor haar_tensor(std::int64_t d);  ///< float64

  /// The next 64 bits of the engine.
  std::uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// The same (seed, name, index) gives the same stream.
RandomStream random_stream(std::uint64_t seed, std::string_view name, std::uint64_t index = 0);

}  // namespace descramble
