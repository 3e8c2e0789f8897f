#pragma once

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/ivalue.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/core/random.h"
#include "descramble/model/model.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {

/// One archive of tests/fixtures, as index.json describes it.
struct Fixture {
  std::string name{};
  nlohmann::json facts{};

  std::filesystem::path file() const {
    return std::filesystem::path(DESCRAMBLE_FIXTURES) / (name + ".pt");
  }
  Model load() const { return load_model(file()); }
  bool flag(const char* fact) const { return facts.value(fact, false); }
  /// Loads and has a forward.
  bool opens() const {
    return facts.value("load", true) && facts.value("method", "forward") == std::string("forward");
  }
  /// Opens and then runs on a CPU.
  bool runs() const { return opens() && facts.value("run", true); }

  /// Example inputs; another `variant`, other numbers. Variant 1 is the negated variant 0.
  std::vector<c10::IValue> inputs(std::uint64_t variant = 0) const {
    RandomStream stream = random_stream(1, "fixture/" + name, variant / 2);
    std::vector<c10::IValue> values;
    for (const auto& spec : facts.at("inputs"))
      values.push_back(example(spec, stream, variant % 2 == 1));
    return values;
  }

 private:
  static c10::IValue example(const nlohmann::json& spec, RandomStream& stream, bool negate) {
    const std::string kind = spec.at("kind");
    if (kind == "tensor") {
      const auto shape = spec.at("shape").get<std::vector<std::int64_t>>();
      const at::ScalarType dtype = parse_dtype(spec.at("dtype"));
      if (spec.contains("below"))
        return stream.uniform_tensor(shape, 0, spec.at("below").get<double>()).floor().to(dtype);
      at::Tensor value = stream.normal_tensor(shape);
      if (value.sum().item<double>() < 0) value = -value;
      return (negate ? -value : value).to(dtype);
    }
    if (kind == "value") {
      const nlohmann::json& value = spec.at("value");
      if (value.is_null()) return {};
      if (value.is_boolean()) return value.get<bool>();
      if (value.is_number_integer()) return value.get<std::int64_t>();
      return value.get<double>();
    }
    std::vector<c10::IValue> items;
    for (const auto& item : spec.at("items")) items.push_back(example(item, stream, negate));
    if (kind == "tuple") return c10::ivalue::Tuple::create(std::move(items));
    if (kind == "list") {
      c10::List<at::Tensor> list;
      for (const c10::IValue& item : items) list.push_back(item.toTensor());
      return list;
    }
    c10::Dict<std::string, at::Tensor> dict;
    for (std::size_t i = 0; i < items.size(); ++i)
      dict.insert(spec.at("keys").at(i).get<std::string>(), items[i].toTensor());
    return dict;
  }
};

inline const std::vector<Fixture>& fixtures() {
  static const std::vector<Fixture> all = [] {
    std::vector<Fixture> found;
    const auto index = read_json(std::filesystem::path(DESCRAMBLE_FIXTURES) / "index.json");
    for (const auto& entry : index.items()) found.push_back({entry.key(), entry.value()});
    return found;
  }();
  return all;
}

inline const Fixture& fixture(const std::string& name) {
  for (const Fixture& candidate : fixtures()) {
    if (candidate.name == name) return candidate;
  }
  throw std::runtime_error("no fixture " + name);
}

template <typename Condition>
std::vector<std::string> fixture_names(Condition condition) {
  std::vector<std::string> names;
  for (const Fixture& candidate : fixtures()) {
    if (condition(candidate)) names.push_back(candidate.name);
  }
  return names;
}

/// Every tensor within a value, in order.
inline void collect_tensors(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& item : value.toTupleRef().elements()) collect_tensors(item, tensors);
  } else if (value.isList()) {
    for (const c10::IValue& item : value.toListRef()) collect_tensors(item, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) collect_tensors(entry.value(), tensors);
  }
}

inline std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  std::vector<at::Tensor> tensors;
  collect_tensors(value, tensors);
  return tensors;
}

inline std::vector<at::Tensor> tensors_of(const std::vector<c10::IValue>& values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) collect_tensors(value, tensors);
  return tensors;
}

/// The tensors of a fixture's example inputs with the names that a data set gives them.
inline std::vector<std::pair<std::string, at::Tensor>> named_inputs(const Fixture& fixture,
                                                                    std::uint64_t variant) {
  const std::vector<std::string> names =
      fixture.facts.value("names", std::vector<std::string>{"x", "h", "c", "d"});
  std::vector<std::pair<std::string, at::Tensor>> result;
  const std::vector<c10::IValue> values = fixture.inputs(variant);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const nlohmann::json& spec = fixture.facts.at("inputs").at(i);
    const std::vector<at::Tensor> tensors = tensors_of(values[i]);
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      const std::string name =
          spec.contains("keys") ? spec["keys"][k].get<std::string>() : names.at(result.size());
      result.emplace_back(name, tensors[k]);
    }
  }
  return result;
}

/// Same dtype, shape and bits.
inline bool bit_equal(const at::Tensor& a, const at::Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor left = a.detach().contiguous();
  const at::Tensor right = b.detach().contiguous();
  return std::memcmp(left.data_ptr(), right.data_ptr(), left.nbytes()) == 0;
}

/// Same type, same tensors bit for bit.
inline bool bit_equal(const c10::IValue& a, const c10::IValue& b) {
  if (a.tagKind() != b.tagKind()) return false;
  if (a.isNone() || a.isFuture()) return true;
  const auto left = tensors_of(a);
  const auto right = tensors_of(b);
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!bit_equal(left[i], right[i])) return false;
  }
  if (a.isInt()) return a.toInt() == b.toInt();
  return true;
}

inline std::vector<c10::IValue> copies(const std::vector<c10::IValue>& values) {
  std::vector<c10::IValue> result;
  for (const c10::IValue& value : values)
    result.push_back(value.isFuture() ? value : value.deepcopy());
  return result;
}

/// max|a − b| / max|b| over the floating tensors of two values, in float64.
inline at::Tensor numbers_of(const at::Tensor& value) {
  return (value.is_quantized() ? value.dequantize() : value).to(at::kDouble);
}

inline double relative_distance(const c10::IValue& a, const c10::IValue& b) {
  const auto left = tensors_of(a);
  const auto right = tensors_of(b);
  if (left.size() != right.size()) return 1e300;
  double worst = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].sizes() != right[i].sizes()) return 1e300;
    if (right[i].numel() == 0) continue;
    const double scale = numbers_of(right[i]).abs().max().item<double>();
    const double difference =
        (numbers_of(left[i]) - numbers_of(right[i])).abs().max().item<double>();
    if (!(difference <= 0)) worst = std::max(worst, difference / (scale > 0 ? scale : 1));
  }
  return worst;
}

/// Names a parametrised test by its fixture.
inline std::string by_name(const ::testing::TestParamInfo<std::string>& tested) {
  return tested.param;
}

}  // namespace descramble::test
