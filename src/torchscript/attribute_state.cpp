#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/MemoryOverlap.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>

#include "torchscript/torchscript.h"
#include "torchscript/writes.h"

namespace descramble {

namespace {

/// A value as it was: the very tensors and containers, and what they held.
struct SavedValue {
  c10::IValue value{};
  at::Tensor place{};  ///< of a tensor: its memory, sizes and strides
  at::Tensor contents{};
  std::vector<c10::IValue> keys{};  ///< of a dictionary
  std::vector<SavedValue> parts{};  ///< of a list, dictionary, tuple or object
};

SavedValue saved(const c10::IValue& value) {
  SavedValue result{.value = value};
  if (value.isTensor()) {
    if (value.toTensor().defined()) {
      result.place = value.toTensor().detach();
      result.contents = result.place.clone();
    }
  } else if (value.isList()) {
    for (const c10::IValue& part : value.toListRef()) result.parts.push_back(saved(part));
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      result.keys.push_back(entry.key());
      result.parts.push_back(saved(entry.value()));
    }
  } else if (value.isTuple()) {
    for (const c10::IValue& part : value.toTupleRef().elements())
      result.parts.push_back(saved(part));
  } else if (value.isObject() && !value.isModule()) {
    for (const c10::IValue& part : value.toObjectRef().slots()) result.parts.push_back(saved(part));
  }
  return result;
}

/// Others may hold the same tensor or container: it is filled again, not replaced.
const c10::IValue& restored(const SavedValue& saved) {
  const c10::IValue& value = saved.value;
  if (value.isTensor() && saved.contents.defined()) {
    at::Tensor tensor = value.toTensor();
    const bool strided = tensor.layout() == c10::kStrided && saved.place.layout() == c10::kStrided;
    const bool moved = !strided || !tensor.is_alias_of(saved.place) ||
                       tensor.sizes() != saved.place.sizes() ||
                       tensor.strides() != saved.place.strides() ||
                       tensor.storage_offset() != saved.place.storage_offset();
    if (moved) tensor.set_data(saved.place.detach());  // forward has resized it or set other memory
    // What has several elements in one place can be written through another tensor only.
    if (!strided || at::has_internal_overlap(saved.place) != at::MemOverlap::Yes)
      saved.place.detach().copy_(saved.contents);
  } else if (value.isList()) {
    auto list = value.toList();
    list.clear();
    for (const SavedValue& part : saved.parts) list.push_back(restored(part));
  } else if (value.isGenericDict()) {
    auto dict = value.toGenericDict();
    dict.clear();
    for (std::size_t i = 0; i < saved.keys.size(); ++i)
      dict.insert(saved.keys[i], restored(saved.parts[i]));
  } else if (value.isTuple()) {
    for (const SavedValue& part : saved.parts) restored(part);
  } else if (value.isObject() && !value.isModule()) {
    const auto object = value.toObject();
    for (std::size_t i = 0; i < saved.parts.size(); ++i)
      object->setSlot(i, restored(saved.parts[i]));
  }
  return value;
}

/// One attribute: the object that has it, and what it held.
struct Entry {
  c10::intrusive_ptr<c10::ivalue::Object> owner{};
  std::size_t slot = 0;
  SavedValue held{};
};

}  // namespace

std::function<void()> TorchScript::keep_state() const {
  const at::NoGradGuard no_grad;
  auto entries = std::make_shared<std::vector<Entry>>();
  const auto root = module._ivalue();
  for (const std::string& path : writes().attributes) {
    const std::size_t dot = path.rfind('.');
    const auto owner =
        dot == std::string::npos ? root : attribute_at(module, path.substr(0, dot)).toObject();
    const std::size_t slot =
        owner->type()->getAttributeSlot(dot == std::string::npos ? path : path.substr(dot + 1));
    entries->push_back({owner, slot, saved(owner->getSlot(slot))});
  }
  if (entries->empty()) return {};
  return [entries] {
    const at::NoGradGuard restoring;
    for (const Entry& entry : *entries) entry.owner->setSlot(entry.slot, restored(entry.held));
  };
}

}  // namespace descramble
