#include "torchscript/copy_module.h"

#include <map>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

namespace descramble {

using torch::jit::Module;

namespace {

/// Copies tensors, each storage once.
class TensorCopies {
 public:
  explicit TensorCopies(std::optional<at::ScalarType> floats) : floats_(floats) {}

  c10::IValue of(const c10::IValue& value) {
    if (value.isTensor()) return of(value.toTensor());
    if (value.isList()) {
      const auto given = value.toList();
      c10::impl::GenericList list(given.elementType());
      for (std::size_t i = 0; i < given.size(); ++i) list.push_back(of(given.get(i)));
      return list;
    }
    if (value.isGenericDict()) {
      const auto given = value.toGenericDict();
      c10::impl::GenericDict dict(given.keyType(), given.valueType());
      for (const auto& entry : given) dict.insert(entry.key(), of(entry.value()));
      return dict;
    }
    if (value.isTuple()) {
      std::vector<c10::IValue> parts;
      for (const c10::IValue& part : value.toTupleRef().elements()) parts.push_back(of(part));
      return c10::ivalue::Tuple::createNamed(std::move(parts), value.toTuple()->type());
    }
    if (value.isCustomClass()) return value.deepcopy();
    return value.isObject() && !value.isModule() ? of(value.toObject()) : value;
  }

 private:
  /// An object of a scripted class: others may hold the same one.
  c10::IValue of(const c10::intrusive_ptr<c10::ivalue::Object>& object) {
    const auto known = objects_.find(object.get());
    if (known != objects_.end()) return known->second;
    auto copy = c10::ivalue::Object::create(
        c10::StrongTypePtr(object->compilation_unit(), object->type()), object->slots().size());
    objects_[object.get()] = copy;
    for (std::size_t i = 0; i < object->slots().size(); ++i)
      copy->setSlot(i, of(object->getSlot(i)));
    return copy;
  }

  at::Tensor of(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    const auto known = tensors_.find(tensor.unsafeGetTensorImpl());
    if (known != tensors_.end()) return known->second;
    at::Tensor copy = made(tensor.detach());
    if (copy.is_floating_point() || copy.is_complex())
      copy.set_requires_grad(tensor.requires_grad());
    tensors_[tensor.unsafeGetTensorImpl()] = copy;
    return copy;
  }

  at::Tensor made(const at::Tensor& tensor) {
    const bool converts = floats_ && tensor.is_floating_point();
    const at::ScalarType dtype = converts ? *floats_ : tensor.scalar_type();
    const bool strided = tensor.layout() == c10::kStrided && !tensor.is_quantized() &&
                         tensor.has_storage() && tensor.numel() > 0;
    if (!strided) return converts ? tensor.to(dtype) : tensor.clone();
    const auto element = static_cast<std::int64_t>(tensor.element_size());
    const auto size = static_cast<std::int64_t>(tensor.storage().nbytes()) / element;
    const auto key = std::pair{tensor.storage().unsafeGetStorageImpl(), tensor.scalar_type()};
    auto found = whole_.find(key);
    if (found == whole_.end()) {
      const at::Tensor all =
          at::empty({0}, tensor.options()).set_(tensor.storage(), 0, {size}, {1});
      found = whole_.emplace(key, all.to(dtype, /*non_blocking=*/false, /*copy=*/true)).first;
    }
    // No view in the sense of autograd: each has a version of its own.
    return at::empty({0}, found->second.options())
        .set_(found->second.storage(), tensor.storage_offset(), tensor.sizes(), tensor.strides());
  }

  std::optional<at::ScalarType> floats_;
  std::map<const void*, at::Tensor> tensors_{};
  std::map<const void*, c10::intrusive_ptr<c10::ivalue::Object>> objects_{};
  std::map<std::pair<const void*, at::ScalarType>, at::Tensor> whole_{};
};

}  // namespace

Module copy_module(const Module& original, std::optional<at::ScalarType> floats) {
  const c10::InferenceMode off(false);
  const at::NoGradGuard no_grad;
  const Module copy = original.clone(/*inplace=*/true);
  TensorCopies copies(floats);
  std::set<const void*> seen;
  for (const auto& child : copy.named_modules()) {
    const auto& object = child.value._ivalue();
    if (!seen.insert(object.get()).second) continue;
    for (std::size_t i = 0; i < object->type()->numAttributes(); ++i) {
      if (!object->type()->getAttribute(i)->is_module())
        object->setSlot(i, copies.of(object->getSlot(i)));
    }
  }
  return copy;
}

}  // namespace descramble
