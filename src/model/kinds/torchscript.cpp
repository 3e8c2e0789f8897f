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
                 .fallback = nullptr},
                {.name = "state",
                 .type = FieldType::string,
                 .doc = "where forward writes buffers or attributes (hidden states, counters): "
                        "reset: each batch starts from what the archive holds; carry: from what "
                        "the batch before has left, in the order of the data",
                 .fallback = "reset",
                 .choices = {"reset", "carry"}},
                {.name = "method",
                 .type = FieldType::string,
                 .doc = "the method that runs",
                 .fallback = "forward"},
                {.name = "arguments",
                 .type = FieldType::object,
                 .doc = "values for arguments by name: numbers, strings, booleans, null, "
                        "{\"input\": NAME} for an input of the data, lists or objects of those; "
                        "arguments that are not named take the other inputs in order",
                 .fallback = Fallback::json("{}")},
                {.name = "batched",
                 .type = FieldType::boolean,
                 .doc = "false: the model takes one sample, without a dimension for the batch",
                 .fallback = true},
                {.name = "batch_dim",
                 .type = FieldType::integer,
                 .doc = "the dimension of its inputs at which the model expects the samples, which "
                        "the data have in front",
                 .fallback = 0,
                 .minimum = 0,
                 .maximum = 63},
                {.name = "tolerance",
                 .type = FieldType::number,
                 .doc = "how far rotated models may lie from the original one, max|f - f'| / "
                        "max|f|; null: 1e-4 in float32, 1e-10 in float64, 5e-2 in half types, or "
                        "what rounding alone does to this model where that is more",
                 .fallback = nullptr,
                 .minimum = 0,
                 .above_minimum = true}}},
      .open = [](const nlohmann::json& resolved, const ModelContext& context) {
        const std::string given = resolved.at("path");
        const std::filesystem::path path = context.paths.find(given, "/model/path");
        return OpenedModel{with_model_fields(load_model(path, context.device, resolved.at("method")), resolved), given,
                           path};
      }};
  return kind;
}

Model with_model_fields(Model model, const nlohmann::json& resolved) {
  const nlohmann::json output = resolved.value("output", nlohmann::json());
  if (output.is_string()) model = model.with_output(output.get<std::string>());
  if (output.is_number()) model = model.with_output(output.get<std::int64_t>());
  return model.with_state(resolved.value("state", "reset") == "carry" ? StatePolicy::carry
                                                                      : StatePolicy::reset);
}

}  // namespace descramble
