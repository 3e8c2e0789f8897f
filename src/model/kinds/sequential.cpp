#include "descramble/model/sequential.h"

#include <nlohmann/json.hpp>

#include "descramble/model/kinds.h"

namespace descramble {

const ModelKind& model_kind_sequential() {
  static const ModelKind kind{
      .info =
          {.name = "sequential",
           .summary =
               "A chain of layers, built as a TorchScript module with one named submodule a layer",
           .fields = {{.name = "input",
                       .type = FieldType::integers,
                       .doc = "a sample's shape, without the batch",
                       .minimum = 1},
                      {.name = "layers",
                       .type = FieldType::kinds,
                       .doc = "the layers, in order",
                       .family = layer_family}}},
      .open = [](const nlohmann::json& resolved, const ModelContext& context) {
        return OpenedModel{build_sequential(resolved, context.seed, context.device)};
      }};
  return kind;
}

}  // namespace descramble
