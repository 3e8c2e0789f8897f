#include "descramble/core/safetensors.h"

#include <fstream>
#include <limits>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "descramble/core/files.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

std::string file_of(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

class Safetensors : public ::testing::Test {
 protected:
  NamedTensors load(const std::string& bytes) const {
    write_file(folder_ / "x.safetensors", bytes);
    return load_safetensors(folder_ / "x.safetensors");
  }
  std::string save(const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata = {}) const {
    save_safetensors(folder_ / "x.safetensors", tensors, metadata);
    return read_file(folder_ / "x.safetensors");
  }
  TemporaryFolder folder_;
};

TEST_F(Safetensors, KeepsEveryDtypeAndShape) {
  NamedTensors tensors;
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                                     at::kInt, at::kShort, at::kChar, at::kByte, at::kBool}) {
    const std::string name = c10::toString(dtype);
    const std::vector<std::vector<std::int64_t>> shapes{
        {}, {0}, {1}, {7}, {3, 0, 2}, {2, 3, 4}, {1, 1, 1, 1, 5}};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      tensors[name + "." + std::to_string(i)] =
          (at::randn(shapes[i], at::kDouble) * 3).abs().to(dtype);
    }
  }
  save(tensors);
  const NamedTensors back = load_safetensors(folder_ / "x.safetensors");
  ASSERT_EQ(back.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(back.at(name).dtype(), tensor.dtype()) << name;
    EXPECT_EQ(back.at(name).sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(back.at(name), tensor)) << name;
  }
}

TEST_F(Safetensors, KeepsOddNumbersAndViews) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  const at::Tensor odd = at::tensor({nan, infinity, -infinity, -0.0, 4.9e-324}, at::kDouble);
  const at::Tensor matrix = at::arange(12, at::kDouble).view({3, 4});
  save({{"odd", odd},
        {"transposed", matrix.t()},
        {"slice", matrix.slice(1, 1, 3)},
        {"same", matrix},
        {"expanded", at::ones({1}).expand({4})},
        {"grad", at::ones({2}).set_requires_grad(true)}});
  const NamedTensors back = load_safetensors(folder_ / "x.safetensors");
  EXPECT_TRUE(at::equal(back.at("odd").view(at::kLong), odd.view(at::kLong)));
  EXPECT_TRUE(at::equal(back.at("transposed"), matrix.t()));
  EXPECT_TRUE(at::equal(back.at("slice"), matrix.slice(1, 1, 3)));
  EXPECT_TRUE(at::equal(back.at("same"), matrix));
  EXPECT_EQ(back.at("expanded").sum().item<float>(), 4);
}

// The layout of huggingface/safetensors' README, by hand: eight bytes of length, JSON padded with
// spaces, data without gaps; wider elements first, so that every tensor is aligned.
TEST_F(Safetensors, IsLaidOutAsTheFormatSays) {
  const std::string bytes =
      save({{"a", at::tensor({1, 2, 3}, at::kByte)}, {"b", at::tensor({1.5, -2.0}, at::kDouble)}},
           {{"made", "here"}});
  const std::string header =
      R"({"__metadata__":{"made":"here"},"a":{"data_offsets":[16,19],"dtype":"U8","shape":[3]},)"
      R"("b":{"data_offsets":[0,16],"dtype":"F64","shape":[2]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  const std::string data("\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0\x01\x02\x03", 19);
  EXPECT_EQ(bytes,
            little_endian(padded) + header + std::string(padded - header.size(), ' ') + data);
}

TEST_F(Safetensors, OfNothingIsAFile) {
  EXPECT_EQ(save({}).substr(8, 2), "{}");
  EXPECT_TRUE(load_safetensors(folder_ / "x.safetensors").empty());
}

TEST_F(Safetensors, BytesDependOnTheContentAlone) {
  const at::Tensor a = at::arange(6, at::kDouble);
  const at::Tensor b = at::ones({3}, at::kFloat);
  NamedTensors one;
  one["b"] = b;
  one["a"] = a;
  NamedTensors other;
  other["a"] = a.view({2, 3}).t().contiguous().t().reshape({6});
  other["b"] = b.clone();
  EXPECT_EQ(save(one), save(other));
}

TEST_F(Safetensors, RefusesWhatItCannotSave) {
  EXPECT_THAT(
      [&] {
        save({{"z", at::zeros({2}, at::kComplexDouble)}});
      },
      ThrowsError("'z'", "ComplexDouble"));
  EXPECT_THAT([&] { save({{"z", at::Tensor()}}); }, ThrowsError("'z'", "undefined"));
  EXPECT_THAT([&] { save({{"z", at::eye(3).to_sparse()}}); }, ThrowsError("'z'", "sparse"));
  EXPECT_THAT([&] { save({{"__metadata__", at::eye(3)}}); }, ThrowsError("__metadata__"));
  EXPECT_THAT([&] { save({{"\xff", at::eye(3)}}); }, ThrowsError("UTF-8"));
  EXPECT_THAT(
      [&] {
        save_safetensors(folder_ / "none" / "x", {{"a", at::eye(2)}});
      },
      ThrowsWith<Failure>("cannot write", "No such file"));
  EXPECT_THAT(
      [] {
        save_safetensors("/dev/full", {{"a", at::eye(200)}});
      },
      ThrowsWith<Failure>("/dev/full", "No space left"));
}

TEST_F(Safetensors, RefusesDamagedFiles) {
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    EXPECT_THAT([&] { load(bytes); }, ThrowsError(part, "x.safetensors")) << bytes;
  };
  const std::string four(4, '\1');
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  ASSERT_EQ(load(file_of(entry("\"U8\"", "[4]", "[0,4]"), four)).at("a").numel(), 4);
  EXPECT_THAT([&] { load_safetensors(folder_ / "none"); }, ThrowsError("no such file", "none"));
  refused("", "at least 8 bytes");
  refused("1234567", "at least 8 bytes");
  refused(little_endian(100) + "{}", "a header of at most 2 bytes");
  refused(little_endian(UINT64_MAX) + "{}", "a header of at most 2 bytes");
  refused(file_of("", ""), "not valid JSON");
  refused(file_of("{", ""), "not valid JSON");
  refused(file_of("[]", ""), "a JSON object");
  refused(file_of(R"({"a":1})", ""), "for 'a'");
  refused(file_of(R"({"a":{}})", ""), "for 'a'");
  refused(
      file_of(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          "1"),
      "duplicate key 'a'");
  refused(file_of(R"({"__metadata__":[]})", ""), "__metadata__");
  refused(file_of(R"({"__metadata__":{"a":1}})", ""), "__metadata__");
  refused(file_of(entry("\"F65\"", "[4]", "[0,4]"), four), "a known dtype");
  refused(file_of(entry("1", "[4]", "[0,4]"), four), "for 'a'");
  for (const std::string shape : {"4", "[-4]", "[4.0]", "[true]", "[\"4\"]", "[null]", "{}"})
    refused(file_of(entry("\"U8\"", shape, "[0,4]"), four), "for 'a'");
  for (const std::string offsets : {"[0]", "[0,4,8]", "[-1,3]", "[0,4.0]", "4", "[0,true]"})
    refused(file_of(entry("\"U8\"", "[4]", offsets), four), "for 'a'");
  for (const std::string offsets : {"[0,3]", "[0,5]", "[1,5]", "[4,0]", "[0,18446744073709551615]"})
    refused(file_of(entry("\"U8\"", "[4]", offsets), four), "'a'");
  refused(file_of(entry("\"U8\"", "[3]", "[0,4]"), four), "3 bytes for 'a'");
  refused(file_of(entry("\"F64\"", "[2305843009213693952]", "[0,0]"), ""), "fits in memory");
  refused(file_of(entry("\"U8\"", "[4294967296,4294967296]", "[0,0]"), ""), "fits in memory");
  refused(file_of(entry("\"U8\"", "[3]", "[0,3]"), four), "3 bytes of data");
  refused(file_of(entry("\"U8\"", "[3]", "[1,4]"), four), "begin at byte 0");
  refused(
      file_of(
          R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})",
          four),
      "begin at byte 3");
  refused(file_of(entry("\"BOOL\"", "[4]", "[0,4]"), "\1\2\1\1"), "0 or 1");
}

TEST_F(Safetensors, RefusesEveryTruncation) {
  const std::string whole =
      save({{"a", at::ones({3}, at::kFloat)}, {"b", at::ones({2, 2}, at::kDouble)}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(load(whole.substr(0, size)), Error) << size;
  }
  EXPECT_THROW(load(whole + "x"), Error);
}

// Whatever one byte of the header becomes, the answer is tensors or an Error.
TEST_F(Safetensors, NeverFailsInAnotherWay) {
  const std::string whole =
      save({{"a", at::ones({3}, at::kFloat)}, {"b", at::ones({2, 0}, at::kDouble)}});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ flip);
      try {
        load(bytes);
      } catch (const Error&) {
      }
    }
  }
}

#ifdef __linux__
/// The most memory that the process has had, in MiB.
std::int64_t peak() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

TEST_F(Safetensors, AreNotPutTogetherInMemory) {
  constexpr std::int64_t mebibytes = 96;
  const at::Tensor large = at::ones({mebibytes << 18}, at::kFloat);
  const std::int64_t before = peak();
  save_safetensors(folder_ / "large", {{"large", large}});
  EXPECT_LT(peak() - before, mebibytes / 4);
  const NamedTensors loaded = load_safetensors(folder_ / "large");
  EXPECT_LT(peak() - before, mebibytes + mebibytes / 4);
  EXPECT_TRUE(loaded.at("large").equal(large));
}
#endif

}  // namespace
}  // namespace descramble::test
