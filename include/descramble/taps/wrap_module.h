#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// What a model knows of a module in C++ beside its forward.
struct ModuleFacts {
  std::string name = "module";  ///< the name in errors and results
  /// By name; they share storage with the module.
  std::vector<std::pair<std::string, at::Tensor>> parameters{};
  /// By name; they share storage with the module.
  std::vector<std::pair<std::string, at::Tensor>> buffers{};
  std::function<void(bool)> set_training{};  ///< absent: the module has no modes
  std::function<bool()> is_training{};       ///< absent: never
  /// What puts back the mode of each submodule; absent: set_training does.
  std::function<std::function<void()>()> keep_modes{};
};

/// The logits of a batch.
using ModuleForward = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

/// A module in C++ as a model of this library: every analysis that needs no graph works on it
/// (moments, objectives, Jacobians by differentiation, completeness, patches, probes, rotations).
/// Its points are the calls of `tap(name, …)` in its forward, and `input` and `output`. They are
/// found by one pass on each of `examples`, in eval mode and without gradients. A name that is met
/// again in a pass is `name_1`, `name_2`, as in a TorchScript model; a point that not every example
/// meets counts as one inside an `if`. A graph is missing, so nothing is cut: where a TorchScript
/// model runs its second half again, this one runs whole. Nothing is exported; rotations are
/// tensors.
///
/// The module stays in its mode, which analyses do not change: call eval() first, or use probes,
/// which do. Buffers that a pass in eval mode writes are found with the examples, and probes put
/// them back. The model holds what `forward` holds, and runs one pass at a time.
/// @throws Error for no example, and for one that `forward` does not take
Model wrap_module(ModuleForward forward, const std::vector<std::vector<at::Tensor>>& examples,
                  const ModuleFacts& facts = {});

/// The same for a forward of one tensor, with one example.
Model wrap_module(std::function<at::Tensor(const at::Tensor&)> forward, const at::Tensor& example,
                  const ModuleFacts& facts = {});

/// The same for a torch::nn module with `at::Tensor forward(at::Tensor)`, with its parameters,
/// buffers and modes:
///
///     auto net = std::make_shared<Net>();
///     const auto model = descramble::wrap_module(net, torch::zeros({1, 784}));
template <typename Module>
Model wrap_module(const std::shared_ptr<Module>& module, const at::Tensor& example,
                  const std::string& name = "module") {
  ModuleFacts facts{.name = name};
  for (const auto& parameter : module->named_parameters())
    facts.parameters.emplace_back(parameter.key(), parameter.value());
  for (const auto& buffer : module->named_buffers())
    facts.buffers.emplace_back(buffer.key(), buffer.value());
  facts.set_training = [module](bool on) { module->train(on); };
  facts.is_training = [module] { return module->is_training(); };
  facts.keep_modes = [module] {
    auto modules = module->modules();  // each before those that its train() reaches
    std::vector<bool> modes;
    for (const auto& one : modules) modes.push_back(one->is_training());
    return [modules, modes] {
      for (std::size_t i = 0; i < modules.size(); ++i) modules[i]->train(modes[i]);
    };
  };
  return wrap_module([module](const at::Tensor& x) { return module->forward(x); }, example, facts);
}

}  // namespace descramble
