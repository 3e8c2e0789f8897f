#include "descramble/taps/tapped_model.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/select.h"
#include "model/state.h"
#include "taps/replacement.h"
#include "taps/split_state.h"

namespace descramble {

namespace {

/// The same numbers with the sizes and strides of `value`, which later views rely on; in new memory
/// where elements of `value` share theirs.
at::Tensor in_layout_of(const at::Tensor& value, const at::Tensor& result) {
  if (result.strides() == value.strides()) return result;
  for (std::int64_t i = 0; i < value.dim(); ++i) {
    if (value.stride(i) == 0 && value.size(i) > 1) return result;
  }
  return at::empty_strided(value.sizes(), value.strides(), result.options()).copy_(result);
}

/// Ends a run at the tap of forward_until; never leaves this file. Behind a fork, an interpreter
/// goes on in another thread, which hands nothing but standard exceptions over to the one that
/// waits.
struct Stop : std::exception {};

}  // namespace

/// One tap that was selected: its handlers and how often it fired.
class SelectedSlot {
 public:
  struct Handler {
    std::function<at::Tensor(const at::Tensor&)> handle;
    bool released = false;
  };

  SelectedSlot(TapPoint met, bool batched) : point(std::move(met)), batched_(batched) {}

  /// `may_stop`: an exception may leave this thread.
  at::Tensor fire(const at::Tensor& value, bool may_stop) {
    ++fired;
    at::Tensor current = batched_ ? value : value.unsqueeze(0);
    // A handler may add and release any, itself too: those of this firing live until its end.
    const auto firing = handlers;
    for (const auto& handler : firing) {
      if (!handler->released) current = handler->handle(current);
    }
    if (stop && !stopped_at.defined()) {
      stopped_at = current;
      if (may_stop) throw Stop{};
    }
    return batched_ ? current : current.squeeze(0);
  }

  /// The watch that removes the handler again, as long as `owner`, the slot's, is there.
  Watch add(std::function<at::Tensor(const at::Tensor&)> handle, std::weak_ptr<void> owner) {
    const auto& added =
        handlers.emplace_back(std::make_shared<Handler>(Handler{std::move(handle)}));
    return Watch([this, owner = std::move(owner), which = std::weak_ptr<Handler>(added)] {
      const auto alive = owner.lock();
      const auto handler = which.lock();
      if (!alive || !handler) return;
      handler->released = true;
      std::erase(handlers, handler);
    });
  }

  TapPoint point;
  std::vector<std::shared_ptr<Handler>> handlers{};
  std::int64_t fired = 0;
  bool stop = false;
  at::Tensor stopped_at{};
  std::optional<bool> in_memory{};  ///< shares_written_memory, once it was asked for

 private:
  bool batched_;
};

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    release();
    remove_ = std::move(other.remove_);
    other.remove_ = nullptr;
  }
  return *this;
}

void Watch::release() {
  if (remove_) remove_();
  remove_ = nullptr;
}

namespace {

/// One forward at a time.
class OnePass {
 public:
  OnePass(std::atomic<bool>& running, const std::string& model) : running_(running) {
    if (!running_.exchange(true, std::memory_order_acquire)) return;
    throw Error({"a forward while another one runs", model,
                 "one at a time: TappedModel::clone() for each thread",
                 "a second one, of another thread or of a handler"});
  }
  ~OnePass() { running_.store(false, std::memory_order_release); }
  OnePass(const OnePass&) = delete;
  OnePass& operator=(const OnePass&) = delete;

 private:
  std::atomic<bool>& running_;
};

TappedModel tapped_at(const Model& model, const std::set<std::string>& wanted);

}  // namespace

struct TappedModel::State {
  explicit State(Model tapped) : model(std::move(tapped)) {}

  SelectedSlot& slot(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& candidate : slots) {
      if (candidate->point.name == name) return *candidate;
      names.push_back(candidate->point.name);
    }
    throw Error({"unknown tap '" + name + "'", model.name(),
                 "a tap that was selected; the nearest are " + quoted_list(nearest(name, names)),
                 "'" + name + "'"});
  }

  /// An exception would lose its type on the way through an interpreter, and would end the program
  /// on a thread that a forward started itself: it is kept aside. On another thread the pass goes
  /// on with the value as it was.
  at::Tensor fire(std::size_t point, const at::Tensor& value) {
    const bool may_throw = std::this_thread::get_id() == runner;
    try {
      return slots.at(point)->fire(value, may_throw);
    } catch (...) {
      {
        const std::lock_guard lock(failing);
        failure = std::current_exception();
      }
      if (may_throw) throw;
      return value;
    }
  }

  c10::IValue run(const std::vector<c10::IValue>& inputs, bool all_must_fire = true) {
    const OnePass only(running, model.name());
    failure = nullptr;
    runner = std::this_thread::get_id();
    for (const auto& slot : slots) slot->fired = 0;
    c10::IValue output;
    try {
      callers_gradients = at::GradMode::is_enabled();
      const c10::AutoGradMode gradients(callers_gradients || model.derives());
      output = program->run(model.state().begin_pass(inputs));
    } catch (const std::exception& error) {
      if (failure) std::rethrow_exception(failure);
      if (model.network().passes_on(error)) throw;
      throw input_error(model, inputs, error);
    } catch (...) {
      if (failure) std::rethrow_exception(failure);
      throw;
    }
    if (failure) std::rethrow_exception(failure);
    for (const auto& slot : slots) {
      if (all_must_fire && slot->fired == 0 && !slot->handlers.empty()) {
        throw Error(
            {"tap '" + slot->point.name + "' did not fire", model.name(),
             "it to be reached in a forward pass",
             slot->point.in_control_flow ? "a branch or loop that was not entered" : "no call"});
      }
    }
    return output;
  }

  Model model;
  std::set<std::string> selected{};  ///< names of points
  std::vector<std::unique_ptr<SelectedSlot>> slots{};
  std::vector<TapPoint> points{};
  std::unique_ptr<TapProgram> program{};
  std::atomic<bool> running{false};
  std::mutex failing{};
  std::exception_ptr failure{};
  std::thread::id runner{};  ///< the thread that called the forward
  bool callers_gradients = true;
};

const std::vector<TapPoint>& TappedModel::points() const {
  return state_->points;
}
const TapPoint& TappedModel::point(const std::string& tap) const {
  return state_->slot(tap).point;
}
const Model& TappedModel::model() const {
  return state_->model;
}

c10::IValue TappedModel::forward_values(const std::vector<c10::IValue>& inputs) const {
  const std::shared_ptr<State> kept = state_;  // a handler may drop the last TappedModel
  return kept->run(inputs);
}

at::Tensor TappedModel::forward(const std::vector<at::Tensor>& inputs) const {
  const std::shared_ptr<State> kept = state_;
  return kept->model.state().logits(kept->run(kept->model.arguments(inputs)));
}

at::Tensor TappedModel::forward_until(const std::string& tap,
                                      const std::vector<at::Tensor>& inputs) const {
  const std::shared_ptr<State> kept = state_;
  SelectedSlot& slot = kept->slot(tap);
  slot.stop = true;
  at::Tensor value;
  bool stopped = false;
  try {
    kept->run(kept->model.arguments(inputs));
  } catch (const Stop&) {
    stopped = true;
  } catch (...) {
    slot.stop = false;
    slot.stopped_at = at::Tensor();
    throw;
  }
  slot.stop = false;
  value = std::move(slot.stopped_at);
  slot.stopped_at = at::Tensor();
  if (!stopped && !value.defined()) {  // a tap on another thread does not stop the pass
    throw Error({"tap '" + tap + "' did not fire", kept->model.name(),
                 "it to be reached in a forward pass", "no call"});
  }
  return value;
}

Watch TappedModel::replace(const std::string& tap,
                           std::function<at::Tensor(const at::Tensor&)> handler) const {
  SelectedSlot& slot = state_->slot(tap);
  // Where other values share the memory and somebody writes to it, the replacement goes there too.
  if (!slot.in_memory) slot.in_memory = state_->model.network().shares_written_memory(tap);
  const auto checked = [name = tap, in_memory = *slot.in_memory,
                        handler = std::move(handler)](const at::Tensor& value) {
    const at::Tensor result = fitting_replacement(name, value, handler(value));
    if (in_memory && !result.is_same(value)) {
      value.copy_(result);
      return value;
    }
    return in_layout_of(value, result);
  };
  return slot.add(checked, state_);
}

Watch TappedModel::observe(const std::string& tap,
                           std::function<void(const at::Tensor&)> handler) const {
  SelectedSlot& slot = state_->slot(tap);
  const auto pass = [handler = std::move(handler), state = state_.get()](const at::Tensor& value) {
    const c10::AutoGradMode gradients(state->callers_gradients);
    handler(value);
    return value;
  };
  return slot.add(pass, state_);
}

Watch TappedModel::capture(const std::string& tap, std::vector<at::Tensor>& values) const {
  return observe(tap, [&values](const at::Tensor& value) { values.push_back(value.clone()); });
}

SplitModel TappedModel::split(const std::string& tap) const {
  state_->slot(tap);  // refuses unknown names
  return split_model(state_->model, tap);
}

TappedModel TappedModel::clone() const {
  return tapped_at(state_->model, state_->selected);
}

TappedModel tap_model(const Model& model, const std::vector<std::string>& selectors) {
  const std::vector<std::string> selected = select_taps(model, selectors);
  return tapped_at(model, {selected.begin(), selected.end()});
}

namespace {

TappedModel tapped_at(const Model& model, const std::set<std::string>& wanted) {
  auto state = std::make_shared<TappedModel::State>(model);
  state->selected = wanted;
  state->program = model.network().tapped(
      wanted, [raw = state.get()](std::size_t point, const at::Tensor& value) {
        return raw->fire(point, value);
      });
  state->points = state->program->points();
  for (const TapPoint& point : state->points)
    state->slots.push_back(std::make_unique<SelectedSlot>(point, model.batched()));
  for (const std::string& name : wanted) {
    const bool met = std::any_of(state->points.begin(), state->points.end(),
                                 [&](const TapPoint& point) { return point.name == name; });
    if (!met) {
      throw Error({"tap '" + name + "' cannot be reached", model.name(),
                   "a call whose first argument is a tensor", "none"});
    }
  }
  return TappedModel(std::move(state));
}

}  // namespace

std::int64_t count_forks(const Model& model) {
  return model.network().forks();
}

std::vector<TapPoint> list_taps(const Model& model) {
  return model.network().points();
}

std::vector<TapReading> read_taps(const Model& model, const std::vector<c10::IValue>& inputs) {
  const TappedModel tapped = tap_model(model);
  std::vector<TapReading> readings;
  for (const TapPoint& point : tapped.points()) readings.push_back({.point = point});
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    watches.push_back(
        tapped.observe(readings[i].point.name, [&readings, i](const at::Tensor& value) {
          readings[i].sizes = value.sizes().vec();
          readings[i].shape =
              value.dim() == 0 ? "scalar" : fmt::format("{}", fmt::join(value.sizes(), "x"));
          readings[i].dtype = dtype_name(value.scalar_type());
          if (value.is_floating_point() && value.dim() > 1)
            readings[i].axis = axis_name(default_axis(value, readings[i].point));
          ++readings[i].fired;
        }));
  }
  const at::NoGradGuard no_grad;
  tapped.state_->run(inputs, false);
  return readings;
}

}  // namespace descramble
