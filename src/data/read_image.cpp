#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <libexif/exif-loader.h>
#include <libexif/exif-utils.h>
#include <webp/decode.h>
#include <zlib.h>

#include "data/image.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"

// stb_image with only two decoders: their files can be checked for completeness here.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace descramble {

namespace {

using std::string_view_literals::operator""sv;

constexpr auto jpeg_signature = "\xff\xd8\xff"sv;
constexpr auto png_signature = "\x89PNG\r\n\x1a\n"sv;

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + count; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// The defect of a JPEG stream; empty if it has a picture and an end. The decoder fills the rest of
/// a truncated picture with grey and does not report it.
std::string jpeg_defect(std::string_view bytes) {
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  constexpr unsigned char end_of_image = 0xd9;
  constexpr unsigned char start_of_scan = 0xda;
  bool scanned = false;
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (byte(at) != 0xff) {  // compressed data, up to the next marker
      if (!scanned) return "no marker where one is due";
      at = bytes.find('\xff', at);
      if (at == std::string_view::npos) break;
      continue;
    }
    const unsigned char marker = byte(at + 1);
    if (marker == 0xff) {  // filling
      ++at;
    } else if (marker == 0 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;  // a stuffed byte, a restart
    } else if (marker == end_of_image) {
      return scanned ? "" : "a JPEG without a picture";
    } else {
      if (at + 4 > bytes.size()) break;
      scanned = scanned || marker == start_of_scan;
      at += 2 + big_endian(bytes, at + 2, 2);
    }
  }
  return "a truncated JPEG (no end marker)";
}

/// The same for a PNG stream; the decoder does not check its checksums.
std::string png_defect(std::string_view bytes) {
  std::size_t at = png_signature.size();
  while (at + 12 <= bytes.size()) {
    const std::size_t length = big_endian(bytes, at, 4);
    if (length > bytes.size() - at - 12) break;
    const std::string_view chunk = bytes.substr(at + 4, 4 + length);
    const auto* data = reinterpret_cast<const unsigned char*>(chunk.data());
    if (crc32(0, data, static_cast<unsigned>(chunk.size())) !=
        big_endian(bytes, at + 8 + length, 4)) {
      return fmt::format("a wrong checksum {} bytes into the PNG", at);
    }
    if (chunk.starts_with("IEND")) return "";
    at += 12 + length;
  }
  return "a truncated PNG (no IEND chunk)";
}

template <typename Broken>
Image read_webp(const std::string& bytes, const Broken& broken) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPBitstreamFeatures features{};
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK)
    throw broken("a truncated or damaged WebP");
  if (features.has_animation != 0) throw broken("an animated WebP");
  int width = 0;
  int height = 0;
  const std::unique_ptr<std::uint8_t, void (*)(void*)> pixels(
      WebPDecodeRGB(data, bytes.size(), &width, &height), WebPFree);
  if (!pixels) throw broken("a truncated or damaged WebP");
  const std::int64_t count = std::int64_t{3} * width * height;
  return {height, width, {pixels.get(), pixels.get() + count}};
}

}  // namespace

int orientation(const std::filesystem::path& file) {
  const std::unique_ptr<ExifLoader, void (*)(ExifLoader*)> loader(exif_loader_new(),
                                                                  exif_loader_unref);
  exif_loader_write_file(loader.get(), file.c_str());
  const std::unique_ptr<ExifData, void (*)(ExifData*)> data(exif_loader_get_data(loader.get()),
                                                            exif_data_unref);
  if (!data) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->size < 2) return 1;
  const int found = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return found >= 1 && found <= 8 ? found : 1;
}

Image read_image(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  const auto broken = [&file](const std::string& found) {
    return Error({"cannot decode the image", file.string(), "a whole JPEG, PNG or WebP", found});
  };
  const bool is_webp = bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("WEBP"sv);
  std::string defect;
  if (bytes.empty()) {
    defect = "an empty file";
  } else if (bytes.starts_with(jpeg_signature)) {
    defect = jpeg_defect(bytes);
  } else if (bytes.starts_with(png_signature)) {
    defect = png_defect(bytes);
  } else if (!is_webp) {
    defect = "none of them";
  }
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    defect = "a file above 2 GiB";
  if (is_webp) return read_webp(bytes, broken);
  if (!defect.empty()) throw broken(defect);

  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                            static_cast<int>(bytes.size()), &width, &height, &channels, 3),
      stbi_image_free);
  if (!pixels) throw broken(stbi_failure_reason());
  const std::int64_t count = std::int64_t{3} * width * height;
  return {height, width, {pixels.get(), pixels.get() + count}};
}

}  // namespace descramble
