#include "descramble/plot/raster.h"

#include <algorithm>
#include <cstdlib>

#include <zlib.h>

#include "descramble/core/base64.h"
#include "descramble/core/error.h"

namespace {

/// zlib instead of the writer's own compression, which is a simple one. The writer frees the
/// result.
unsigned char* compressed(unsigned char* data, int size, int* written, int /*quality*/) {
  uLongf length = compressBound(static_cast<uLong>(size));
  auto* result = static_cast<unsigned char*>(std::malloc(length));
  if (result == nullptr) return nullptr;
  if (compress2(result, &length, data, static_cast<uLong>(size), Z_BEST_COMPRESSION) != Z_OK) {
    std::free(result);
    return nullptr;
  }
  *written = static_cast<int>(length);
  return result;
}

}  // namespace

#define STBIW_ZLIB_COMPRESS compressed
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace descramble {

namespace {

void append(void* to, void* bytes, int count) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes),
                                        static_cast<std::size_t>(count));
}

}  // namespace

Raster tiled(const at::Tensor& images, std::int64_t columns, std::int64_t line) {
  const std::int64_t count = images.size(0);
  const std::int64_t channels = images.size(1);
  const std::int64_t height = images.size(2);
  const std::int64_t width = images.size(3);
  const std::int64_t rows = (count + columns - 1) / columns;
  Raster raster{.width = columns * (width + line) - line,
                .height = rows * (height + line) - line,
                .channels = channels};
  raster.bytes.assign(static_cast<std::size_t>(raster.width * raster.height * channels), 255);
  const at::Tensor plain = images.permute({0, 2, 3, 1}).contiguous();
  const auto* from = plain.data_ptr<unsigned char>();
  const std::int64_t row = width * channels;
  for (std::int64_t k = 0; k < count; ++k) {
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t to =
          ((k / columns * (height + line) + y) * raster.width + k % columns * (width + line)) *
          channels;
      std::copy_n(from + (k * height + y) * row, row, raster.bytes.begin() + to);
    }
  }
  return raster;
}

std::string data_uri(const Raster& raster) {
  constexpr int quality = 88;  // of 100
  const auto width = static_cast<int>(raster.width);
  const auto height = static_cast<int>(raster.height);
  const auto channels = static_cast<int>(raster.channels);
  const bool colours = channels == 3;
  std::string bytes;
  const int written = colours ? stbi_write_jpg_to_func(append, &bytes, width, height, channels,
                                                       raster.bytes.data(), quality)
                              : stbi_write_png_to_func(append, &bytes, width, height, channels,
                                                       raster.bytes.data(), width * channels);
  if (written == 0) throw Failure({"cannot encode a picture", "", "an image", "none"});
  return (colours ? "data:image/jpeg;base64," : "data:image/png;base64,") + base64(bytes);
}

}  // namespace descramble
