#include "torchscript/retype.h"

#include <unordered_map>

#include <torch/csrc/jit/api/function_impl.h>

#include "torchscript/copy_module.h"
#include "torchscript/node_numbers.h"
#include "torchscript/writes.h"

namespace descramble {

using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

namespace {

/// Module::clone() gives a method's arguments the new types of those classes only that it met
/// before: a module that is handed to an earlier sibling's method keeps its old one there.
Module complete_clone(const Module& original) {
  Module copy = copy_module(original);
  std::unordered_map<c10::TypePtr, c10::TypePtr> renamed;
  std::vector<Module> copies;
  std::vector<Module> originals;
  for (const auto& child : original.named_modules()) originals.push_back(child.value);
  for (const auto& child : copy.named_modules()) copies.push_back(child.value);
  for (std::size_t i = 0; i < copies.size(); ++i)
    renamed.emplace(originals[i].type(), copies[i].type());
  const auto rename = [&renamed](const c10::TypePtr& type) {
    const auto found = renamed.find(type);
    return found == renamed.end() ? type : found->second;
  };
  std::set<const c10::Type*> seen;
  for (const Module& module : copies) {
    if (!seen.insert(module.type().get()).second) continue;
    for (torch::jit::Function* method : module.type()->methods()) {
      torch::jit::toGraphFunction(*method).graph()->remapTypes(rename);
      method->setSchema(method->getSchema().cloneWithRemappedTypes(rename));
    }
  }
  return copy;
}

}  // namespace

Retyped::Retyped(const Module& original, std::set<std::string> paths) : paths_(std::move(paths)) {
  root_ = rebuild(complete_clone(original), "");
}

Module module_at(Module module, const std::string& path) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    module = module.attr(path.substr(begin, dot - begin)).toModule();
    begin = dot + 1;
  }
  return module;
}

Module Retyped::at(const std::string& path) const {
  return module_at(root_, path);
}

std::shared_ptr<Graph> Retyped::graph(const std::string& path, const std::string& method) const {
  return torch::jit::toGraphFunction(*at(path).type()->findMethod(method)).graph();
}

void Retyped::copy_method(const std::string& path, const std::string& method,
                          const std::string& name) {
  Module module = at(path);
  const torch::jit::Function* function = module.type()->findMethod(method);
  add_method(module, path, *function, graph(path, method)->copy(), name);
}

void Retyped::add_method(Module& module, const std::string& path,
                         const torch::jit::Function& method, const std::shared_ptr<Graph>& graph,
                         const std::string& name) {
  retype(*graph, path);
  auto unit = module._ivalue()->compilation_unit();
  torch::jit::Function* copy =
      unit->create_function(c10::QualifiedName(*module.type()->name(), name), graph);
  module.type()->addMethod(copy);
  const c10::FunctionSchema& schema = method.getSchema();
  std::vector<c10::Argument> arguments = schema.arguments();
  arguments[0] = c10::Argument(arguments[0].name(), module.type(), arguments[0].N(),
                               arguments[0].default_value());
  copy->setSchema(
      schema.cloneWithName(name, schema.overload_name()).cloneWithArguments(std::move(arguments)));
}

void Retyped::retype(Graph& graph, const std::string& path) const {
  std::unordered_map<const Value*, std::string> known;
  graph.inputs()[0]->setType(types_.at(path));
  known[graph.inputs()[0]] = path;
  for (Node* node : numbered_nodes(graph.block())) {
    if (node->kind() != prim::GetAttr) continue;
    const auto self = known.find(node->input());
    if (self == known.end()) continue;
    const std::string child = join_path(self->second, node->s(attr::name));
    const auto type = types_.find(child);
    if (type == types_.end()) continue;
    node->output()->setType(type->second);
    known[node->output()] = child;
  }
}

Module Retyped::rebuild(const Module& module, const std::string& path) {
  if (!paths_.contains(path)) return module;
  const auto type = module.type();
  Module result(*type->name(), module._ivalue()->compilation_unit(), /*shouldMangle=*/true);
  types_[path] = result.type();
  for (std::size_t i = 0; i < type->numAttributes(); ++i) {
    const std::string& name = type->getAttributeName(i);
    const c10::TypePtr attribute = type->getAttribute(i);
    const c10::IValue value = module._ivalue()->getSlot(i);
    const std::string child = join_path(path, name);
    if (paths_.contains(child) && value.isModule() && attribute->cast<c10::ClassType>()) {
      result.register_module(name, rebuild(value.toModule(), child));
    } else {
      result.type()->addAttribute(name, attribute, type->is_parameter(i), type->is_buffer(i));
      result._ivalue()->setAttr(name, value);
    }
  }
  for (std::size_t i = 0; i < type->numConstants(); ++i) {
    result.type()->addConstant(type->getConstantName(i), type->getConstant(i));
  }
  for (const torch::jit::Function* method : type->methods()) {
    add_method(
        result, path, *method,
        torch::jit::toGraphFunction(const_cast<torch::jit::Function&>(*method)).graph()->copy(),
        method->name());
  }
  return result;
}

}  // namespace descramble
