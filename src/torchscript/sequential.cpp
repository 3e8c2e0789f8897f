#include "descramble/model/sequential.h"

#include <cmath>
#include <map>
#include <set>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "torchscript/torchscript.h"

namespace descramble {

using nlohmann::json;

namespace {

using Shape = std::vector<std::int64_t>;

/// A layer under construction: what it is given, and the module it becomes.
struct Build {
  const json& fields;
  Shape input;  ///< a sample's shape
  torch::jit::Module& module;
  RandomStream& stream;

  void parameter(const std::string& name, at::Tensor value) const {
    module.register_parameter(name, value.to(at::kFloat).set_requires_grad(true), false);
  }
  void buffer(const std::string& name, const at::Tensor& value) const {
    module.register_buffer(name, value.to(at::kFloat));
  }
  void forward(const std::string& expression) const {
    module.define("def forward(self, x):\n    return " + expression + "\n");
  }
};

struct LayerKind {
  KindInfo info;
  std::string class_name;  ///< under torch.nn.modules
  std::string ranks;       ///< what it takes, for errors; empty: anything
  bool (*fits)(const Shape& input);
  void (*build)(const Build& build);
};

bool any_shape(const Shape&) {
  return true;
}
bool is_image(const Shape& shape) {
  return shape.size() == 3;
}

/// torch.nn's default: U(−1/√fan_in, 1/√fan_in) for weight and bias.
void weight_and_bias(const Build& build, const Shape& sizes, std::int64_t fan_in, bool bias) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  build.parameter("weight", build.stream.uniform_tensor(sizes, -bound, bound));
  if (bias) build.parameter("bias", build.stream.uniform_tensor({sizes[0]}, -bound, bound));
}

template <const char* expression>
void plain(const Build& build) {
  build.forward(expression);
}

constexpr char relu_expression[] = "torch.relu(x)";
constexpr char tanh_expression[] = "torch.tanh(x)";
constexpr char sigmoid_expression[] = "torch.sigmoid(x)";
constexpr char gelu_expression[] = "torch.gelu(x)";
constexpr char flatten_expression[] = "torch.flatten(x, 1)";

void linear(const Build& build) {
  const bool bias = build.fields.at("bias");
  const std::int64_t out = build.fields.at("out");
  weight_and_bias(build, {out, build.input.back()}, build.input.back(), bias);
  build.forward(bias ? "torch.linear(x, self.weight, self.bias)" : "torch.linear(x, self.weight)");
}

void conv2d(const Build& build) {
  const std::int64_t out = build.fields.at("out");
  const std::int64_t kernel = build.fields.at("kernel");
  const std::int64_t groups = build.fields.at("groups");
  const std::int64_t channels = build.input[0];
  if (channels % groups != 0 || out % groups != 0) {
    throw Error({"groups do not divide the channels", "",
                 fmt::format("a divisor of {} and {}", channels, out), std::to_string(groups)});
  }
  const bool bias = build.fields.at("bias");
  weight_and_bias(build, {out, channels / groups, kernel, kernel},
                  channels / groups * kernel * kernel, bias);
  build.forward(
      fmt::format("torch.conv2d(x, self.weight, {0}, [{1}, {1}], [{2}, {2}], [1, 1], {3})",
                  bias ? "self.bias" : "None", build.fields.at("stride").get<std::int64_t>(),
                  build.fields.at("padding").get<std::int64_t>(), groups));
}

std::string pool_arguments(const Build& build) {
  const std::int64_t kernel = build.fields.at("kernel");
  const std::int64_t stride =
      build.fields.at("stride").is_null() ? kernel : build.fields.at("stride").get<std::int64_t>();
  return fmt::format("x, [{0}, {0}], [{1}, {1}], [{2}, {2}]", kernel, stride,
                     build.fields.at("padding").get<std::int64_t>());
}

void max_pool(const Build& build) {
  build.forward("torch.max_pool2d(" + pool_arguments(build) + ")");
}
void avg_pool(const Build& build) {
  // C++'s resolver knows torch.avg_pool2d only through torch._C._nn; the operator itself is
  // aten::avg_pool2d.
  build.forward("torch.avg_pool2d(" + pool_arguments(build) + ")");
}

void batch_norm(const Build& build) {
  const std::int64_t channels = build.input[0];
  build.parameter("weight", at::ones({channels}));
  build.parameter("bias", at::zeros({channels}));
  build.buffer("running_mean", at::zeros({channels}));
  build.buffer("running_var", at::ones({channels}));
  build.forward(fmt::format(
      "torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, "
      "self.training, {}, {}, False)",
      build.fields.at("momentum").get<double>(), build.fields.at("eps").get<double>()));
}

void dropout(const Build& build) {
  build.forward(
      fmt::format("torch.dropout(x, {:.17g}, self.training)", build.fields.at("p").get<double>()));
}

const Field bias_field{
    .name = "bias", .type = FieldType::boolean, .doc = "whether it adds a bias", .fallback = true};
const Field out_field{.name = "out",
                      .type = FieldType::integer,
                      .doc = "outputs (channels of a convolution)",
                      .minimum = 1};

Field integer_field(const char* name, const char* doc, std::optional<Fallback> fallback,
                    double minimum) {
  return {.name = name,
          .type = FieldType::integer,
          .doc = doc,
          .fallback = std::move(fallback),
          .minimum = minimum};
}

std::vector<Field> batch_norm_fields() {
  return {{.name = "momentum",
           .type = FieldType::number,
           .doc = "weight of the new batch in the running statistics",
           .fallback = 0.1,
           .minimum = 0,
           .maximum = 1},
          {.name = "eps",
           .type = FieldType::number,
           .doc = "added to the variance",
           .fallback = 1e-5,
           .minimum = 0}};
}

const std::vector<LayerKind>& layer_kinds() {
  static const std::vector<Field> pool = {
      integer_field("kernel", "side of the window", std::nullopt, 1),
      integer_field("stride", "step of the window; null: the kernel", nullptr, 1),
      integer_field("padding", "added on each side", 0, 0)};
  static const std::vector<LayerKind> kinds = {
      {{.name = "linear",
        .summary = "W x + b over the last dimension",
        .fields = {out_field, bias_field}},
       "linear.Linear",
       "",
       any_shape,
       linear},
      {{.name = "conv2d",
        .summary = "2-D convolution with a square kernel",
        .fields = {out_field, integer_field("kernel", "side of the kernel", std::nullopt, 1),
                   integer_field("stride", "step of the kernel", 1, 1),
                   integer_field("padding", "zeros added on each side", 0, 0),
                   integer_field("groups", "groups of channels that do not mix", 1, 1),
                   bias_field}},
       "conv.Conv2d",
       "channels x height x width",
       is_image,
       conv2d},
      {{.name = "relu", .summary = "max(x, 0)"},
       "activation.ReLU",
       "",
       any_shape,
       plain<relu_expression>},
      {{.name = "tanh", .summary = "tanh x"},
       "activation.Tanh",
       "",
       any_shape,
       plain<tanh_expression>},
      {{.name = "sigmoid", .summary = "1 / (1 + exp(-x))"},
       "activation.Sigmoid",
       "",
       any_shape,
       plain<sigmoid_expression>},
      {{.name = "gelu", .summary = "x times the normal distribution function of x"},
       "activation.GELU",
       "",
       any_shape,
       plain<gelu_expression>},
      {{.name = "flatten", .summary = "one vector a sample"},
       "flatten.Flatten",
       "",
       any_shape,
       plain<flatten_expression>},
      {{.name = "max_pool", .summary = "largest value of each window", .fields = pool},
       "pooling.MaxPool2d",
       "channels x height x width",
       is_image,
       max_pool},
      {{.name = "avg_pool", .summary = "mean of each window", .fields = pool},
       "pooling.AvgPool2d",
       "channels x height x width",
       is_image,
       avg_pool},
      {{.name = "batch_norm",
        .summary = "batch normalisation over the channels (the first dimension of a sample)",
        .fields = batch_norm_fields()},
       "batchnorm.BatchNorm2d",
       "",
       any_shape,
       batch_norm},
      {{.name = "dropout",
        .summary = "zeroes values at random while training",
        .fields = {{.name = "p",
                    .type = FieldType::number,
                    .doc = "probability of zero",
                    .fallback = 0.5,
                    .minimum = 0,
                    .maximum = 1}}},
       "dropout.Dropout",
       "",
       any_shape,
       dropout}};
  return kinds;
}

const LayerKind& layer_kind(const std::string& name) {
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.info.name == name) return kind;
  }
  throw Error({"unknown layer kind", "/model/layers", quoted_list(layer_family().names()), name});
}

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

}  // namespace

const KindFamily& layer_family() {
  static const KindFamily family = [] {
    KindFamily result{
        .title = "layer",
        .common = {{.name = "name",
                    .type = FieldType::string,
                    .doc = "name of the submodule, hence of its tap; null: kind and number",
                    .fallback = nullptr}}};
    for (const LayerKind& kind : layer_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

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
    if (!kind.fits(shape)) {
      throw Error({"layer '" + name + "' does not fit", pointer, "a sample of " + kind.ranks,
                   fmt::format("{}", fmt::join(shape, "x"))});
    }
    torch::jit::Module layer(c10::QualifiedName("__torch__.torch.nn.modules." + kind.class_name),
                             unit, true);
    layer.register_attribute("training", c10::BoolType::get(), true);
    RandomStream stream = random_stream(seed, "init/" + name);
    try {
      kind.build({layers[i], shape, layer, stream});
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
