#include <cmath>
#include <utility>

#include "descramble/training/train.h"

namespace descramble {

Schedule every_epochs(std::int64_t every, double factor) {
  return [every, factor](std::int64_t finished) {
    return std::pow(factor, static_cast<double>(finished / every));
  };
}

Schedule milestones(std::vector<std::int64_t> epochs, double factor) {
  return [epochs = std::move(epochs), factor](std::int64_t finished) {
    double result = 1;
    for (const std::int64_t epoch : epochs) {
      if (epoch <= finished) result *= factor;
    }
    return result;
  };
}

}  // namespace descramble
