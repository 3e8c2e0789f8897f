#include "descramble/model/example_inputs.h"

#include <charconv>

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "model/state.h"

namespace descramble {

InputSpec parse_input_spec(const std::string& text) {
  const auto refuse = [&text](const std::string& found) {
    return Error({"bad input", "--input " + text,
                  "[NAME=]SHAPE[:DTYPE] such as 1,3,224,224 or tokens=1,12:int64", found});
  };
  InputSpec spec;
  std::string rest = text;
  if (const auto equals = rest.find('='); equals != std::string::npos) {
    spec.name = rest.substr(0, equals);
    rest.erase(0, equals + 1);
    if (spec.name.empty()) throw refuse("an empty name");
  }
  if (const auto colon = rest.find(':'); colon != std::string::npos) {
    spec.dtype = rest.substr(colon + 1);
    rest.resize(colon);
    parse_dtype(spec.dtype);
  }
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t comma = std::min(rest.find(',', begin), rest.size());
    std::int64_t size = 0;
    const char* end = rest.data() + comma;
    const auto parsed = std::from_chars(rest.data() + begin, end, size);
    if (parsed.ec != std::errc() || parsed.ptr != end || size < 0)
      throw refuse("'" + rest.substr(begin, comma - begin) + "' for a size");
    spec.shape.push_back(size);
    begin = comma + 1;
  }
  return spec;
}

namespace {

at::Tensor example(const InputSpec& spec, const Model& model, RandomStream& stream) {
  const at::ScalarType dtype = spec.dtype.empty() ? model.dtype() : parse_dtype(spec.dtype);
  const at::Tensor value = at::isFloatingType(dtype) ? stream.normal_tensor(spec.shape).to(dtype)
                                                     : at::zeros(spec.shape, dtype);
  return value.to(model.device());
}

bool holds_many(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::TupleType || type->kind() == c10::TypeKind::ListType ||
         type->kind() == c10::TypeKind::DictType;
}

}  // namespace

std::vector<c10::IValue> example_inputs(const Model& model, const std::vector<InputSpec>& specs) {
  const auto& arguments =
      model.state().run_method().function().getSchema().arguments();
  RandomStream stream = random_stream(0, "example");
  std::vector<bool> used(specs.size(), false);
  std::string expected;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    expected +=
        (i == 1 ? "" : ", ") + arguments[i].name() + ": " + arguments[i].type()->annotation_str();
  }
  const auto refuse = [&](const std::string& found) {
    return Error({"the inputs do not fit the model", "--input",
                  expected.empty() ? "no inputs" : expected, found});
  };
  const auto named = [&](const std::string& name) -> const InputSpec* {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (!used[i] && specs[i].name == name) {
        used[i] = true;
        return &specs[i];
      }
    }
    return nullptr;
  };
  const auto next = [&]() -> const InputSpec* { return named(""); };
  std::vector<c10::IValue> values;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const c10::TypePtr& type = arguments[i].type();
    if (!holds_many(type)) {
      const InputSpec* spec = named(arguments[i].name());
      if (spec == nullptr) spec = next();
      if (spec == nullptr) {
        if (arguments[i].default_value()) {
          values.push_back(*arguments[i].default_value());
          continue;
        }
        throw refuse(fmt::format("nothing for '{}'", arguments[i].name()));
      }
      values.emplace_back(example(*spec, model, stream));
      continue;
    }
    if (type->kind() == c10::TypeKind::DictType) {
      c10::Dict<std::string, at::Tensor> dict;
      for (std::size_t k = 0; k < specs.size(); ++k) {
        if (used[k] || specs[k].name.empty()) continue;
        used[k] = true;
        dict.insert(specs[k].name, example(specs[k], model, stream));
      }
      values.emplace_back(dict);
      continue;
    }
    const std::size_t wanted =
        type->kind() == c10::TypeKind::TupleType ? type->containedTypes().size() : specs.size();
    std::vector<at::Tensor> tensors;
    while (tensors.size() < wanted) {
      const InputSpec* spec = next();
      if (spec == nullptr) break;
      tensors.push_back(example(*spec, model, stream));
    }
    if (type->kind() == c10::TypeKind::TupleType) {
      values.emplace_back(
          c10::ivalue::Tuple::create(std::vector<c10::IValue>(tensors.begin(), tensors.end())));
    } else {
      values.emplace_back(c10::List<at::Tensor>(tensors));
    }
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!used[i])
      throw refuse(specs[i].name.empty() ? "one input too many"
                                         : "no argument '" + specs[i].name + "'");
  }
  return values;
}

}  // namespace descramble
