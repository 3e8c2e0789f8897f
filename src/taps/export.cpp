#include "descramble/taps/export.h"

#include "descramble/model/network.h"

namespace descramble {

std::vector<std::string> other_methods(const Model& model) {
  return model.network().other_methods();
}

void require_exportable(const Model& model) {
  model.network().require_exportable();
}

ExportedModel export_model(const Model& model, const std::vector<RotationEdit>& edits) {
  require_exportable(model);
  model.restart();
  return model.network().exported(model, edits);
}

}  // namespace descramble
