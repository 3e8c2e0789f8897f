#include "data/idx_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

namespace fs = std::filesystem;

namespace {

constexpr unsigned char unsigned_byte = 0x08;

/// A file that is read through zlib, which passes on data that are not gzipped.
class Reader {
 public:
  explicit Reader(const fs::path& file) : path_(file.string()) {
    std::error_code code;
    if (fs::is_directory(file, code)) throw Error({"cannot read", path_, "a file", "a folder"});
    size_ = fs::file_size(file, code);
    errno = 0;
    stream_.reset(gzopen(file.c_str(), "rb"));
    if (!stream_) throw Error({"cannot read", path_, "a readable file", std::strerror(errno)});
    gzbuffer(stream_.get(), 1U << 17);
  }

  const std::string& path() const { return path_; }

  /// As many bytes as there are, up to `count`.
  std::size_t read(unsigned char* target, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const auto piece = static_cast<unsigned>(std::min<std::size_t>(count - done, 1U << 24));
      const int got = gzread(stream_.get(), target + done, piece);
      check(got);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  /// More bytes than these cannot come out of this file: deflate shrinks at most 1032 times.
  double most_bytes() const {
    return static_cast<double>(size_) * (gzdirect(stream_.get()) != 0 ? 1 : 1032);
  }

 private:
  /// zlib reports a truncated gzip stream beside the bytes it could still read.
  void check(int got) {
    int code = Z_OK;
    const char* message = gzerror(stream_.get(), &code);
    if (got >= 0 && code != Z_BUF_ERROR) return;
    if (code == Z_ERRNO)
      throw Error({"cannot read", path_, "a readable file", std::strerror(errno)});
    std::string found(message);
    if (found.starts_with(path_ + ": ")) found.erase(0, path_.size() + 2);
    throw Error({"damaged gzip file", path_, "a whole gzip stream", found});
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string path_;
  std::uintmax_t size_ = 0;
  std::unique_ptr<gzFile_s, Close> stream_;
};

std::vector<std::int64_t> read_dimensions(Reader& reader) {
  std::array<unsigned char, 4> magic{};
  if (reader.read(magic.data(), magic.size()) < magic.size()) {
    throw Error({"not an IDX file", reader.path(), "a header of at least 8 bytes", "fewer"});
  }
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != unsigned_byte || magic[3] == 0) {
    throw Error({"not an IDX file of unsigned bytes", reader.path(),
                 "it to begin with 00 00 08 and a number of dimensions",
                 fmt::format("{:02x}", fmt::join(magic, " "))});
  }
  std::vector<std::int64_t> dimensions;
  for (unsigned i = 0; i < magic[3]; ++i) {
    std::array<unsigned char, 4> bytes{};
    if (reader.read(bytes.data(), bytes.size()) < bytes.size()) {
      throw Error({"truncated IDX file", reader.path(),
                   fmt::format("{} dimensions in the header", magic[3]), std::to_string(i)});
    }
    std::int64_t size = 0;
    for (const unsigned char byte : bytes) size = size << 8 | byte;
    dimensions.push_back(size);
  }
  return dimensions;
}

}  // namespace

at::Tensor read_idx(const fs::path& file) {
  Reader reader(file);
  const std::vector<std::int64_t> dimensions = read_dimensions(reader);
  const std::string shape = fmt::format("{}", fmt::join(dimensions, " x "));
  if (dimensions[0] == 0)
    throw Error({"no samples in the file", reader.path(), "at least one", shape});
  double expected = 1;
  for (const std::int64_t size : dimensions) expected *= static_cast<double>(size);
  if (expected == 0)
    throw Error({"empty samples in the file", reader.path(), "no dimension of 0", shape});
  const std::string whole =
      fmt::format("{:.0f} bytes behind the header, as {} says", expected, shape);
  // Checked before memory is allocated, so that a damaged header cannot request any amount of it.
  if (expected > reader.most_bytes())
    throw Error({"truncated IDX file", reader.path(), whole, "fewer"});

  at::Tensor values = at::empty(dimensions, at::kByte);
  const auto count = static_cast<std::size_t>(values.numel());
  const std::size_t got = reader.read(values.data_ptr<std::uint8_t>(), count);
  if (got < count) throw Error({"truncated IDX file", reader.path(), whole, std::to_string(got)});
  // Reading on also makes zlib compare the checksum.
  std::vector<unsigned char> more(1U << 16);
  if (const std::size_t extra = reader.read(more.data(), more.size()); extra > 0) {
    throw Error({"trailing bytes in the IDX file", reader.path(), whole,
                 fmt::format("{}{} more", extra, extra == more.size() ? " or" : "")});
  }
  return values;
}

void write_idx_file(const at::Tensor& values, const fs::path& file) {
  const at::Tensor source = values.contiguous();
  std::string bytes{'\0', '\0', static_cast<char>(unsigned_byte), static_cast<char>(source.dim())};
  for (const std::int64_t size : source.sizes()) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  }
  bytes.append(reinterpret_cast<const char*>(source.data_ptr<std::uint8_t>()),
               static_cast<std::size_t>(source.numel()));
  write_file(file, bytes);
}

}  // namespace descramble
