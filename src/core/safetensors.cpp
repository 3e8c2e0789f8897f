#include "descramble/core/safetensors.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"

// The format is a length, a JSON header and raw bytes; no C++ library for it is in the distribution.

namespace descramble {

using nlohmann::json;

namespace {

struct TypeName {
  at::ScalarType type;
  const char* name;
};

constexpr TypeName type_names[] = {
    {at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kHalf, "F16"}, {at::kBFloat16, "BF16"},
    {at::kLong, "I64"},   {at::kInt, "I32"},   {at::kShort, "I16"}, {at::kChar, "I8"},
    {at::kByte, "U8"},    {at::kBool, "BOOL"}};

const char* name_of(at::ScalarType type) {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry.name;
  }
  return nullptr;
}

const TypeName* type_of(const std::string& name) {
  for (const TypeName& entry : type_names) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

}  // namespace

void save_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const char* type = name_of(tensor.scalar_type());
    if (type == nullptr) {
      throw Error({"cannot save tensor '" + name + "'", file.string(), "a float, integer or bool dtype",
                   c10::toString(tensor.scalar_type())});
    }
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
    header[name] = {{"dtype", type}, {"shape", plain.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>((text.size() >> (8 * i)) & 0xff);
  write_file(file, bytes + text + data);
}

NamedTensors load_safetensors(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  const auto refuse = [&file](const std::string& expected, const std::string& found) -> Error {
    return Error({"not a safetensors file", file.string(), expected, found});
  };
  if (bytes.size() < 8) throw refuse("at least 8 bytes", fmt::format("{}", bytes.size()));
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  if (length > bytes.size() - 8) {
    throw refuse(fmt::format("a header of at most {} bytes", bytes.size() - 8), fmt::format("{}", length));
  }
  const json header = parse_json(std::string_view(bytes).substr(8, length), file.string());
  if (!header.is_object()) throw refuse("a JSON object as header", describe(header));
  const std::size_t data_size = bytes.size() - 8 - length;
  const char* data = bytes.data() + 8 + length;
  NamedTensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    try {
      const TypeName* type = type_of(entry.at("dtype").get<std::string>());
      if (type == nullptr) throw refuse("a known dtype for '" + name + "'", entry.at("dtype").dump());
      const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
      const auto offsets = entry.at("data_offsets").get<std::vector<std::size_t>>();
      std::size_t numel = 1;
      for (const std::int64_t size : shape) {
        if (size < 0) throw refuse("non-negative sizes for '" + name + "'", fmt::format("{}", size));
        if (__builtin_mul_overflow(numel, static_cast<std::size_t>(size), &numel)) {
          throw refuse("a shape that fits in memory for '" + name + "'", entry.at("shape").dump());
        }
      }
      const std::size_t needed = numel * c10::elementSize(type->type);
      if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size ||
          offsets[1] - offsets[0] != needed) {
        throw refuse(fmt::format("{} bytes for '{}' within {}", needed, name, data_size),
                     entry.at("data_offsets").dump());
      }
      at::Tensor tensor = at::empty(shape, type->type);
      if (needed > 0) std::memcpy(tensor.data_ptr(), data + offsets[0], needed);
      tensors.emplace(name, tensor);
    } catch (const json::exception& error) {
      throw refuse("dtype, shape and data_offsets for '" + name + "'", first_line(error.what()));
    }
  }
  return tensors;
}

}  // namespace descramble
