#include "torchscript/operator.h"

#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

struct Slots {
  std::shared_mutex mutex{};
  std::unordered_map<std::int64_t, TapSlot*> by_id{};
  std::int64_t next = 0;
};

Slots& slots() {
  static Slots instance;
  return instance;
}

TapSlot* slot_of(std::int64_t id) {
  Slots& all = slots();
  const std::shared_lock lock(all.mutex);
  const auto found = all.by_id.find(id);
  if (found == all.by_id.end()) throw Error("a tap was run after its TappedModel had gone");
  return found->second;
}

void run_tap(torch::jit::Stack& stack) {
  const std::int64_t id = torch::jit::pop(stack).toInt();
  const at::Tensor value = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, slot_of(id)->fire(value));
}

/// Registered on first use: a static initialiser would be dropped from a static library.
void register_operator() {
  static const torch::jit::RegisterOperators registration({torch::jit::Operator(
      "descramble::tap(Tensor value, int id) -> Tensor",
      [](torch::jit::Stack& stack) { run_tap(stack); }, c10::AliasAnalysisKind::CONSERVATIVE)});
}

}  // namespace

std::int64_t remember_slot(TapSlot* slot) {
  register_operator();
  Slots& all = slots();
  const std::unique_lock lock(all.mutex);
  all.by_id[all.next] = slot;
  return all.next++;
}

void forget_slot(std::int64_t id) {
  Slots& all = slots();
  const std::unique_lock lock(all.mutex);
  all.by_id.erase(id);
}

torch::jit::Value* insert_tap(torch::jit::Value* value, std::int64_t id, torch::jit::Node* place) {
  register_operator();
  const torch::jit::WithInsertPoint here(place);
  torch::jit::Graph& graph = *place->owningGraph();
  torch::jit::Value* number = graph.insertConstant(id);
  torch::jit::Node* node = graph.insertNode(
      graph.create(c10::Symbol::fromQualString("descramble::tap"), {value, number}, 1));
  node->output()->setType(c10::TensorType::get());
  return node->output();
}

}  // namespace descramble
