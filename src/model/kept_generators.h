#pragma once

#include <utility>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace descramble {

/// Puts the states of the default random generators back at its end: that of the CPU, and that of
/// a device.
class KeptGenerators {
 public:
  explicit KeptGenerators(at::Device device);
  ~KeptGenerators();
  KeptGenerators(const KeptGenerators&) = delete;
  KeptGenerators& operator=(const KeptGenerators&) = delete;

 private:
  std::vector<std::pair<at::Generator, at::Tensor>> kept_{};
};

}  // namespace descramble
