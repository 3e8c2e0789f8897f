#include "descramble/model/arguments.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/function_schema.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/model/network.h"
#include "model/fill.h"
#include "model/state.h"

namespace descramble {

using nlohmann::json;

namespace {

/// Reads what fills each argument of a method.
class Filling {
 public:
  Filling(const std::vector<std::string>& names, std::int64_t batch_dim, bool batched)
      : names_(names), batch_dim_(batch_dim), batched_(batched), used_(names.size(), false) {}

  /// Keeps an input from being handed out.
  void withhold(const std::string& name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found != names_.end()) used_[static_cast<std::size_t>(found - names_.begin())] = true;
  }

  /// Withholds the inputs that the value of an argument names.
  void reserve(const json& value, const c10::TypePtr& given) {
    const c10::TypePtr type = without_optional(given);
    if (takes_tensor(type)) {
      if (is_reference(value)) withhold(value.at("input"));
      return;
    }
    const auto& parts = type->containedTypes();
    if (!value.is_structured() || parts.empty()) return;
    std::size_t i = 0;
    // Of a dictionary the last is the type of its values.
    const bool is_tuple = type->kind() == c10::TypeKind::TupleType;
    for (const json& part : value) {
      reserve(part, is_tuple ? parts[std::min(i, parts.size() - 1)] : parts.back());
      ++i;
    }
  }

  Fill from_config(const json& value, const c10::TypePtr& type, const std::string& pointer) {
    const auto refuse = [&] {
      return Error(
          {"the value does not fit the argument", pointer, type->annotation_str(), value.dump()});
    };
    if (const auto optional = type->cast<c10::OptionalType>()) {
      if (value.is_null()) return constant(c10::IValue());
      return from_config(value, optional->getElementType(), pointer);
    }
    switch (type->kind()) {
      case c10::TypeKind::TensorType:
        if (!is_reference(value)) throw refuse();
        return from_reference(value, pointer);
      case c10::TypeKind::IntType:
        if (!is_integer(value)) throw refuse();
        return constant(value.get<std::int64_t>());
      case c10::TypeKind::FloatType:
        if (!value.is_number()) throw refuse();
        return constant(value.get<double>());
      case c10::TypeKind::NumberType:
        if (is_integer(value)) return constant(value.get<std::int64_t>());
        if (!value.is_number()) throw refuse();
        return constant(value.get<double>());
      case c10::TypeKind::BoolType:
        if (!value.is_boolean()) throw refuse();
        return constant(value.get<bool>());
      case c10::TypeKind::StringType:
        if (!value.is_string()) throw refuse();
        return constant(value.get<std::string>());
      case c10::TypeKind::NoneType:
        if (!value.is_null()) throw refuse();
        return constant(c10::IValue());
      case c10::TypeKind::TupleType:
        if (!value.is_array() || value.size() != type->containedTypes().size()) throw refuse();
        return tuple_fill(
            parts(value, pointer, [&](std::size_t i) { return type->containedType(i); }));
      case c10::TypeKind::ListType: {
        if (!value.is_array()) throw refuse();
        const c10::TypePtr element = type->containedType(0);
        return list_fill(parts(value, pointer, [&](std::size_t) { return element; }), element);
      }
      case c10::TypeKind::DictType: {
        if (!value.is_object() || type->containedType(0)->kind() != c10::TypeKind::StringType)
          throw refuse();
        std::vector<std::string> keys;
        std::vector<Fill> fills;
        for (const auto& [key, part] : value.items()) {
          keys.push_back(key);
          fills.push_back(from_config(part, type->containedType(1), join_pointer(pointer, key)));
        }
        return dictionary_fill(std::move(keys), std::move(fills), type->containedType(1));
      }
      default:
        throw refuse();
    }
  }

  /// From the inputs that are left; empty: none fit.
  Fill from_inputs(const c10::TypePtr& given) {
    const c10::TypePtr type = without_optional(given);
    const auto holds = [&](std::size_t i) {
      return type->containedType(i)->isSubtypeOf(*c10::TensorType::get());
    };
    if (takes_tensor(type)) {
      const auto next = take();
      return next ? tensor(*next, batch_dim_) : Fill();
    }
    if (type->kind() == c10::TypeKind::TupleType) {
      const std::size_t count = type->containedTypes().size();
      if (left().size() < count) return {};
      for (std::size_t i = 0; i < count; ++i) {
        if (!holds(i)) return {};
      }
      std::vector<Fill> fills;
      for (std::size_t i = 0; i < count; ++i) fills.push_back(tensor(*take(), batch_dim_));
      return tuple_fill(std::move(fills));
    }
    const bool is_list = type->kind() == c10::TypeKind::ListType && holds(0);
    const bool is_dict = type->kind() == c10::TypeKind::DictType && holds(1);
    if (!is_list && !is_dict) return {};
    std::vector<std::string> keys;
    std::vector<Fill> fills;
    for (auto next = take(); next; next = take()) {
      keys.push_back(names_[*next]);
      fills.push_back(tensor(*next, batch_dim_));
    }
    if (fills.empty()) return {};
    return is_list ? list_fill(std::move(fills), type->containedType(0))
                   : dictionary_fill(std::move(keys), std::move(fills), type->containedType(1));
  }

  std::vector<std::string> left() const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (!used_[i]) result.push_back(names_[i]);
    }
    return result;
  }

 private:
  static c10::TypePtr without_optional(const c10::TypePtr& type) {
    const auto optional = type->cast<c10::OptionalType>();
    return optional ? optional->getElementType() : type;
  }

  static bool takes_tensor(const c10::TypePtr& type) {
    return type->isSubtypeOf(*c10::TensorType::get()) || type->kind() == c10::TypeKind::AnyType;
  }

  /// JSON holds 64 bits without a sign, TorchScript 63 and a sign.
  static bool is_integer(const json& value) {
    return value.is_number_integer() &&
           (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  }

  static bool is_reference(const json& value) {
    return value.is_object() && value.contains("input") && value.at("input").is_string();
  }

  static Fill constant(c10::IValue value) {
    return [value = std::move(value)](const std::vector<at::Tensor>&) { return value; };
  }

  std::optional<std::size_t> take() {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) continue;
      used_[i] = true;
      return i;
    }
    return std::nullopt;
  }

  /// The data's input with its samples where the model expects them.
  Fill tensor(std::size_t which, std::int64_t batch_dim) const {
    return [which, batch_dim, batched = batched_](const std::vector<at::Tensor>& inputs) {
      const at::Tensor& input = inputs.at(which);
      if (!batched) return c10::IValue(input.squeeze(0));
      if (batch_dim == 0) return c10::IValue(input);
      if (batch_dim >= input.dim()) {
        throw Error({"the input has no such dimension for its samples", "batch_dim",
                     fmt::format("less than {}", input.dim()), std::to_string(batch_dim)});
      }
      return c10::IValue(input.movedim(0, batch_dim).contiguous());
    };
  }

  Fill from_reference(const json& value, const std::string& pointer) const {
    const std::string name = value.at("input");
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      throw Error({"the data have no such input", join_pointer(pointer, "input"),
                   "one of " + quoted_list(names_), "'" + name + "'"});
    }
    std::int64_t batch_dim = batch_dim_;
    for (const auto& [key, part] : value.items()) {
      if (key == "input") continue;
      if (key != "batch_dim" || !part.is_number_unsigned()) {
        throw Error({"unknown key", join_pointer(pointer, key),
                     "'input' and 'batch_dim' (an integer >= 0)", "'" + key + "'"});
      }
      batch_dim = part.get<std::int64_t>();
    }
    return tensor(static_cast<std::size_t>(found - names_.begin()), batch_dim);
  }

  template <typename TypeAt>
  std::vector<Fill> parts(const json& value, const std::string& pointer, const TypeAt& type_at) {
    std::vector<Fill> fills;
    for (std::size_t i = 0; i < value.size(); ++i)
      fills.push_back(from_config(value[i], type_at(i), join_pointer(pointer, std::to_string(i))));
    return fills;
  }

  std::vector<std::string> names_;
  std::int64_t batch_dim_;
  bool batched_;
  std::vector<bool> used_;
};

std::string signature(const c10::FunctionSchema& schema) {
  std::string text;
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
    text += (i == 1 ? "" : ", ") + schema.arguments()[i].name() + ": " +
            schema.arguments()[i].type()->annotation_str();
  }
  return text.empty() ? "no arguments" : text;
}

/// What fills each argument; nothing where inputs are left over.
std::optional<std::vector<Fill>> fill_arguments(const c10::FunctionSchema& schema,
                                                const json& arguments, Filling& filling,
                                                const std::vector<std::string>& names,
                                                const std::string& pointer) {
  const auto& all = schema.arguments();
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (arguments.contains(all[i].name()))
      filling.reserve(arguments.at(all[i].name()), all[i].type());
  }
  std::vector<Fill> fills;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const c10::Argument& argument = all[i];
    const std::string place = join_pointer(pointer, argument.name());
    if (arguments.contains(argument.name())) {
      fills.push_back(filling.from_config(arguments.at(argument.name()), argument.type(), place));
      continue;
    }
    Fill fill = filling.from_inputs(argument.type());
    if (!fill && argument.default_value()) {
      fill = [value = *argument.default_value()](const std::vector<at::Tensor>&) { return value; };
    }
    if (!fill) {
      throw Error({"nothing fills an argument of the model", place,
                   argument.type()->annotation_str() + ", given in the model's 'arguments'",
                   names.empty() ? "no input" : "the data's inputs " + quoted_list(names)});
    }
    fills.push_back(std::move(fill));
  }
  if (!filling.left().empty()) return std::nullopt;
  return fills;
}

/// A backend whose inputs have neither names nor types takes the data's inputs in order.
Model with_tensors(const Model& model, const json& arguments, const std::vector<std::string>& names,
                   std::int64_t batch_dim, bool batched, const std::string& pointer) {
  if (!arguments.empty()) {
    throw Error({"the model's inputs have no names", pointer, "no arguments",
                 "'" + arguments.items().begin().key() + "'"});
  }
  Filling filling(names, batch_dim, batched);
  std::vector<Fill> fills;
  while (!filling.left().empty()) fills.push_back(filling.from_inputs(c10::TensorType::get()));
  auto copy = std::make_shared<Model::State>(model.state());
  copy->fills = std::make_shared<const std::vector<Fill>>(std::move(fills));
  copy->batched = batched;
  return Model(std::move(copy));
}

}  // namespace

Model with_arguments(const Model& model, const json& arguments,
                     const std::vector<std::string>& names, std::int64_t batch_dim, bool batched,
                     const std::string& pointer, const std::vector<std::string>& spare) {
  if (model.network().schema() == nullptr)
    return with_tensors(model, arguments, names, batch_dim, batched, pointer);
  const c10::FunctionSchema& schema = *model.network().schema();
  for (const auto& [name, value] : arguments.items()) {
    const bool known =
        std::any_of(schema.arguments().begin() + 1, schema.arguments().end(),
                    [&name = name](const c10::Argument& one) { return one.name() == name; });
    if (known) continue;
    throw Error({"the model has no such argument", join_pointer(pointer, name), signature(schema),
                 "'" + name + "'"});
  }
  Filling filling(names, batch_dim, batched);
  auto fills = fill_arguments(schema, arguments, filling, names, pointer);
  if (!fills && !spare.empty()) {
    filling = Filling(names, batch_dim, batched);
    for (const std::string& name : spare) filling.withhold(name);
    fills = fill_arguments(schema, arguments, filling, names, pointer);
  }
  if (!fills) {
    throw Error({"the model does not take all inputs of the data", pointer, signature(schema),
                 quoted_list(filling.left()) + " left over"});
  }
  auto copy = std::make_shared<Model::State>(model.state());
  copy->fills = std::make_shared<const std::vector<Fill>>(std::move(*fills));
  copy->batched = batched;
  return Model(std::move(copy));
}

Model with_inputs(const Model& model, const std::vector<std::string>& names, std::int64_t batch_dim,
                  bool batched) {
  return with_arguments(model, nlohmann::json::object(), names, batch_dim, batched, "");
}

}  // namespace descramble
