#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"
#include "descramble/taps/point.h"
#include "descramble/taps/split.h"

namespace [[gnu::visibility("default")]] descramble {

/// A handler that is attached as long as this object lives. Removing one removes only itself.
class Watch {
 public:
  Watch() = default;
  /// `remove` detaches the handler; it is called once.
  explicit Watch(std::function<void()> remove) : remove_(std::move(remove)) {}
  /// The handler stays attached; the other Watch is empty afterwards.
  Watch(Watch&& other) noexcept : remove_(std::move(other.remove_)) { other.remove_ = nullptr; }
  /// Detaches its own handler and takes that of the other Watch.
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { release(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// Detaches the handler now. Does nothing if it is detached.
  void release();

 private:
  std::function<void()> remove_{};
};

/// A program that computes exactly what the model computes, with taps at the selected points. The
/// model itself is never changed. Gradients flow through taps, in train and in eval mode.
///
/// Threads: one forward at a time, and a second one throws instead of racing, be it of another
/// thread or of a handler. Each thread takes a clone(), which shares the weights; clones run at
/// once. Handlers may attach and release any, themselves too; other threads do so between two
/// forwards.
///
///     auto tapped = descramble::tap_model(model, {"features.3", "classifier.*"});
///     auto watch  = tapped.observe("classifier.1", [&](const at::Tensor& h) { moments.add(h); });
///     at::Tensor logits = tapped.forward({images});
class TappedModel {
 public:
  struct State;
  /// For this library. Use tap_model.
  explicit TappedModel(std::shared_ptr<State> state) : state_(std::move(state)) {}

  /// The selected points, in the model's order.
  const std::vector<TapPoint>& points() const;
  /// One of them. @throws Error for another name
  const TapPoint& point(const std::string& tap) const;
  /// The model that is tapped.
  const Model& model() const;

  /// The logits. A tap with a handler that did not fire is an error: never a silent nothing.
  /// @throws Error also for a forward while another one runs
  at::Tensor forward(const std::vector<at::Tensor>& inputs) const;
  /// Any inputs, and the whole output.
  c10::IValue forward_values(const std::vector<c10::IValue>& inputs) const;
  /// Stops as soon as the tap fires (for the first time) and returns its value, after its handlers.
  at::Tensor forward_until(const std::string& tap, const std::vector<at::Tensor>& inputs) const;

  /// Calls `handler` with the value each time the tap fires. The tensor is the live one: later
  /// in-place operations of the model may overwrite it, so keep a clone() (or use `capture`).
  /// @throws Error for a tap that is not among points()
  [[nodiscard]] Watch observe(const std::string& tap,
                              std::function<void(const at::Tensor&)> handler) const;
  /// Puts the handler's result in place of the value: same shape and dtype, or forward throws.
  /// Handlers run in the order in which they were attached; each sees what the one before left.
  [[nodiscard]] Watch replace(const std::string& tap,
                              std::function<at::Tensor(const at::Tensor&)> handler) const;
  /// Appends a copy of every value to `values`.
  [[nodiscard]] Watch capture(const std::string& tap, std::vector<at::Tensor>& values) const;

  /// The same taps of the same network, with the same weights and without handlers, for another
  /// thread.
  TappedModel clone() const;

  /// Cuts the program behind the tap. @throws Error with the reason where it cannot be cut
  SplitModel split(const std::string& tap) const;

 private:
  friend std::vector<TapReading> read_taps(const Model&, const std::vector<c10::IValue>&);
  std::shared_ptr<State> state_;
};

/// Taps the selected points (all by default; see select_names).
/// @throws Error for a selector that means nothing, with the nearest names
TappedModel tap_model(const Model& model, const std::vector<std::string>& selectors = {"**"});

}  // namespace descramble
