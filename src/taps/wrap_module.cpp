#include "descramble/taps/wrap_module.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "core/at_end.h"
#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "descramble/taps/point.h"
#include "descramble/taps/tap.h"
#include "model/kept_generators.h"
#include "taps/unheard.h"

namespace descramble {

namespace {

std::vector<at::Tensor> tensors_in(const std::vector<c10::IValue>& inputs) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& input : inputs) tensors.push_back(input.toTensor());
  return tensors;
}

/// Names of points in the order in which a pass meets them: "fc1", "fc1_1", "fc1_2".
class PassNames {
 public:
  std::string next(const std::string& name) {
    std::string result = name;
    for (int count = 1; !met_.insert(result).second; ++count)
      result = fmt::format("{}_{}", name, count);
    return result;
  }

 private:
  std::set<std::string> met_{};
};

using Seen = std::function<at::Tensor(const std::string& point, const at::Tensor& value)>;

/// One pass; `seen` gets each point. @throws what the module throws
at::Tensor pass(const ModuleForward& forward, const std::vector<at::Tensor>& inputs,
                const Seen& seen) {
  PassNames names;
  std::vector<at::Tensor> given;
  for (const at::Tensor& input : inputs) given.push_back(seen(names.next("input"), input));
  names.next("output");  // a tap of that name is output_1
  // Threads that adopt the scope meet their taps one at a time, and what a handler runs itself is
  // no part of this pass.
  std::mutex meeting;
  TapScope scope;
  scope.replace_all([&](const std::string& name, const at::Tensor& value) {
    const std::lock_guard lock(meeting);
    const auto unheard = TapScope::adopt(nullptr);
    return seen(names.next(name), value);
  });
  return seen("output", forward(given));
}

class WrappedProgram final : public TapProgram {
 public:
  WrappedProgram(ModuleForward forward, std::vector<TapPoint> points, Fire fire)
      : forward_(std::move(forward)), points_(std::move(points)), fire_(std::move(fire)) {
    for (std::size_t i = 0; i < points_.size(); ++i) places_[points_[i].name] = i;
  }
  const std::vector<TapPoint>& points() const override { return points_; }
  c10::IValue run(const std::vector<c10::IValue>& inputs) const override {
    return pass(forward_, tensors_in(inputs),
                [this](const std::string& point, const at::Tensor& value) {
                  const auto found = places_.find(point);
                  return found == places_.end() ? value : fire_(found->second, value);
                });
  }

 private:
  ModuleForward forward_;
  std::vector<TapPoint> points_;
  std::map<std::string, std::size_t> places_{};
  Fire fire_;
};

using NamedTensor = std::pair<std::string, at::Tensor>;

/// Parameters and buffers.
std::vector<NamedTensor> state_of(const ModuleFacts& facts) {
  std::vector<NamedTensor> all = facts.parameters;
  all.insert(all.end(), facts.buffers.begin(), facts.buffers.end());
  return all;
}

/// Some tensors of a module as they were at one moment.
class KeptTensors {
 public:
  explicit KeptTensors(const std::vector<NamedTensor>& tensors) {
    for (const auto& [name, tensor] : tensors)
      kept_.push_back({name, tensor, tensor.detach().clone(), version_of(tensor)});
  }

  /// The names of those that were written to since.
  std::vector<std::string> written() const {
    std::vector<std::string> names;
    for (const Kept& one : kept_) {
      if (is_written(one)) names.push_back(one.name);
    }
    return names;
  }
  /// Puts the contents of those back. The others are not touched: a graph may hold them.
  void restore() const {
    const at::NoGradGuard no_grad;
    for (const Kept& one : kept_) {
      if (!is_written(one)) continue;
      if (one.tensor.sizes() == one.before.sizes() &&
          one.tensor.scalar_type() == one.before.scalar_type())
        one.tensor.copy_(one.before);
      else
        one.tensor.set_data(one.before.clone());  // a forward that resizes its own tensor
    }
  }

 private:
  struct Kept {
    std::string name;
    at::Tensor tensor;
    at::Tensor before;
    std::int64_t version;
  };
  static std::int64_t version_of(const at::Tensor& tensor) {
    return static_cast<std::int64_t>(tensor._version());
  }
  static bool is_written(const Kept& one) {
    return version_of(one.tensor) != one.version || one.tensor.sizes() != one.before.sizes() ||
           one.tensor.scalar_type() != one.before.scalar_type() ||
           !at::equal(one.before, one.tensor);
  }

  std::vector<Kept> kept_{};
};

/// What passes on the examples show.
struct Met {
  std::vector<TapPoint> points{};      ///< in the order in which they come into being
  std::vector<std::string> written{};  ///< parameters and buffers
  std::set<std::string> unheard{};     ///< taps that no listener met, and that are no points
};

class WrappedModule final : public Network {
 public:
  WrappedModule(ModuleForward forward, ModuleFacts facts, Met met, std::size_t inputs)
      : forward_(std::move(forward)),
        facts_(std::move(facts)),
        met_(std::move(met)),
        inputs_(inputs) {}

  c10::IValue run(const std::vector<c10::IValue>& inputs) const override {
    return forward_(tensors_in(inputs));
  }
  ModelDescription description() const override {
    ModelDescription description{.class_name = facts_.name, .output = "Tensor"};
    for (std::size_t i = 0; i < inputs_; ++i) {
      description.inputs.push_back(
          {.name = i == 0 ? "input" : fmt::format("input_{}", i), .type = "Tensor"});
    }
    for (const auto& [name, tensor] : facts_.parameters) description.parameters += tensor.numel();
    return description;
  }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    return facts_.parameters;
  }
  std::vector<std::pair<std::string, at::Tensor>> buffers() const override {
    return facts_.buffers;
  }
  void set_training(bool on) const override {
    if (facts_.set_training) facts_.set_training(on);
  }
  /// What is no complaint of an operator is the module's own.
  bool passes_on(const std::exception& error) const override {
    return dynamic_cast<const c10::Error*>(&error) == nullptr;
  }
  bool is_training() const override { return facts_.is_training && facts_.is_training(); }
  std::function<void()> keep_modes() const override { return facts_.keep_modes(); }
  std::optional<at::Device> device() const override {
    if (facts_.parameters.empty()) return std::nullopt;
    return facts_.parameters.front().second.device();
  }
  const std::vector<std::string>& written() const override { return met_.written; }
  std::function<void()> keep_state() const override {
    if (met_.written.empty()) return {};
    std::vector<NamedTensor> tensors = state_of(facts_);
    std::erase_if(tensors, [this](const NamedTensor& one) {
      return std::find(met_.written.begin(), met_.written.end(), one.first) == met_.written.end();
    });
    return [kept = std::make_shared<const KeptTensors>(tensors)] { kept->restore(); };
  }
  std::vector<TapPoint> points() const override { return met_.points; }
  std::map<std::string, std::string> no_points() const override {
    std::map<std::string, std::string> result;
    for (const std::string& name : met_.unheard)
      result[name] = "one on a thread that has no listeners (see TapScope::adopt)";
    return result;
  }
  std::unique_ptr<TapProgram> tapped(const std::set<std::string>& names, Fire fire) const override {
    std::vector<TapPoint> selected;
    for (const TapPoint& point : met_.points) {
      if (names.contains(point.name)) selected.push_back(point);
    }
    return std::make_unique<WrappedProgram>(forward_, std::move(selected), std::move(fire));
  }

 private:
  ModuleForward forward_;
  ModuleFacts facts_;
  Met met_;
  std::size_t inputs_;
};

/// Eval mode for some passes.
class InEvalMode {
 public:
  explicit InEvalMode(const ModuleFacts& facts) : restore_(facts.keep_modes()) {
    if (facts.set_training) facts.set_training(false);
  }
  InEvalMode(const InEvalMode&) = delete;
  InEvalMode& operator=(const InEvalMode&) = delete;

 private:
  AtEnd restore_;
};

/// The same facts, with all that can be known of modes.
ModuleFacts complete(ModuleFacts facts) {
  if (facts.keep_modes) return facts;
  facts.keep_modes = [is_training = facts.is_training, set = facts.set_training]() {
    const bool on = is_training && is_training();
    return [set, on] {
      if (set) set(on);
    };
  };
  return facts;
}

std::vector<TapPoint> points_met(const ModuleForward& forward,
                                 const std::vector<std::vector<at::Tensor>>& examples,
                                 const ModuleFacts& facts) {
  const at::NoGradGuard no_grad;
  const InEvalMode eval(facts);
  std::vector<TapPoint> points;
  std::map<std::string, std::size_t> met;
  for (const std::vector<at::Tensor>& example : examples) {
    // A point that is new stands behind the one that was met before it.
    auto place = points.begin();
    pass(forward, example, [&](const std::string& name, const at::Tensor& value) {
      ++met[name];
      auto found = std::find_if(points.begin(), points.end(),
                                [&](const TapPoint& point) { return point.name == name; });
      if (found == points.end()) {
        const bool own = name == "output" || name == "input" || name.starts_with("input_");
        found = points.insert(place,
                              {.name = name,
                               .kind = own ? (name == "output" ? "output" : "input") : "operator",
                               .type = own ? "Tensor" : "tap"});
      }
      place = found + 1;
      return value;
    });
  }
  for (TapPoint& point : points) point.in_control_flow = met[point.name] < examples.size();
  return points;
}

/// Puts back what the passes change: tensors of the module, and random numbers.
Met met_by(const ModuleForward& forward, const std::vector<std::vector<at::Tensor>>& examples,
           const ModuleFacts& facts) {
  const KeptTensors kept(state_of(facts));
  const AtEnd restore([&kept] { kept.restore(); });
  const KeptGenerators generators(examples.front().front().device());
  const auto unheard_by_others = TapScope::adopt(nullptr);
  const UnheardTaps unheard;
  Met met{.points = points_met(forward, examples, facts)};
  met.unheard = unheard.names();
  for (const TapPoint& point : met.points) met.unheard.erase(point.name);
  met.written = kept.written();
  return met;
}

}  // namespace

Model wrap_module(ModuleForward forward, const std::vector<std::vector<at::Tensor>>& examples,
                  const ModuleFacts& given) {
  const ModuleFacts facts = complete(given);
  if (examples.empty() || examples.front().empty())
    throw Error({"no example", facts.name, "at least one input of the forward", "none"});
  Met met;
  try {
    met = met_by(forward, examples, facts);
  } catch (const Exception&) {
    throw;
  } catch (const std::exception& error) {
    throw Error({"the forward does not take the example", facts.name,
                 "inputs as the module takes them", first_line(error.what())});
  }
  const at::Device device = facts.parameters.empty() ? examples.front().front().device()
                                                     : facts.parameters[0].second.device();
  return Model::of(std::make_shared<WrappedModule>(std::move(forward), facts, std::move(met),
                                                   examples.front().size()),
                   facts.name, device);
}

Model wrap_module(std::function<at::Tensor(const at::Tensor&)> forward, const at::Tensor& example,
                  const ModuleFacts& facts) {
  return wrap_module(
      [forward = std::move(forward), name = facts.name](const std::vector<at::Tensor>& inputs) {
        if (inputs.size() != 1) {
          throw Error({"inputs that the forward does not take", name, "one tensor",
                       fmt::format("{} of them", inputs.size())});
        }
        return forward(inputs[0]);
      },
      std::vector<std::vector<at::Tensor>>{{example}}, facts);
}

}  // namespace descramble
