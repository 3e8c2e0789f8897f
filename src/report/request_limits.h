#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

namespace descramble {

/// A bucket of tokens for each address: a request takes one, and they come back at a steady rate.
class RequestLimits {
 public:
  using Clock = std::chrono::steady_clock;

  RequestLimits(double per_second, double at_once) : per_second_(per_second), at_once_(at_once) {}

  /// False if this request is one too many.
  bool take(const std::string& address, Clock::time_point now) {
    constexpr std::size_t most_addresses = 10000;
    if (buckets_.size() >= most_addresses) forget_full(now);
    const auto [found, fresh] = buckets_.try_emplace(address, Bucket{at_once_, now});
    Bucket& bucket = found->second;
    bucket.tokens = filled(bucket, now);
    bucket.last = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  struct Bucket {
    double tokens = 0;
    Clock::time_point last{};
  };

  double filled(const Bucket& bucket, Clock::time_point now) const {
    const double seconds = std::chrono::duration<double>(now - bucket.last).count();
    return std::min(at_once_, bucket.tokens + per_second_ * seconds);
  }
  void forget_full(Clock::time_point now) {
    std::erase_if(buckets_, [&](const auto& one) { return filled(one.second, now) >= at_once_; });
  }

  double per_second_;
  double at_once_;
  std::map<std::string, Bucket> buckets_{};
};

}  // namespace descramble
