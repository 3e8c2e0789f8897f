#include "descramble/model/sequential.h"

#include <cctype>
#include <map>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "torchscript/layer.h"
#include "torchscript/torchscript.h"

namespace descramble {

using nlohmann::json;

namespace {

using Shape = std::vector<std::int64_t>;

void require_name(const std::string& name, const std::string& pointer,
                  const std::set<std::string>& taken) {
  const bool identifier =
      !name.empty() && (std::isalpha(static_cast<unsigned char>(name[0])) || name[0] == '_') &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
          std::string::npos;
  if (!identifier)
    throw Error({"bad layer name", pointer + "/name", "letters, digits and _", "'" + name + "'"});
  static const std::set<std::string> reserved = {
      "training", "forward", "self",   "x",      "and",  "as",     "assert", "break", "class",
      "continue", "def",     "del",    "elif",   "else", "except", "False",  "for",   "from",
      "global",   "if",      "import", "in",     "is",   "lambda", "None",   "not",   "or",
      "pass",     "print",   "raise",  "return", "True", "while",  "with",   "yield"};
  if (taken.contains(name) || reserved.contains(name)) {
    throw Error({"bad layer name", pointer + "/name", "a name of its own",
                 "'" + name + "' again or reserved"});
  }
}

LayerBuild layer_build(const json& fields, const Shape& input, torch::jit::Module& layer,
                       RandomStream& stream) {
  return {.settings = fields,
          .input = input,
          .stream = stream,
          .parameter =
              [&layer](const std::string& name, const at::Tensor& value) {
                layer.register_parameter(name, value.to(at::kFloat).set_requires_grad(true), false);
              },
          .buffer =
              [&layer](const std::string& name, const at::Tensor& value) {
                layer.register_buffer(name, value.to(at::kFloat));
              },
          .forward =
              [&layer](const std::string& expression) {
                layer.define("def forward(self, x):\n    return " + expression + "\n");
              }};
}

}  // namespace

Model build_sequential(const json& resolved, std::uint64_t seed, const std::string& device) {
  auto script = std::make_shared<TorchScript>();
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  script->name = "sequential";
  script->module =
      torch::jit::Module(c10::QualifiedName("__torch__.descramble.Sequential"), unit, true);
  script->module.register_attribute("training", c10::BoolType::get(), true);
  Shape shape = resolved.at("input").get<Shape>();
  if (shape.empty())
    throw Error({"wrong input shape", "/model/input", "at least one size", "none"});
  at::NoGradGuard no_grad;
  std::string body = "def forward(self, x):\n";
  std::set<std::string> taken;
  std::map<std::string, int> counts;
  const json& layers = resolved.at("layers");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string pointer = fmt::format("/model/layers/{}", i);
    const LayerKind& kind = layer_kind(layers[i].at("kind"));
    const std::string name = layers[i].at("name").is_string()
                                 ? layers[i].at("name").get<std::string>()
                                 : fmt::format("{}{}", kind.info.name, ++counts[kind.info.name]);
    require_name(name, pointer, taken);
    taken.insert(name);
    if (kind.only_images && shape.size() != 3) {
      throw Error({"layer '" + name + "' does not fit", pointer,
                   "a sample of channels x height x width",
                   fmt::format("{}", fmt::join(shape, "x"))});
    }
    torch::jit::Module layer(c10::QualifiedName("__torch__.torch.nn.modules." + kind.class_name),
                             unit, true);
    layer.register_attribute("training", c10::BoolType::get(), true);
    RandomStream stream = random_stream(seed, "init/" + name);
    try {
      kind.build(layer_build(layers[i], shape, layer, stream));
      Shape batch = shape;
      batch.insert(batch.begin(), 2);
      layer.eval();
      const at::Tensor output = layer.forward({at::zeros(batch)}).toTensor();
      layer.train();
      shape = output.sizes().slice(1).vec();
      if (output.numel() == 0)
        throw Error({"nothing left of a sample", "", "a size of at least 1", shape_text(output)});
    } catch (const std::exception& error) {
      throw Error({"layer '" + name + "' cannot be built for a sample of " +
                       fmt::format("{}", fmt::join(shape, "x")),
                   pointer, "", interpreter_message(error)});
    }
    script->module.register_module(name, layer);
    body += "    x = self." + name + ".forward(x)\n";
  }
  script->module.define(body + "    return x\n");
  script->device = parse_device(device);
  script->module.to(script->device);
  script->module.eval();
  return model_of(std::move(script));
}

}  // namespace descramble
