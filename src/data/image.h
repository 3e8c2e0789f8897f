#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace descramble {

/// A picture of 8-bit red, green and blue, row by row.
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels{};  ///< height · width · 3
};

/// "256 high, 341 wide"
std::string size_text(const Image& image);

/// Decodes a JPEG, PNG or WebP file. Grey, palette and CMYK pictures become RGB, transparency is
/// dropped, the EXIF orientation is not applied.
/// @throws Error naming the file for anything that is not whole: garbage, a truncated JPEG, a PNG
/// whose
///         checksums do not fit
Image read_image(const std::filesystem::path& file);

/// The EXIF orientation of a JPEG file, 1 to 8; 1 (upright) if there is none.
int orientation(const std::filesystem::path& file);

/// Scales the shorter side to `size` and the longer one to int(size · longer / shorter), as
/// torchvision's Resize does on a PIL image: the same bytes as PIL's Image.resize with BILINEAR
/// (Resample.c: triangle filter, widened when shrinking, horizontal then vertical pass, weights of
/// 22 bits).
Image resize_shorter_side(const Image& image, std::int64_t size);

/// The middle `size` × `size` pixels, as torchvision's CenterCrop takes them; the image must be at
/// least that large.
Image crop_center(const Image& image, std::int64_t size);

}  // namespace descramble
