#pragma once

#include <set>
#include <string>
#include <vector>

#include "torchscript/torchscript.h"

namespace descramble {

/// What a pass of a method may write, as its graph tells.
struct Writes {
  /// Paths of buffers, parameters and attributes ("bn.running_mean", "calls"), sorted.
  std::vector<std::string> attributes{};
  /// By argument, without self: whether the pass writes into this tensor or container.
  std::vector<bool> inputs{};
  /// The graph takes derivatives itself (autograd.grad, backward).
  bool derives = false;
  /// The graph calls something that it does not show (an interface, a fork): `attributes` are all.
  bool opaque = false;
};

/// Follows every write of the inlined graph back through views, containers and branches to the
/// attribute or argument whose memory it is. Settings (train mode, sizes) that the graph itself
/// does not set count as constants, so that branches for training do not count in eval mode.
Writes method_writes(const torch::jit::Module& module, const std::string& method);

/// Paths of the attributes that the graph sets (`self.calls = …`).
std::set<std::string> attributes_set(const std::shared_ptr<torch::jit::Graph>& graph);

/// Attributes in whose memory a value of an inlined graph may lie, sorted.
std::vector<std::string> attributes_behind(const std::shared_ptr<torch::jit::Graph>& graph,
                                           const torch::jit::Value* value);

/// What an attribute of a module holds: "features.0.weight" behind `self`.
c10::IValue attribute_at(const torch::jit::Module& module, const std::string& path);

/// "a.b" from "a" and "b"; "b" from "" and "b".
std::string join_path(const std::string& path, const std::string& name);

/// The path that a value's GetAttr chain from `self` spells ("fc1.weight"); empty where it is none.
std::string attribute_path(const torch::jit::Value* value, const torch::jit::Value* self);

/// Attributes that are no modules or tensors ("training", sizes) become constants, so that the
/// branches that they decide disappear; not those that the graph sets itself.
void freeze_settings(const std::shared_ptr<torch::jit::Graph>& graph,
                     const torch::jit::Module& module);

}  // namespace descramble
