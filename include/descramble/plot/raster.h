#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// An image of bytes, row by row from the top, the channels of a pixel side by side.
struct Raster {
  std::int64_t width = 0;              ///< pixels
  std::int64_t height = 0;             ///< pixels
  std::int64_t channels = 1;           ///< 1: grey, 3: red, green, blue
  std::vector<unsigned char> bytes{};  ///< width · height · channels of them
};

/// Images [n, C, h, w] of bytes as one, `columns` in a row, with white lines of this width between.
Raster tiled(const at::Tensor& images, std::int64_t columns, std::int64_t line);

/// "data:image/png;base64,…" of a grey image, "data:image/jpeg;base64,…" of one in colours: the
/// first keeps every byte, the second is small for photographs.
std::string data_uri(const Raster& raster);

}  // namespace descramble
