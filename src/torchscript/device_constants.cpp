#include "torchscript/device_constants.h"

#include <set>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace descramble {

using torch::jit::Block;
using torch::jit::Node;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

namespace {

class Mover {
 public:
  explicit Mover(at::Device device) : device_(device) {}

  void function(torch::jit::Function& callee) {
    if (!callee.isGraphFunction() || !seen_.insert(&callee).second) return;
    block(torch::jit::toGraphFunction(callee).graph()->block());
  }

  std::int64_t moved() const { return moved_; }

 private:
  void block(Block* body) {
    for (Node* node : body->nodes()) {
      for (Block* inner : node->blocks()) block(inner);
      if (node->hasAttribute(attr::Subgraph)) block(node->g(attr::Subgraph)->block());
      if (node->kind() != prim::Constant) continue;
      if (const auto type = node->output()->type()->cast<c10::FunctionType>())
        function(*type->function());
      if (node->output()->type()->kind() == c10::TypeKind::DeviceObjType) constant(node);
    }
  }

  void constant(Node* node) {
    const auto value = torch::jit::toIValue(node->output());
    if (!value || !value->isDevice()) return;
    const at::Device found = value->toDevice();
    // What lies on "meta" has sizes alone, and is meant to.
    if (found.is_meta()) return;
    // A device of the same kind without a number is the current one.
    if (found == device_ || (found.type() == device_.type() && !found.has_index())) return;
    node->s_(attr::value, device_.str());
    ++moved_;
  }

  at::Device device_;
  std::set<const torch::jit::Function*> seen_{};
  std::int64_t moved_ = 0;
};

}  // namespace

std::int64_t move_device_constants(const torch::jit::Module& module, at::Device device) {
  Mover mover(device);
  std::set<const c10::Type*> seen;
  for (const auto& child : module.named_modules()) {
    const auto type = child.value.type();
    if (!seen.insert(type.get()).second) continue;
    for (torch::jit::Function* method : type->methods()) mover.function(*method);
  }
  return mover.moved();
}

}  // namespace descramble
