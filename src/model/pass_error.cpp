#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "model/interpreter_message.h"
#include "model/state.h"

namespace descramble {

std::string interpreter_message(const std::exception& error) {
  const std::string text = error.what();
  // The interpreter's text is a stack; its last "RuntimeError: …", "builtins.ValueError: …" is the
  // reason.
  std::string found = text;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && line.find(' ') > colon &&
        (line.substr(0, colon).ends_with("Error") ||
         line.substr(0, colon).ends_with("Exception"))) {
      found = text.substr(begin + colon + 2);
    }
    begin = end + 1;
  }
  return first_line(found);
}

namespace {

std::string value_text(const c10::IValue& value) {
  if (value.isTensor()) return shape_text(value.toTensor());
  return value.type()->annotation_str();
}

bool contains(const std::string& text, std::initializer_list<const char*> signs) {
  return std::any_of(signs.begin(), signs.end(),
                     [&text](const char* sign) { return text.find(sign) != std::string::npos; });
}

/// Floating-point inputs of another dtype than the model's.
bool dtypes_differ(const Model& model, const std::vector<c10::IValue>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [&model](const c10::IValue& input) {
    return input.isTensor() && input.toTensor().is_floating_point() &&
           input.toTensor().scalar_type() != model.dtype();
  });
}

}  // namespace

Error input_error(const Model& model, const std::vector<c10::IValue>& inputs,
                  const std::exception& error) {
  std::vector<std::string> texts;
  for (const c10::IValue& input : inputs) texts.push_back(value_text(input));
  const std::string found = fmt::format("{}", fmt::join(texts, ", "));
  const std::string reason = interpreter_message(error);
  if (contains(reason, {"CUDA", "cuda", "Torch not compiled with", "No HIP"})) {
    return Error({"the model's code asks for a device of its own", model.name(),
                  "code that runs on '" + model.device().str() + "'", reason});
  }
  if (contains(reason, {"NoQEngine", "quantized engine", "Didn't find engine"})) {
    return Error({"this LibTorch has no engine for the model's quantised operators", model.name(),
                  "one of those that it was built with", reason});
  }
  // `raise` and `assert` in the archive's code; operators throw other exceptions.
  if (model.network().raised(error)) {
    return Error({"the model's own code raises an exception", model.name(),
                  "inputs that it takes, if it takes any (they were " + found + ")", reason});
  }
  if (dtypes_differ(model, inputs) &&
      contains(reason, {"dtype", "scalar type", "same type", "Input type", "data type", "Float",
                        "Double", "Half", "BFloat16"})) {
    return Error({"the inputs have another dtype than the model", model.name(),
                  dtype_name(model.dtype()) + ", or \"dtype\" in the config, which converts both",
                  found});
  }
  return Error({"the model does not take this input", model.name(),
                "what its layers take (" + reason + ")", found});
}

}  // namespace descramble
