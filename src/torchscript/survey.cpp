#include "torchscript/survey.h"

#include <fmt/format.h>

#include "torchscript/node_numbers.h"
#include "torchscript/walked.h"
#include "torchscript/writes.h"

namespace descramble {

using torch::jit::Module;
using torch::jit::Node;
namespace prim = torch::jit::prim;

std::string context_of(const std::vector<CallSite>& chain, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    text += fmt::format("{}:{}:{}/", chain[i].module, chain[i].method, chain[i].node);
  }
  return text;
}

std::map<std::string, const void*> objects_by_path(const Module& module) {
  std::map<std::string, const void*> objects;
  for (const auto& child : module.named_modules())
    objects[child.name] = child.value._ivalue().get();
  return objects;
}

Survey survey_of(const TorchScript& script) {
  Survey survey;
  const Module& module = script.module;
  const auto objects = objects_by_path(module);
  const WalkedGraph& walked = script.walked();
  for (const MetPoint& met : walked.points) {
    survey.points.emplace(met.point.name, met);
    for (std::size_t length = 0; length < met.chain.size(); ++length) {
      const CallSite& site = met.chain[length];
      survey.contexts[{site.module, site.method}].insert(context_of(met.chain, length));
    }
    if (const auto found = objects.find(met.callee);
        !met.callee.empty() && !met.is_argument && found != objects.end()) {
      ++survey.calls[found->second];
      survey.sites[met.callee].push_back(met.chain.back());
    }
  }
  for (const Node* node : numbered_nodes(walked.graph->block())) {
    if (node->kind() != prim::GetAttr) continue;
    const std::string path = attribute_path(node->output(), walked.graph->inputs()[0]);
    if (!path.empty()) ++survey.reads[path];
  }
  return survey;
}

}  // namespace descramble
