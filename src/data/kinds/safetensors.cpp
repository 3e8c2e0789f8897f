#include <ATen/ops/index_select.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/preparation.h"
#include "data/samples.h"
#include "data/tensor_file.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

class TensorSet : public DataSet {
 public:
  TensorSet(std::vector<std::string> names, Batch all, InputFile file)
      : names_(std::move(names)), all_(std::move(all)), file_(std::move(file)) {}

  std::int64_t size() const override { return all_.inputs.front().size(0); }
  bool has_labels() const override { return all_.labels.defined(); }
  std::vector<InputFile> files() const override { return {file_}; }
  std::vector<std::string> input_names() const override { return names_; }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size());
    const at::Tensor index = int64_tensor(indices);
    Batch batch;
    for (const at::Tensor& input : all_.inputs)
      batch.inputs.push_back(at::index_select(input, 0, index));
    if (has_labels()) batch.labels = at::index_select(all_.labels, 0, index);
    return batch;
  }

 private:
  std::vector<std::string> names_;
  Batch all_;
  InputFile file_;
};

std::string found_text(const at::Tensor& tensor) {
  return fmt::format("{} of shape [{}]", c10::toString(tensor.scalar_type()),
                     fmt::join(tensor.sizes(), ", "));
}

/// Classes as int64, targets as they are.
at::Tensor checked_labels(const at::Tensor& labels, const std::string& where) {
  if (labels.is_floating_point()) return labels;
  if (!at::isIntegralType(labels.scalar_type(), false) || labels.dim() != 1) {
    throw Error({"not labels", where,
                 "integers of shape [N] (classes), or floating-point numbers of shape [N, ...]",
                 found_text(labels)});
  }
  const at::Tensor classes = labels.to(at::kLong);
  if (const auto least = classes.min().item<std::int64_t>(); least < 0)
    throw Error({"not labels", where, "classes >= 0", std::to_string(least)});
  return classes;
}

std::shared_ptr<const DataSet> open_safetensors(const Settings& settings,
                                                const DataContext& context) {
  InputFile source = find_tensor_file("tensors", settings.text("path"), context.paths,
                                      join_pointer(context.pointer, "path"));
  const std::filesystem::path file = source.path;
  const NamedTensors tensors = load_safetensors(file);
  const std::vector<std::string> names = settings.texts("inputs");
  Batch all;
  const auto read = [&](const std::string& name) {
    at::Tensor tensor = find_tensor(tensors, name, file);
    const std::string where = fmt::format("'{}' in {}", name, file.string());
    if (tensor.dim() == 0 || tensor.size(0) == 0)
      throw Error({"no samples in the tensor", where, "at least one, as its first dimension",
                   found_text(tensor)});
    if (!all.inputs.empty() && tensor.size(0) != all.inputs.front().size(0)) {
      throw Error({"tensors differ in number of samples", where,
                   fmt::format("{}, as '{}' has", all.inputs.front().size(0), names.front()),
                   std::to_string(tensor.size(0))});
    }
    return tensor;
  };
  for (const std::string& name : names) all.inputs.push_back(read(name));
  if (const auto name = settings.find_text("labels"))
    all.labels = checked_labels(read(*name), fmt::format("'{}' in {}", *name, file.string()));
  return std::make_shared<TensorSet>(names, std::move(all), std::move(source));
}

const FieldSet& prepare_fields() {
  static const FieldSet set = [] {
    FieldSet result{
        "prepare",
        {{.name = "input", .type = FieldType::string, .doc = "the input that this is for"}}};
    for (Field& field : preparation_fields(nullptr)) result.fields.push_back(std::move(field));
    return result;
  }();
  return set;
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  return names;
}

/// Tensors that bear the arguments' names, else all but the labels, in the order of their names.
std::optional<Settings> guess_safetensors(const std::filesystem::path& path,
                                          const DataHints& hints) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = folder ? path / "tensors.safetensors" : path;
  if (file.extension() != ".safetensors" || !std::filesystem::is_regular_file(file, ignored))
    return std::nullopt;
  const NamedTensors tensors = load_safetensors(file);
  std::string labels;
  for (const char* name : {"label", "labels", "class", "classes", "target", "targets", "y"}) {
    if (!tensors.contains(name)) continue;
    labels = name;
    break;
  }
  std::vector<std::string> inputs;
  for (const std::string& name : hints.arguments) {
    if (tensors.contains(name) && labels != name) inputs.push_back(name);
  }
  if (inputs.empty()) {
    for (const auto& [name, tensor] : tensors) {
      if (tensor.dim() > 0 && labels != name) inputs.push_back(name);
    }
    // A model of one argument takes one tensor.
    if (hints.arguments.size() == 1 && inputs.size() > 1) inputs.resize(1);
  }
  if (inputs.empty()) {
    throw Error({"no tensors with samples", file.string(),
                 "at least one beside the labels, N x ...", quoted_list(names_of(tensors))});
  }
  SettingValues result = {{"kind", "safetensors"}, {"path", path.string()}, {"inputs", inputs}};
  if (!labels.empty()) result.emplace_back("labels", labels);
  return settings_of(result);
}

}  // namespace

const SourceKind& source_kind_safetensors() {
  static const SourceKind kind{
      .info = {.name = "safetensors",
               .summary = "tensors of a safetensors file, held in memory: inputs N x ... in their "
                          "own dtypes; labels are integers N (classes) or floating-point N x ... "
                          "(targets of a regression)",
               .fields = {{.name = "path",
                           .type = FieldType::path,
                           .doc = "the file, or a result folder (its tensors.safetensors)"},
                          {.name = "inputs",
                           .type = FieldType::names,
                           .doc = "the tensors that are the model's inputs, in its order"},
                          {.name = "labels",
                           .type = FieldType::string,
                           .doc = "the tensor of the labels; null: there are none",
                           .fallback = nullptr},
                          {.name = "prepare",
                           .type = FieldType::groups,
                           .doc = "list of {input, shape, scale, mean, std}, for single inputs; "
                                  "without an entry a "
                                  "floating-point input has those of the source, and an integer "
                                  "input stays as it is. An integer input with an entry for "
                                  "scale, mean or std becomes float32",
                           .fallback = Fallback::json("[]"),
                           .fields = prepare_fields}}},
      .open = open_safetensors,
      .guess = guess_safetensors};
  return kind;
}

}  // namespace descramble
