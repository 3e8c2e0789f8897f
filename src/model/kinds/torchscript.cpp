#include <nlohmann/json.hpp>

#include "descramble/model/kinds.h"

namespace descramble {

const ModelKind& model_kind_torchscript() {
  static const ModelKind kind{
      .info =
          {.name = "torchscript",
           .summary = "A TorchScript archive (torch.jit.save), scripted or traced",
           .fields =
               {{.name = "path", .type = FieldType::path, .doc = "the archive"},
                {.name = "output",
                 .type = FieldType::index_or_key,
                 .doc = "index or key of the logits, where the model returns a tuple, list or dict",
                 .fallback = nullptr}}},
      .open = [](const nlohmann::json& resolved, const ModelContext& context) {
        const std::string given = resolved.at("path");
        const std::filesystem::path path = context.paths.find(given, "/model/path");
        Model model = load_model(path, context.device);
        const nlohmann::json& output = resolved.at("output");
        if (output.is_string()) model = model.with_output(output.get<std::string>());
        if (output.is_number()) model = model.with_output(output.get<std::int64_t>());
        return OpenedModel{model, given, path};
      }};
  return kind;
}

}  // namespace descramble
