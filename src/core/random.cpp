#include "descramble/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_qr.h>

#include "descramble/core/error.h"

namespace descramble {

double RandomStream::uniform() {
  return static_cast<double>(engine_() >> 11) * 0x1.0p-53;
}

double RandomStream::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

double RandomStream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::int64_t RandomStream::below(std::int64_t n) {
  if (n < 1) throw Error({"RandomStream::below", "", "n >= 1", std::to_string(n)});
  const auto range = static_cast<std::uint64_t>(n);
  // Rejection keeps it exactly uniform.
  const std::uint64_t limit = std::uint64_t(-1) - std::uint64_t(-1) % range;
  std::uint64_t bits = engine_();
  while (bits >= limit) bits = engine_();
  return static_cast<std::int64_t>(bits % range);
}

std::vector<std::int64_t> RandomStream::permutation(std::int64_t n) {
  if (n < 0) throw Error({"RandomStream::permutation", "", "n >= 0", std::to_string(n)});
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(below(i + 1))]);
  }
  return order;
}

at::Tensor RandomStream::uniform_tensor(at::IntArrayRef sizes, double low, double high) {
  at::Tensor result = at::empty(sizes, at::kDouble);
  double* data = result.data_ptr<double>();
  for (std::int64_t i = 0; i < result.numel(); ++i) data[i] = uniform(low, high);
  return result;
}

at::Tensor RandomStream::normal_tensor(at::IntArrayRef sizes) {
  at::Tensor result = at::empty(sizes, at::kDouble);
  double* data = result.data_ptr<double>();
  for (std::int64_t i = 0; i < result.numel(); ++i) data[i] = normal();
  return result;
}

at::Tensor RandomStream::haar_tensor(std::int64_t d) {
  const auto [q, r] = at::linalg_qr(normal_tensor({d, d}));
  return (q * r.diagonal().sign()).contiguous();
}

RandomStream random_stream(std::uint64_t seed, std::string_view name, std::uint64_t index) {
  // FNV-1a over (name, seed, index), then the splitmix64 finaliser to spread the bits.
  std::uint64_t hash = 14695981039346656037ULL;
  const auto absorb = [&hash](std::uint64_t byte) { hash = (hash ^ byte) * 1099511628211ULL; };
  for (const char c : name) absorb(static_cast<unsigned char>(c));
  absorb(0xff);
  for (int i = 0; i < 8; ++i) absorb((seed >> (8 * i)) & 0xff);
  for (int i = 0; i < 8; ++i) absorb((index >> (8 * i)) & 0xff);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return RandomStream(hash ^ (hash >> 31));
}

}  // namespace descramble
