#include "descramble/model/example_inputs.h"

#include <charconv>
#include <optional>

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/model/network.h"

namespace descramble {

namespace {

Error bad_input(const std::string& text, const std::string& found) {
  return Error({"bad input", "--input " + text,
                "[NAME=]SHAPE[:DTYPE[=VALUES]] such as 1,3,224,224, tokens=1,12:int64 or "
                "lengths=3:int64=5,4,2; [NAME=]VALUE for an argument that is no tensor",
                found});
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

/// Calls `take` with each part between commas; whether it took all of them.
template <typename Take>
bool each_part(std::string_view text, const Take& take) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    if (!take(text.substr(begin, comma - begin))) return false;
    begin = comma + 1;
  }
  return true;
}

/// SHAPE[:DTYPE[=VALUES]]; why it is none.
std::string parse_tensor(std::string rest, InputSpec& spec) {
  std::string values;
  if (const auto equals = rest.find('='); equals != std::string::npos) {
    values = rest.substr(equals + 1);
    rest.resize(equals);
    if (values.empty()) return "no values behind '='";
  }
  if (const auto colon = rest.find(':'); colon != std::string::npos) {
    spec.dtype = rest.substr(colon + 1);
    rest.resize(colon);
    parse_dtype(spec.dtype);
  }
  std::string wrong;
  const bool sizes = each_part(rest, [&](std::string_view part) {
    std::int64_t size = 0;
    wrong = part;
    if (!parse_number(part, size) || size < 0) return false;
    spec.shape.push_back(size);
    return true;
  });
  if (!sizes) return "'" + wrong + "' for a size";
  if (values.empty()) return "";
  const bool numbers = each_part(values, [&](std::string_view part) {
    double value = 0;
    wrong = part;
    if (!parse_number(part, value)) return false;
    spec.values.push_back(value);
    return true;
  });
  if (!numbers) return "'" + wrong + "' for a value";
  const auto count = c10::multiply_integers(spec.shape);
  if (static_cast<std::int64_t>(spec.values.size()) != count)
    return fmt::format("{} values for {} places", spec.values.size(), count);
  return "";
}

}  // namespace

InputSpec parse_input_spec(const std::string& text) {
  InputSpec spec;
  spec.text = text;
  const auto equals = text.find('=');
  // "3:int64=1,2,3" has no name: the colon comes first.
  if (equals != std::string::npos && text.find(':') > equals) {
    spec.name = text.substr(0, equals);
    spec.text = text.substr(equals + 1);
    if (spec.name.empty()) throw bad_input(text, "an empty name");
  }
  spec.defect = parse_tensor(spec.text, spec);
  return spec;
}

namespace {

at::Tensor example(const InputSpec& spec, const Model& model, RandomStream& stream) {
  if (!spec.defect.empty())
    throw bad_input((spec.name.empty() ? "" : spec.name + "=") + spec.text, spec.defect);
  const at::ScalarType dtype = spec.dtype.empty() ? model.dtype() : parse_dtype(spec.dtype);
  if (!spec.values.empty()) {
    return at::tensor(spec.values, at::kDouble).reshape(spec.shape).to(model.device(), dtype);
  }
  const at::Tensor value = at::isFloatingType(dtype) ? stream.normal_tensor(spec.shape).to(dtype)
                                                     : at::zeros(spec.shape, dtype);
  return value.to(model.device());
}

/// The value of an argument that is no tensor; nothing where it is one.
std::optional<c10::IValue> plain_value(const InputSpec& spec, c10::TypePtr type) {
  if (const auto optional = type->cast<c10::OptionalType>()) {
    if (spec.text == "none") return c10::IValue();
    type = optional->getElementType();
  }
  const auto refuse = [&] {
    return bad_input((spec.name.empty() ? "" : spec.name + "=") + spec.text,
                     "no " + type->annotation_str());
  };
  std::int64_t integer = 0;
  double number = 0;
  switch (type->kind()) {
    case c10::TypeKind::IntType:
      if (!parse_number(spec.text, integer)) throw refuse();
      return integer;
    case c10::TypeKind::FloatType:
      if (!parse_number(spec.text, number)) throw refuse();
      return number;
    case c10::TypeKind::NumberType:
      if (parse_number(spec.text, integer)) return integer;
      if (!parse_number(spec.text, number)) throw refuse();
      return number;
    case c10::TypeKind::BoolType:
      if (spec.text != "true" && spec.text != "false") throw refuse();
      return spec.text == "true";
    case c10::TypeKind::StringType:
      return spec.text;
    default:
      return std::nullopt;
  }
}

bool holds_many(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::TupleType || type->kind() == c10::TypeKind::ListType ||
         type->kind() == c10::TypeKind::DictType;
}

}  // namespace

std::vector<c10::IValue> example_inputs(const Model& model, const std::vector<InputSpec>& specs) {
  RandomStream stream = random_stream(0, "example");
  if (model.network().schema() == nullptr) {
    std::vector<c10::IValue> tensors;
    for (const InputSpec& spec : specs) tensors.emplace_back(example(spec, model, stream));
    return tensors;
  }
  const auto& arguments = model.network().schema()->arguments();
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
      const auto plain = plain_value(*spec, type);
      values.push_back(plain ? *plain : c10::IValue(example(*spec, model, stream)));
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
