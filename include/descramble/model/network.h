#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"

namespace c10 {
struct FunctionSchema;
}

namespace [[gnu::visibility("default")]] descramble {

struct ExportedModel;
struct Path;
struct RotationEdit;
struct TapPoint;

/// Called each time that a selected point carries a value; the value that goes on is what it
/// returns.
using Fire = std::function<at::Tensor(std::size_t point, const at::Tensor& value)>;

/// A network with a call of `Fire` at some of its points.
class TapProgram {
 public:
  virtual ~TapProgram() = default;
  /// The selected points, in the order in which their values come into being.
  virtual const std::vector<TapPoint>& points() const = 0;
  /// One pass. @throws what the network throws, and what `Fire` throws
  virtual c10::IValue run(const std::vector<c10::IValue>& inputs) const = 0;
};

/// A network in two halves: suffix(prefix(x)) is its output.
class SplitProgram {
 public:
  /// The value at the cut, and what else the second half needs of the first.
  struct Halfway {
    at::Tensor value{};  ///< the value of the tap
    /// Values of the first half that the second half reads.
    std::shared_ptr<const std::vector<c10::IValue>> live{};
  };

  virtual ~SplitProgram() = default;
  /// Runs the first half on the arguments of the method. @throws what the network throws
  virtual Halfway prefix(const std::vector<c10::IValue>& inputs) const = 0;
  /// Changes nothing that it was given.
  virtual c10::IValue suffix(const at::Tensor& value,
                             const std::vector<c10::IValue>& live) const = 0;
};

/// The one interface of a backend: a network that has points, runs with handlers at them, and can
/// be cut, described and exported where the backend knows how. TorchScript is one backend; another
/// one is a class that derives from this one, and `Model::of` makes a model of it. Everything else
/// works on any backend: statistics, objectives, certificates, completeness, Jacobians through
/// autograd.
class Network {
 public:
  virtual ~Network() = default;

  /// One pass. @throws what the network throws
  virtual c10::IValue run(const std::vector<c10::IValue>& inputs) const = 0;
  /// What the network says of itself without a pass.
  virtual ModelDescription description() const = 0;
  /// Parameters by name. They share storage with the network.
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
  /// Buffers by name, which share storage with the network; none by default.
  virtual std::vector<std::pair<std::string, at::Tensor>> buffers() const;
  /// Of the first floating-point parameter or buffer by default; float32 where there is none.
  virtual at::ScalarType dtype() const;
  /// Switches between training and evaluation; does nothing by default, for a network without
  /// modes.
  virtual void set_training(bool on) const;
  /// Whether the network is in training mode; false by default.
  virtual bool is_training() const;
  /// What puts back the mode of each submodule, as it is now.
  virtual std::function<void()> keep_modes() const;
  /// Where the parameters are now; nothing: where they were when the model was opened.
  virtual std::optional<at::Device> device() const;
  /// How the inputs are named and typed, behind the network itself; null: tensors in order.
  virtual const c10::FunctionSchema* schema() const;
  /// Devices that the network's code spelled out and that are others here.
  virtual std::int64_t moved_devices() const;
  /// Whether the network's own code has raised an exception, not an operator in it.
  virtual bool raised(const std::exception& error) const;
  /// Whether an exception of a pass goes to the caller as it is; by default those of this library.
  virtual bool passes_on(const std::exception& error) const;

  /// Every point, without running it.
  virtual std::vector<TapPoint> points() const = 0;
  /// Names that look like points and are none, each with the reason and what to do.
  virtual std::map<std::string, std::string> no_points() const;
  /// The network with `fire` at the points that `names` name (a point, or the `.input` of one).
  virtual std::unique_ptr<TapProgram> tapped(const std::set<std::string>& names,
                                             Fire fire) const = 0;

  // What a pass writes; nothing by default.
  /// Paths of the buffers and attributes that a pass writes.
  virtual const std::vector<std::string>& written() const;
  /// For each argument, whether a pass writes into it.
  virtual const std::vector<bool>& written_inputs() const;
  /// Whether a pass takes derivatives itself.
  virtual bool derives() const;
  /// What puts back all that a pass writes, as it is now; empty where a pass writes nothing.
  virtual std::function<void()> keep_state() const;
  /// Whether a value at a point shares memory that is written to: its replacement goes there too.
  virtual bool shares_written_memory(const std::string& tap) const;
  /// Asynchronous calls, which are not looked into.
  virtual std::int64_t forks() const;

  // What a backend may be able to do. By default each is refused with the reason.
  /// The network cut behind a tap. @throws Error where it cannot be cut
  virtual std::unique_ptr<SplitProgram> split(const std::string& tap) const;
  /// By default a path that is not described.
  virtual Path path(const std::string& from, const std::string& to) const;
  /// Checks that the network can be exported. @throws Error with the reason where it cannot be
  virtual void require_exportable() const;
  /// A copy with the rotations written into it (see export_model). @throws Error where it cannot be
  /// exported
  virtual ExportedModel exported(const Model& model, const std::vector<RotationEdit>& edits) const;
  /// Public methods besides the one that runs.
  virtual std::vector<std::string> other_methods() const;
  /// The same network with another method as the one that runs. @throws Error where there is none
  virtual std::shared_ptr<const Network> with_method(const std::string& method) const;
  /// A copy in another floating-point dtype. @throws Error where the network cannot be converted
  virtual std::shared_ptr<const Network> to_dtype(at::ScalarType dtype) const;
  /// Another file of the same format, opened as this one was. @throws Error where that cannot be
  virtual std::shared_ptr<const Network> loaded_like(const std::filesystem::path& file) const;
  /// Writes the network to a file. @throws Error where there is no format for it, Failure when
  /// writing fails
  virtual void save(const std::filesystem::path& file) const;

 protected:
  /// Refuses what this backend cannot do.
  /// @throws Error "`what`", with the class of the network
  [[noreturn]] void refuse(const std::string& what) const;
};

}  // namespace descramble
