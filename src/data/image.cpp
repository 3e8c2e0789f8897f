#include "data/image.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace descramble {

std::string size_text(const Image& image) {
  return fmt::format("{} high, {} wide", image.height, image.width);
}

namespace {

constexpr int weight_bits = 22;

/// The weights of the input pixels that give one output pixel along one axis.
struct Window {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights{};  ///< they add to 2^weight_bits, up to rounding
};

std::vector<Window> windows(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double support = std::max(scale, 1.0);
  std::vector<Window> result;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t x = first; x < end; ++x) {
      const double distance = std::abs((static_cast<double>(x) - center + 0.5) * (1.0 / support));
      weights.push_back(std::max(1.0 - distance, 0.0));
      sum += weights.back();
    }
    Window window{.first = first};
    for (const double weight : weights) {
      window.weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << weight_bits)));
    }
    result.push_back(std::move(window));
  }
  return result;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(
      std::clamp((sum + (1 << (weight_bits - 1))) >> weight_bits, 0, 255));
}

Image resize_width(const Image& image, std::int64_t width) {
  Image result{image.height, width,
               std::vector<std::uint8_t>(static_cast<std::size_t>(image.height * width * 3))};
  const std::vector<Window> columns = windows(image.width, width);
  std::uint8_t* out = result.pixels.data();
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.pixels.data() + y * image.width * 3;
    for (const Window& window : columns) {
      std::int32_t red = 0;
      std::int32_t green = 0;
      std::int32_t blue = 0;
      const std::uint8_t* in = row + window.first * 3;
      for (const std::int32_t weight : window.weights) {
        red += in[0] * weight;
        green += in[1] * weight;
        blue += in[2] * weight;
        in += 3;
      }
      *out++ = rounded(red);
      *out++ = rounded(green);
      *out++ = rounded(blue);
    }
  }
  return result;
}

Image resize_height(const Image& image, std::int64_t height) {
  Image result{height, image.width,
               std::vector<std::uint8_t>(static_cast<std::size_t>(height * image.width * 3))};
  const auto stride = static_cast<std::size_t>(image.width * 3);
  std::vector<std::int32_t> sums(stride);
  std::uint8_t* out = result.pixels.data();
  for (const Window& window : windows(image.height, height)) {
    std::fill(sums.begin(), sums.end(), 0);
    const std::uint8_t* in = image.pixels.data() + static_cast<std::size_t>(window.first) * stride;
    for (const std::int32_t weight : window.weights) {
      for (std::size_t i = 0; i < stride; ++i) sums[i] += in[i] * weight;
      in += stride;
    }
    out = std::transform(sums.begin(), sums.end(), out, rounded);
  }
  return result;
}

}  // namespace

Image resize_shorter_side(const Image& image, std::int64_t size) {
  const std::int64_t shorter = std::min(image.height, image.width);
  const std::int64_t longer = std::max(image.height, image.width);
  const auto other =
      static_cast<std::int64_t>(static_cast<double>(size * longer) / static_cast<double>(shorter));
  const std::int64_t width = image.width <= image.height ? size : other;
  const std::int64_t height = image.width <= image.height ? other : size;
  Image result = width == image.width ? image : resize_width(image, width);
  return height == result.height ? result : resize_height(result, height);
}

Image crop_center(const Image& image, std::int64_t size) {
  // Python's round(): halves to the even neighbour.
  const auto offset = [size](std::int64_t side) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(side - size) / 2.0));
  };
  const std::int64_t top = offset(image.height);
  const std::int64_t left = offset(image.width);
  Image result{size, size, {}};
  result.pixels.reserve(static_cast<std::size_t>(size * size * 3));
  for (std::int64_t y = top; y < top + size; ++y) {
    const auto row = image.pixels.begin() + (y * image.width + left) * 3;
    result.pixels.insert(result.pixels.end(), row, row + size * 3);
  }
  return result;
}

}  // namespace descramble
