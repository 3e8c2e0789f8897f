#pragma once

#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/api/module.h>

#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "model/interpreter_message.h"

namespace descramble {

struct WalkedGraph;
struct Writes;

/// The backend for TorchScript archives.
struct TorchScript final : Network {
  torch::jit::Module module;
  std::string name{};  ///< of the file, for errors
  at::Device device = at::kCPU;
  std::string method = "forward";
  /// What the archive held besides the module, for the next one.
  std::unordered_map<std::string, std::string> extra_files{};
  bool bytecode = false;
  std::int64_t moved = 0;            ///< devices in the code that were others
  std::set<std::string> training{};  ///< modules that were saved in train mode

  torch::jit::Method run_method() const { return module.get_method(method); }
  /// What a pass may write in the mode that the module is in; found out once for each mode.
  const Writes& writes() const;
  /// The method's graph with its points; walked once.
  const WalkedGraph& walked() const;
  /// For a copy. What is known of the graph is forgotten.
  void set_module(torch::jit::Module other);
  void set_method(const std::string& other);

  c10::IValue run(const std::vector<c10::IValue>& inputs) const override;
  ModelDescription description() const override;
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override;
  std::vector<std::pair<std::string, at::Tensor>> buffers() const override;
  at::ScalarType dtype() const override;
  void set_training(bool on) const override;
  bool is_training() const override { return module.is_training(); }
  std::function<void()> keep_modes() const override;
  const c10::FunctionSchema* schema() const override;
  std::int64_t moved_devices() const override { return moved; }
  bool raised(const std::exception& error) const override;

  std::vector<TapPoint> points() const override;
  std::unique_ptr<TapProgram> tapped(const std::set<std::string>& names, Fire fire) const override;
  const std::vector<std::string>& written() const override;
  const std::vector<bool>& written_inputs() const override;
  bool derives() const override;
  std::function<void()> keep_state() const override;
  bool shares_written_memory(const std::string& tap) const override;
  std::int64_t forks() const override;

  std::unique_ptr<SplitProgram> split(const std::string& tap) const override;
  Path path(const std::string& from, const std::string& to) const override;
  void require_exportable() const override;
  ExportedModel exported(const Model& model, const std::vector<RotationEdit>& edits) const override;
  std::vector<std::string> other_methods() const override;
  std::shared_ptr<const Network> with_method(const std::string& other) const override;
  std::shared_ptr<const Network> to_dtype(at::ScalarType wanted) const override;
  std::shared_ptr<const Network> loaded_like(const std::filesystem::path& file) const override;
  void save(const std::filesystem::path& file) const override;

 private:
  void forget_graph();

  /// Guards what follows, which the clones of a tapped model ask for on several threads; copies of
  /// the network share it.
  std::shared_ptr<std::recursive_mutex> finding_out_ = std::make_shared<std::recursive_mutex>();
  mutable std::array<std::shared_ptr<const Writes>, 2> writes_{};  ///< in eval and train mode
  mutable std::shared_ptr<const WalkedGraph> walked_{};            ///< once it was asked for
};

/// The archive behind a model. @throws Error where the model is of another backend
const TorchScript& torchscript_of(const Model& model);

/// A model of this backend.
Model model_of(std::shared_ptr<const TorchScript> script);

/// Loads an archive. @throws Error as load_model does
std::shared_ptr<TorchScript> load_torchscript(const std::filesystem::path& file, at::Device device,
                                              const std::string& method);

/// Name of the first scripted hook of a module; empty: it has none.
std::string first_hook(const torch::jit::Module& module);

}  // namespace descramble
