#include "data/support.h"

#include <cstdio>
#include <fstream>
#include <numeric>

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <unistd.h>
#include <zlib.h>

namespace descramble::test {

namespace fs = std::filesystem;

Source open(const nlohmann::json& value, const DataContext& context) {
  return open_source(resolve_kind(source_family(), value, context.pointer), context);
}

bool bit_equal(const at::Tensor& a, const at::Tensor& b) {
  return a.dtype() == b.dtype() && at::equal(a, b);
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

void expect_invariants(const DataSet& data) {
  ASSERT_GE(data.size(), 2);
  const std::int64_t count = std::min<std::int64_t>(data.size(), 40);
  const Batch all = data.slice(0, count);
  const Batch again = data.slice(0, count);
  std::vector<std::int64_t> backwards(static_cast<std::size_t>(count));
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  const Batch reversed = data.gather(backwards);
  ASSERT_FALSE(all.inputs.empty());
  for (std::size_t i = 0; i < all.inputs.size(); ++i) {
    EXPECT_EQ(all.inputs[i].size(0), count);
    EXPECT_TRUE(bit_equal(all.inputs[i], again.inputs.at(i)));
    EXPECT_TRUE(bit_equal(all.inputs[i].flip(0), reversed.inputs.at(i)));
    EXPECT_TRUE(bit_equal(all.inputs[i].slice(0, 1, 2), data.gather({1}).inputs.at(i)));
  }
  EXPECT_EQ(all.labels.defined(), data.has_labels());
  if (data.has_labels()) {
    EXPECT_EQ(all.labels.size(0), count);
    EXPECT_TRUE(bit_equal(all.labels.flip(0), reversed.labels));
    if (!all.labels.is_floating_point()) {
      EXPECT_EQ(all.labels.dtype(), at::kLong);
      EXPECT_EQ(all.labels.dim(), 1);
      EXPECT_GE(all.labels.min().item<std::int64_t>(), 0);
    }
  }
  EXPECT_EQ(data.gather({0, 0}).inputs[0].size(0), 2);
  EXPECT_EQ(data.gather({}).inputs.at(0).size(0), 0);
  EXPECT_THAT([&] { data.gather({data.size()}); }, ThrowsError("no such sample", "0 to"));
  EXPECT_THAT([&] { data.gather({-1}); }, ThrowsError("no such sample", "found -1"));
  EXPECT_THAT([&] { data.slice(1, data.size() + 1); }, ThrowsError("no such samples"));
  EXPECT_THAT([&] { data.slice(1, 0); }, ThrowsError("no such samples"));
}

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream stream(file, std::ios::binary);
  stream << bytes;
  ASSERT_TRUE(stream.flush()) << file;
}

void write_gzipped(const fs::path& file, const std::string& bytes) {
  gzFile stream = gzopen(file.c_str(), "wb");
  ASSERT_NE(stream, nullptr) << file;
  EXPECT_EQ(gzwrite(stream, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(stream), Z_OK);
}

std::string idx(const std::vector<std::uint32_t>& dimensions, const std::string& data,
                unsigned char type) {
  std::string bytes{'\0', '\0', static_cast<char>(type), static_cast<char>(dimensions.size())};
  for (const std::uint32_t size : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  }
  return bytes + data;
}

std::string without_data(const std::string& wanted) {
  const std::string line = "DESCRAMBLE_DATA is not set: " + wanted + " is not read";
  std::printf("[ DATA     ] %s\n", line.c_str());
  return line;
}

}  // namespace descramble::test
