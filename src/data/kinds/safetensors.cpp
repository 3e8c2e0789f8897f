#include <algorithm>

#include <fmt/format.h>

#include "data/held_tensors.h"
#include "data/preparation.h"
#include "data/tensor_file.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

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
    require_samples(tensor, all.inputs.empty() ? -1 : all.inputs.front().size(0), names.front(),
                    where);
    return tensor;
  };
  for (const std::string& name : names) all.inputs.push_back(read(name));
  if (const auto name = settings.find_text("labels"))
    all.labels = checked_labels(read(*name), fmt::format("'{}' in {}", *name, file.string()));
  return std::make_shared<HeldTensors>(names, std::move(all),
                                       std::vector<InputFile>{std::move(source)});
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

/// Tensors with the names of the arguments, else all but the labels, in the order of their names.
/// The tensor that is taken for the labels; empty: none.
std::string guess_labels(const NamedTensors& tensors, std::vector<std::string>& notes) {
  std::vector<std::string> found;
  for (const char* name : {"label", "labels", "class", "classes", "target", "targets", "y"}) {
    if (tensors.contains(name)) found.emplace_back(name);
  }
  if (found.empty()) return "";
  if (found.size() > 1) {
    notes.push_back("'" + found.front() + "' is taken for the labels; there are " +
                    quoted_list(found));
  }
  return found.front();
}

/// The tensors that are taken for the inputs: those that bear the arguments' names, else all but
/// the labels, as many as the model takes.
std::vector<std::string> guess_inputs(const NamedTensors& tensors, const std::string& labels,
                                      const DataHints& hints, std::vector<std::string>& notes) {
  std::vector<std::string> inputs;
  std::vector<std::string> others;
  for (const std::string& name : hints.arguments) {
    if (tensors.contains(name) && labels != name) inputs.push_back(name);
  }
  const bool named = !inputs.empty();
  for (const auto& [name, tensor] : tensors) {
    if (tensor.dim() == 0 || labels == name) continue;
    if (std::find(inputs.begin(), inputs.end(), name) == inputs.end()) others.push_back(name);
  }
  if (!named) {
    const std::size_t takes = hints.containers || hints.arguments.empty()
                                  ? others.size()
                                  : std::min(others.size(), hints.arguments.size());
    inputs.assign(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(takes));
    others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(takes));
    if (!inputs.empty() && !hints.arguments.empty()) {
      notes.push_back("no tensor is named as an argument (" + quoted_list(hints.arguments) +
                      "): taken are " + quoted_list(inputs));
    }
  }
  if (!others.empty()) notes.push_back("tensors that are not used: " + quoted_list(others));
  return inputs;
}

std::optional<SourceGuess> guess_safetensors(const std::filesystem::path& path,
                                             const DataHints& hints) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = folder ? path / "tensors.safetensors" : path;
  if (file.extension() != ".safetensors" || !std::filesystem::is_regular_file(file, ignored))
    return std::nullopt;
  const NamedTensors tensors = load_safetensors(file);
  std::vector<std::string> notes;
  const std::string labels = guess_labels(tensors, notes);
  const std::vector<std::string> inputs = guess_inputs(tensors, labels, hints, notes);
  if (inputs.empty()) {
    throw Error({"no tensors with samples", file.string(),
                 "at least one beside the labels, N x ...",
                 tensors.empty() ? "no tensors" : quoted_list(names_of(tensors))});
  }
  for (const std::string& name : inputs)
    require_samples(tensors.at(name), -1, "", fmt::format("'{}' in {}", name, file.string()));
  SettingValues result = {{"kind", "safetensors"}, {"path", path.string()}, {"inputs", inputs}};
  if (!labels.empty()) result.emplace_back("labels", labels);
  return SourceGuess(settings_of(result), std::move(notes));
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
