#include "descramble/core/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <tuple>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"

// The format is a length, a JSON header and raw bytes; no C++ library for it is in the
// distribution.

namespace descramble {

using nlohmann::json;

namespace {

struct TypeName {
  at::ScalarType type;
  const char* name;
};

constexpr TypeName type_names[] = {{at::kDouble, "F64"},    {at::kFloat, "F32"}, {at::kHalf, "F16"},
                                   {at::kBFloat16, "BF16"}, {at::kLong, "I64"},  {at::kInt, "I32"},
                                   {at::kShort, "I16"},     {at::kChar, "I8"},   {at::kByte, "U8"},
                                   {at::kBool, "BOOL"}};

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

/// The header's entry for one tensor, checked for consistency.
struct HeaderEntry {
  std::string name;
  at::ScalarType type;
  std::vector<std::int64_t> shape;
  std::size_t begin;
  std::size_t end;
};

/// A list of non-negative integers; nlohmann would turn -1, 3.7 and true into some.
std::vector<std::int64_t> sizes_of(const json& list) {
  std::vector<std::int64_t> sizes;
  if (!list.is_array()) throw std::invalid_argument("a list");
  for (const json& item : list) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > INT64_MAX)
      throw std::invalid_argument("sizes");
    sizes.push_back(item.get<std::int64_t>());
  }
  return sizes;
}

}  // namespace

void save_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  // Wider elements first, as the format's own writer has it, so that every tensor is aligned.
  std::vector<std::pair<std::string, at::Tensor>> order;
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__")
      throw Error({"cannot save a tensor of this name", file.string(), "another", name});
    if (!tensor.defined() || tensor.layout() != at::kStrided ||
        name_of(tensor.scalar_type()) == nullptr) {
      throw Error({"cannot save tensor '" + name + "'", file.string(),
                   "a dense tensor of a float, integer or bool dtype",
                   !tensor.defined()                 ? "an undefined one"
                   : tensor.layout() != at::kStrided ? "a sparse one"
                                                     : c10::toString(tensor.scalar_type())});
    }
    order.emplace_back(name, tensor.detach());
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });

  std::vector<StreamedTensor> streamed;
  for (const auto& [name, tensor] : order) {
    streamed.push_back(
        {name, tensor.scalar_type(), tensor.sizes().vec(), [tensor = tensor](const PutBytes& put) {
           const at::Tensor plain = tensor.cpu().contiguous();
           if (plain.nbytes() > 0)
             put({static_cast<const char*>(plain.data_ptr()), plain.nbytes()});
         }});
  }
  save_safetensors(file, streamed, metadata);
}

void save_safetensors(const std::filesystem::path& file, const std::vector<StreamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::vector<std::size_t> ends;
  std::size_t size = 0;
  for (const StreamedTensor& tensor : tensors) {
    std::size_t bytes = c10::elementSize(tensor.dtype);
    for (const std::int64_t one : tensor.shape) bytes *= static_cast<std::size_t>(one);
    header[tensor.name] = {{"dtype", name_of(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {size, size + bytes}}};
    size += bytes;
    ends.push_back(size);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& error) {  // a name that is not UTF-8
    throw Error({"cannot save tensors", file.string(), "UTF-8 names", first_line(error.what())});
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length;
  for (std::size_t i = 0; i < 8; ++i) length += static_cast<char>((text.size() >> (8 * i)) & 0xff);
  write_file(file, [&](const PutBytes& put) {
    put(length);
    put(text);
    std::size_t written = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].fill([&](std::string_view bytes) {
        written += bytes.size();
        put(bytes);
      });
      if (written != ends[i]) {
        throw Failure({"a tensor of another size than announced", tensors[i].name,
                       std::to_string(ends[i]), std::to_string(written)});
      }
    }
  });
}

namespace {

/// Reads one file of tensors.
class TensorReader {
 public:
  explicit TensorReader(const std::filesystem::path& file) : file_(file), reader_(file) {}

  NamedTensors read() {
    const json header = read_header();
    std::vector<HeaderEntry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        const bool texts =
            value.is_object() && std::all_of(value.begin(), value.end(),
                                             [](const json& item) { return item.is_string(); });
        if (!texts) throw refusal("texts in __metadata__", describe(value));
        continue;
      }
      entries.push_back(entry_of(name, value));
    }
    std::sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    require_cover(entries);
    NamedTensors tensors;
    for (const HeaderEntry& entry : entries) tensors.emplace(entry.name, read_tensor(entry));
    return tensors;
  }

 private:
  Error refusal(const std::string& expected, const std::string& found) const {
    return Error({"not a safetensors file", file_.string(), expected, found});
  }

  json read_header() {
    if (reader_.size() < 8) throw refusal("at least 8 bytes", fmt::format("{}", reader_.size()));
    unsigned char first[8];
    reader_.read(first, sizeof first);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{first[i]} << (8 * i);
    if (length > reader_.size() - 8) {
      throw refusal(fmt::format("a header of at most {} bytes", reader_.size() - 8),
                    fmt::format("{}", length));
    }
    std::string text(length, ' ');
    reader_.read(text.data(), text.size());
    json header = parse_json(text, file_.string());
    if (!header.is_object()) throw refusal("a JSON object as header", describe(header));
    data_size_ = reader_.size() - 8 - length;
    return header;
  }

  HeaderEntry entry_of(const std::string& name, const json& value) const {
    HeaderEntry entry{};
    try {
      const TypeName* type = type_of(value.at("dtype").get<std::string>());
      if (type == nullptr)
        throw refusal("a known dtype for '" + name + "'", describe(value.at("dtype")));
      const std::vector<std::int64_t> offsets = sizes_of(value.at("data_offsets"));
      if (offsets.size() != 2) throw std::invalid_argument("two offsets");
      entry = {name, type->type, sizes_of(value.at("shape")), static_cast<std::size_t>(offsets[0]),
               static_cast<std::size_t>(offsets[1])};
    } catch (const json::exception&) {
      throw refusal("dtype, shape and data_offsets for '" + name + "'", describe(value));
    } catch (const std::invalid_argument&) {
      throw refusal("shape and two data_offsets of integers >= 0 for '" + name + "'", value.dump());
    }
    std::size_t needed = c10::elementSize(entry.type);
    for (const std::int64_t one : entry.shape) {
      if (__builtin_mul_overflow(needed, static_cast<std::size_t>(one), &needed)) {
        throw refusal("a shape that fits in memory for '" + name + "'", value.at("shape").dump());
      }
    }
    if (entry.begin > entry.end || entry.end > data_size_ || entry.end - entry.begin != needed) {
      throw refusal(fmt::format("{} bytes for '{}' within {}", needed, name, data_size_),
                    value.at("data_offsets").dump());
    }
    return entry;
  }

  /// Together the tensors cover the data, each byte once.
  void require_cover(const std::vector<HeaderEntry>& entries) const {
    std::size_t covered = 0;
    for (const HeaderEntry& entry : entries) {
      if (entry.begin != covered) {
        throw refusal(fmt::format("'{}' to begin at byte {}", entry.name, covered),
                      fmt::format("{}", entry.begin));
      }
      covered = entry.end;
    }
    if (covered != data_size_)
      throw refusal(fmt::format("{} bytes of data", covered), fmt::format("{}", data_size_));
  }

  /// The next one in the file.
  at::Tensor read_tensor(const HeaderEntry& entry) {
    at::Tensor tensor = at::empty(entry.shape, entry.type);
    const std::size_t size = entry.end - entry.begin;
    auto* raw = static_cast<char*>(tensor.data_ptr());
    if (size > 0) reader_.read(raw, size);
    if (entry.type == at::kBool &&
        std::any_of(raw, raw + size, [](char byte) { return byte != 0 && byte != 1; })) {
      throw refusal("0 or 1 in '" + entry.name + "'", "another byte");
    }
    return tensor;
  }

  const std::filesystem::path& file_;
  FileReader reader_;
  std::size_t data_size_ = 0;
};

}  // namespace

NamedTensors load_safetensors(const std::filesystem::path& file) {
  return TensorReader(file).read();
}

}  // namespace descramble
