#include "descramble/model/snapshot.h"

#include <ATen/core/grad_mode.h>

#include "model/writes.h"

namespace descramble {

/// One attribute: the object that has it, and what it held.
struct Snapshot::Entry {
  c10::intrusive_ptr<c10::ivalue::Object> owner{};
  std::size_t slot = 0;
  c10::IValue held{};     ///< the tensor itself; of anything else, a copy
  at::Tensor contents{};  ///< of a tensor
};

namespace {

/// Containers are copied, since forward may append to them; tensors within them, too.
c10::IValue copy_of(const c10::IValue& value) {
  return value.isList() || value.isGenericDict() || value.isTuple() || value.isObject()
             ? value.deepcopy()
             : value;
}

}  // namespace

Snapshot::Snapshot(const Model& model) {
  const at::NoGradGuard no_grad;
  auto entries = std::make_shared<std::vector<Entry>>();
  const auto root = model.state().module._ivalue();
  for (const std::string& path : model.state().writes().attributes) {
    const std::size_t dot = path.rfind('.');
    const auto owner = dot == std::string::npos
                           ? root
                           : attribute_at(model.state().module, path.substr(0, dot)).toObject();
    const std::size_t slot =
        owner->type()->getAttributeSlot(dot == std::string::npos ? path : path.substr(dot + 1));
    const c10::IValue held = owner->getSlot(slot);
    if (held.isTensor()) {
      const at::Tensor& tensor = held.toTensor();
      entries->push_back(
          {owner, slot, held, tensor.defined() ? tensor.detach().clone() : at::Tensor()});
    } else {
      entries->push_back({owner, slot, copy_of(held), at::Tensor()});
    }
  }
  entries_ = std::move(entries);
}

void Snapshot::restore() const {
  const at::NoGradGuard no_grad;
  for (const Entry& entry : *entries_) {
    if (!entry.held.isTensor()) {
      entry.owner->setSlot(entry.slot, copy_of(entry.held));
      continue;
    }
    at::Tensor tensor = entry.held.toTensor();
    entry.owner->setSlot(entry.slot, entry.held);
    if (!entry.contents.defined()) continue;
    if (tensor.sizes() != entry.contents.sizes())
      tensor.set_data(entry.contents.clone());  // forward has resized it
    else
      tensor.detach().copy_(entry.contents);
  }
}

}  // namespace descramble
