#include "jacobian/derivative_trace.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/function.h>

namespace descramble {

namespace {

thread_local DerivativeTrace* current = nullptr;

/// Tensors in an argument or result, also in lists, tuples and dicts.
void for_each_tensor(const c10::IValue& value,
                     const std::function<void(const at::Tensor&)>& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& one : value.toTensorVector()) {
      if (one.defined()) visit(one);
    }
  } else if (value.isList()) {
    for (const c10::IValue& one : value.toListRef()) for_each_tensor(one, visit);
  } else if (value.isTuple()) {
    for (const c10::IValue& one : value.toTupleRef().elements()) for_each_tensor(one, visit);
  }
}

const c10::StorageImpl* memory_of(const at::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](auto end) { return name.ends_with(end); });
}

/// An operation that the interpreter calls shows the whole stack; its arguments or results are at
/// the end of the stack.
c10::ArrayRef<const c10::IValue> last(c10::ArrayRef<const c10::IValue> stack, std::size_t count) {
  return stack.size() > count ? stack.slice(stack.size() - count) : stack;
}

/// Tensors of the shape or type of another one: its numbers do not matter.
bool ignores_numbers(std::string_view name) {
  return name.starts_with("aten::new_") || name == "aten::_shape_as_tensor" ||
         ends_with_any(name, {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like",
                              "randn_like", "randint_like"});
}

/// Of which only the first argument's numbers matter.
bool looks_at_first(std::string_view name) {
  return name == "aten::to" || name == "aten::resize_as_" ||
         ends_with_any(name, {"_as", "aten::_to_copy"});
}

/// Autograd gives them a derivative of zero.
bool is_rounding(std::string_view name) {
  if (name.ends_with('_')) name.remove_suffix(1);
  for (const std::string_view one : {"round", "floor", "ceil", "trunc", "fix", "sign", "sgn",
                                     "heaviside", "floor_divide", "bernoulli"}) {
    if (name.substr(std::min(name.size(), std::string_view("aten::").size())) == one) return true;
  }
  return false;
}

/// Whether autograd knows a derivative of this result. For an operation without a derivative
/// autograd also makes a node, but this node reports the problem only in the backward pass.
bool carries(const at::Tensor& one) {
  return one.requires_grad() && (one.is_floating_point() || one.is_complex()) &&
         (!one.grad_fn() || one.grad_fn()->name().find("NotImplemented") == std::string::npos);
}

bool makes_a_number(std::string_view name) {
  return name == "aten::item" || name == "aten::_local_scalar_dense";
}

}  // namespace

/// What an operation is called with.
struct DerivativeTrace::Call : at::ObserverContext {
  std::string name{};
  std::vector<at::Tensor> inputs{};
};

DerivativeTrace::DerivativeTrace() : outer_(current) {
  current = this;
  const auto start =
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    // Below autograd nothing has a derivative. Operations that autograd calls there are ignored.
    if (c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradFunctionality))
      return nullptr;
    auto call = std::make_unique<Call>();
    call->name = function.name();
    const bool first = looks_at_first(call->name);
    if (ignores_numbers(call->name)) return nullptr;
    for (const c10::IValue& input : last(function.inputs(), function.num_inputs())) {
      for_each_tensor(input, [&](const at::Tensor& one) { call->inputs.push_back(one); });
      if (first) break;
    }
    return call;
  };
  const auto end = [](const at::RecordFunction& function, at::ObserverContext* context) {
    if (context == nullptr || current == nullptr) return;
    const std::vector<c10::IValue> outputs = function.outputs();
    current->record(*static_cast<const Call*>(context),
                    last(c10::ArrayRef<const c10::IValue>(outputs.data(), outputs.size()),
                         function.num_outputs()));
  };
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(start, end)
                                           .needsInputs(true)
                                           .needsOutputs(true)
                                           .scopes({at::RecordScope::FUNCTION}));
}

DerivativeTrace::~DerivativeTrace() {
  at::removeCallback(handle_);
  current = outer_;
}

void DerivativeTrace::follow(const at::Tensor& value) {
  marks_.clear();
  written_.clear();
  live_memory_.clear();
  left_ = {};
  add(value, {.live = true}, false);
}

void DerivativeTrace::Losses::add(const Losses& other) {
  const auto join = [](std::vector<std::string>& into, const std::vector<std::string>& more) {
    for (const std::string& name : more) {
      if (std::find(into.begin(), into.end(), name) == into.end()) into.push_back(name);
    }
  };
  join(cuts, other.cuts);
  join(steps, other.steps);
}

DerivativeTrace::Mark DerivativeTrace::mark_of(const at::Tensor& tensor) const {
  Mark mark;
  const auto own = marks_.find(tensor.unsafeGetTensorImpl());
  if (own != marks_.end()) mark.add(own->second);
  const c10::StorageImpl* memory = memory_of(tensor);
  const auto there = written_.find(memory);
  if (there != written_.end()) mark.add(there->second);
  // The same numbers without their history, made by code that is not an operation.
  if (own == marks_.end() && tensor.is_floating_point() && !tensor.requires_grad() &&
      live_memory_.contains(memory)) {
    mark.lost.add({.cuts = {"prim::data"}});
  }
  return mark;
}

void DerivativeTrace::add(const at::Tensor& tensor, const Mark& mark, bool written) {
  marks_[tensor.unsafeGetTensorImpl()].add(mark);
  alive_.push_back(tensor);
  const c10::StorageImpl* memory = memory_of(tensor);
  if (memory == nullptr) return;
  if (written) written_[memory].add(mark);
  if (mark.live) live_memory_.insert(memory);
}

void DerivativeTrace::record(const Call& call, c10::ArrayRef<const c10::IValue> outputs) {
  Mark given;
  for (const at::Tensor& input : call.inputs) given.add(mark_of(input));
  if (!given.live && given.lost.empty()) return;
  std::vector<at::Tensor> results;
  for (const c10::IValue& output : outputs)
    for_each_tensor(output, [&results](const at::Tensor& one) { results.push_back(one); });
  if (given.live && results.empty() && makes_a_number(call.name)) left_.add({.cuts = {call.name}});
  if (given.live && !results.empty() &&
      (std::none_of(results.begin(), results.end(), carries) || is_rounding(call.name))) {
    const bool numbers = std::any_of(results.begin(), results.end(), [](const at::Tensor& one) {
      return one.is_floating_point() || one.is_complex() || one.is_quantized();
    });
    const std::string name =
        c10::GradMode::is_enabled() ? call.name : call.name + " (within no_grad)";
    given.lost.add(numbers ? Losses{.cuts = {name}} : Losses{.steps = {name}});
  }
  for (const at::Tensor& one : results) {
    const bool written =
        std::any_of(call.inputs.begin(), call.inputs.end(),
                    [&one](const at::Tensor& input) { return input.is_same(one); });
    add(one, {.live = given.live && carries(one), .lost = given.lost}, written);
  }
}

DerivativeTrace::Losses DerivativeTrace::losses(const at::Tensor& out) const {
  Losses result = mark_of(out).lost;
  result.add(left_);
  return result;
}

}  // namespace descramble
