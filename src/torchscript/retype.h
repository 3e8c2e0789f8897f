#pragma once

#include <map>
#include <set>
#include <string>

#include <torch/csrc/jit/api/module.h>

namespace descramble {

/// The submodule at a path such as "layer1.0"; "" is the module itself.
torch::jit::Module module_at(torch::jit::Module module, const std::string& path);

/// A copy of a module in which every instance on `paths` (closed under prefixes, "" the root) has a
/// class of its own, so that its methods can be edited and attributes added without touching
/// another instance of the old class. Instances off the paths keep the types that Module::clone()
/// gives them.
class Retyped {
 public:
  Retyped(const torch::jit::Module& original, std::set<std::string> paths);

  torch::jit::Module& root() { return root_; }
  /// The copy's module at a path.
  torch::jit::Module at(const std::string& path) const;
  /// The (editable) graph of a method of an instance on the paths.
  std::shared_ptr<torch::jit::Graph> graph(const std::string& path,
                                           const std::string& method) const;
  /// Adds a copy of a method under another name.
  void copy_method(const std::string& path, const std::string& method, const std::string& name);

 private:
  torch::jit::Module rebuild(const torch::jit::Module& module, const std::string& path);
  void add_method(torch::jit::Module& module, const std::string& path,
                  const torch::jit::Function& method,
                  const std::shared_ptr<torch::jit::Graph>& graph, const std::string& name);
  void retype(torch::jit::Graph& graph, const std::string& path) const;

  std::set<std::string> paths_;
  std::map<std::string, c10::TypePtr> types_{};
  torch::jit::Module root_{};
};

}  // namespace descramble
