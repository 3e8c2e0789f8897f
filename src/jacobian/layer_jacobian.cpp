#include "descramble/jacobian/layer_jacobian.h"

#include <algorithm>
#include <functional>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/taps/path.h"
#include "descramble/taps/tapped_model.h"
#include "jacobian/by_autograd.h"
#include "jacobian/derivative_trace.h"
#include "jacobian/masked_product.h"
#include "jacobian/sample_check.h"
#include "model/state.h"
#include "model/writes.h"

namespace descramble {

struct LayerJacobian::State {
  TappedModel tapped;
  std::string from;
  std::string to;
  Path path{};
  std::string route{};
  Axis from_axis = Axis::features;
  Axis to_axis = Axis::features;
  std::vector<std::int64_t> from_shape{};
  std::vector<std::int64_t> to_shape{};
  std::int64_t h = 0;
  std::int64_t o = 0;
  std::int64_t from_positions = 1;
  at::Tensor rows{};  ///< [positions·o]: places in a sample's flattened output
  std::int64_t positions = 1;
  std::int64_t to_positions = 1;
  std::vector<std::int64_t> sampled{};
  RowSelection selection{};
  std::vector<std::string> constants{};
  at::ScalarType from_dtype = at::kFloat;
  at::ScalarType to_dtype = at::kFloat;
  at::ScalarType dtype = at::kFloat;  ///< of blocks
  std::optional<Masked> masked{};
  std::int64_t widest = 0;  ///< numbers of one sample at the widest value of a described path

  std::vector<at::Tensor> on_device(std::vector<at::Tensor> inputs) const {
    for (at::Tensor& input : inputs) input = input.to(tapped.model().device());
    return inputs;
  }

  std::string between() const { return fmt::format("taps '{}' to '{}'", from, to); }

  /// What LibTorch throws is told with the taps.
  template <typename Work>
  auto by_autograd(const Work& work) const {
    const c10::AutoGradMode gradients(true);  // the caller may have switched them off
    try {
      return work();
    } catch (const Exception&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      const std::string reason = interpreter_message(error);
      // The network's own derivative has freed its graph, or has none behind it.
      const bool freed = tapped.model().state().writes().derives &&
                         (reason.find("a second time") != std::string::npos ||
                          reason.find("does not require grad") != std::string::npos);
      throw Error({"autograd cannot follow the network", between() + " of " + tapped.model().name(),
                   freed ? "derivatives inside the network that keep their graph "
                           "(create_graph=True)"
                         : "operations with a derivative, and nothing that overwrites what they "
                           "need",
                   reason});
    }
  }

  /// A pass that kept its graph.
  struct Graphed {
    at::Tensor leaf{};   ///< in the place of the first value, or added to it: the graph begins here
    at::Tensor out{};    ///< the second value
    at::Tensor value{};  ///< the first value
  };
  Graphed with_graph(const std::vector<at::Tensor>& inputs,
                     DerivativeTrace* trace = nullptr) const {
    const bool derives = tapped.model().state().writes().derives;
    const c10::AutoGradMode gradients(true);
    Graphed result;
    at::Tensor& leaf = result.leaf;
    at::Tensor& out = result.out;
    std::int64_t fired = 0;
    const Watch watch = tapped.replace(from, [&](const at::Tensor& value) {
      ++fired;
      // The value may lie in a no_grad block; what follows the block has a derivative.
      const c10::AutoGradMode inside(true);
      // One number a sample counts as a vector of one.
      const at::Tensor vectors = value.dim() == 1 ? value.unsqueeze(1) : value;
      result.value = vectors.detach();
      // A network that takes derivatives itself needs the graph behind the value: dh/d(h + 0) = 1.
      leaf = (derives ? at::zeros_like(result.value) : vectors.detach())
                 .requires_grad_(value.is_floating_point());
      at::Tensor given = leaf.view(value.sizes())
                             .clone();  // a model may write to it, and nothing may write to a leaf
      if (derives) given = value + given;
      if (trace != nullptr) trace->follow(given);
      return given;
    });
    out = tapped.forward_until(to, inputs);
    if (out.dim() == 1) out = out.unsqueeze(1);
    if (fired != 1) {
      throw Error({"no Jacobian between taps '" + from + "' and '" + to + "'",
                   tapped.model().name(), fmt::format("'{}' to come before '{}', once", from, to),
                   fired == 0 ? "the other order" : fmt::format("it {} times", fired)});
    }
    return result;
  }

  /// [B, …]. A sum is not finite where an entry is not: one pass, a closer look only then.
  void require_finite(const at::Tensor& values, const std::string& what) const {
    if (at::isfinite(values.sum()).item<bool>()) return;
    const at::Tensor finite = at::isfinite(values).flatten(1).all(1);
    if (finite.all().item<bool>()) return;  // the sum alone has left the range
    throw SampleError({what, between(), "finite numbers", "NaN or infinity"},
                      finite.logical_not().nonzero()[0][0].item<std::int64_t>());
  }
  /// Of values between the taps: a mask of NaN would be 0, and nobody the wiser.
  std::function<void(const at::Tensor&)> finite_values() const {
    return [this](const at::Tensor& values) {
      require_finite(values, "values between the taps are not finite");
    };
  }

  /// Blocks of a described path, from the values at its beginning.
  JacobianBlocks product(const at::Tensor& values, const std::vector<at::Tensor>& inputs) const;

  /// Why the path is not what the network does, "" where it is; the widest value on the way.
  std::string differs(const at::Tensor& values, const at::Tensor& out);

  bool has_one_block() const { return positions == 1 && from_positions == 1 && selection.all(); }

  /// Which positions of a tap count, bool [B, positions]; all where there is but one.
  at::Tensor counted(const std::vector<at::Tensor>& inputs, const std::vector<std::int64_t>& shape,
                     Axis axis, std::int64_t places) const {
    std::vector<std::int64_t> sizes{inputs.at(0).size(0)};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    if (places == 1) return at::ones({sizes[0], 1}, at::kBool);
    const at::Tensor like = at::zeros({1}).expand(sizes);
    return counted_rows(selection, like, axis, inputs).reshape({sizes[0], places});
  }

  at::Tensor sampled_counts(const std::vector<at::Tensor>& inputs) const {
    return counted(inputs, to_shape, to_axis, to_positions).index_select(1, at::tensor(sampled));
  }
  at::Tensor input_counts(const std::vector<at::Tensor>& inputs) const {
    return counted(inputs, from_shape, from_axis, from_positions);
  }

  /// [B, n, numel of h₁] into blocks. `inputs` tell which rows count.
  JacobianBlocks blocks_of(const at::Tensor& found, std::int64_t batch,
                           const std::vector<at::Tensor>& inputs) const {
    const at::Tensor jacobian = found.to(dtype);
    const at::Tensor whole = jacobian.size(0) == batch
                                 ? jacobian
                                 : jacobian.expand({batch, jacobian.size(1), jacobian.size(2)});
    require_finite(jacobian, "a Jacobian is not finite");
    if (has_one_block()) return {whole.contiguous(), {}};
    // [B, p, o, …] to [B, p, p′, o, h]
    const at::Tensor split =
        from_axis == Axis::channels
            ? whole.reshape({batch, positions, o, h, from_positions}).permute({0, 1, 4, 2, 3})
            : whole.reshape({batch, positions, o, from_positions, h}).permute({0, 1, 3, 2, 4});
    const at::Tensor blocks = split.reshape({-1, o, h});
    at::Tensor wanted = blocks.flatten(1).ne(0).any(1);
    if (!selection.all()) {
      const at::Tensor both =
          sampled_counts(inputs).unsqueeze(2).logical_and(input_counts(inputs).unsqueeze(1));
      wanted = wanted.logical_and(both.reshape({-1}).to(wanted.device()));
    }
    const at::Tensor kept = wanted.nonzero().flatten();
    return {blocks.index_select(0, kept), at::floor_divide(kept, positions * from_positions)};
  }
};

JacobianBlocks LayerJacobian::State::product(const at::Tensor& values,
                                             const std::vector<at::Tensor>& inputs) const {
  const at::NoGradGuard no_grad;
  const at::Tensor jacobian = masked_product(path, values, rows, finite_values());
  return blocks_of(jacobian.flatten(2), values.size(0), inputs);
}

namespace {

bool fits(const PathStep& step, const at::Tensor& argument) {
  switch (step.kind) {
    case PathStep::Kind::convolution:
      return argument.dim() == step.weight.dim();
    case PathStep::Kind::max_pool:
    case PathStep::Kind::average_pool:
      return argument.dim() == 4;
    default:
      return argument.dim() >= 2;
  }
}

/// Whether both products give the same rows: a double derivative may be NaN where a single one is
/// not, or not exist.
bool jvp_serves(const at::Tensor& leaf, const at::Tensor& out, const at::Tensor& rows) {
  const std::int64_t n = rows.size(0);
  const at::Tensor some = at::stack({rows[0], rows[n / 2], rows[n - 1]});
  at::Tensor expected = jacobian_by_vjp(leaf, out, some);
  at::Tensor found;
  try {
    found = jacobian_by_jvp(leaf, out, some);
  } catch (const std::exception&) {
    return false;  // an operation without a second derivative
  }
  expected = at::where(at::isfinite(expected), expected, found);
  const double allowed = leaf.scalar_type() == at::kDouble ? 1e-10 : 1e-3;
  return (found - expected).abs().max().item<double>() <=
         allowed * expected.abs().max().item<double>();
}

bool is_constant(PathStep::Kind kind) {
  return kind == PathStep::Kind::linear || kind == PathStep::Kind::convolution ||
         kind == PathStep::Kind::average_pool || kind == PathStep::Kind::scale ||
         kind == PathStep::Kind::flatten;
}

}  // namespace

std::string LayerJacobian::State::differs(const at::Tensor& values, const at::Tensor& out) {
  const std::string unseen = "something that the graph does not show";
  at::Tensor value = values;
  widest = value.numel() / value.size(0);
  for (const PathStep& step : path.steps) {
    if (!fits(step, value)) return step.name + " of values without a batch";
    try {
      value = step_forward(step, value);
    } catch (const c10::Error&) {
      return unseen;
    }
    if (value.dim() == 0 || value.size(0) != values.size(0)) return unseen;
    widest = std::max(widest, value.numel() / value.size(0));
  }
  const double allowed =
      (out.scalar_type() == at::kDouble ? 1e-10 : 1e-3) * out.abs().max().item<double>();
  const bool same = value.sizes() == out.sizes() && value.scalar_type() == out.scalar_type() &&
                    (value - out).abs().max().item<double>() <= allowed;
  return same ? "" : unseen;
}

LayerJacobian::LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                             const std::vector<at::Tensor>& inputs, const Options& options)
    : state_(new State{.tapped = tap_model(model, {from, to}), .from = from, .to = to}) {
  State& state = *state_;
  if (model.state_policy() == StatePolicy::carry && !model.written().empty()) {
    throw Error({"no Jacobians of a model that carries its state from batch to batch", model.name(),
                 "\"state\": \"reset\" in the model", "\"carry\""});
  }
  state.path = find_path(model, from, to);
  if (model.state().writes().derives)
    state.path = {.obstacle = "the network takes derivatives itself"};
  if (!options.route.empty() && options.route != "masked_product" && options.route != "vjp" &&
      options.route != "jvp") {
    throw Error({"unknown route", "route", "masked_product, vjp or jvp", options.route});
  }
  const std::vector<at::Tensor> given = state.on_device(inputs);
  DerivativeTrace::Losses losses;
  const auto [leaf, out, value_there] = state.by_autograd([&] {
    DerivativeTrace trace;
    auto values = state.with_graph(given, &trace);
    losses = trace.losses(values.out);
    return values;
  });
  for (const auto& [value, name] : {std::pair{leaf, from}, {out, to}}) {
    if (value.is_floating_point() && value.dim() >= 2 && value.size(0) == inputs.at(0).size(0)) {
      continue;
    }
    throw Error({"no Jacobian at tap '" + name + "'", model.name(),
                 "floating-point values, [batch, ...]", shape_text(value)});
  }
  const bool reached =
      state.by_autograd([&, &from = leaf, &to = out] { return reaches(from, to); });
  if (!reached || !losses.cuts.empty()) {
    const std::vector<std::string>& lost = losses.cuts.empty() ? losses.steps : losses.cuts;
    const std::string nothing = model.state().writes().derives
                                    ? "a derivative inside the network without create_graph=True"
                                    : "no operation that takes the one to the other";
    throw Error(
        {reached ? fmt::format("a branch from tap '{}' to '{}' has no derivative", from, to)
                 : fmt::format("no path with a derivative leads from tap '{}' to '{}'", from, to),
         model.name(), "differentiable operations between them",
         lost.empty() ? nothing : fmt::format("{}", fmt::join(lost, ", "))});
  }
  if (!options.alone) {
    require_samples_apart(state.tapped, to, given, out.detach());
    require_samples_apart(state.tapped, from, given, value_there);
  }
  state.constants = losses.steps;
  state.from_dtype = leaf.scalar_type();
  state.to_dtype = out.scalar_type();
  // What half precision holds is exact in single precision, and sums of it are not lost.
  state.dtype = c10::promoteTypes(leaf.scalar_type(), at::kFloat);
  state.from_axis = options.from_axis.value_or(default_axis(leaf, state.tapped.point(from)));
  state.to_axis = options.to_axis.value_or(default_axis(out, state.tapped.point(to)));
  state.from_shape.assign(leaf.sizes().begin() + 1, leaf.sizes().end());
  state.to_shape.assign(out.sizes().begin() + 1, out.sizes().end());
  state.h = axis_size(leaf, state.from_axis);
  state.o = axis_size(out, state.to_axis);
  const std::int64_t all_from = leaf.numel() / leaf.size(0);
  const std::int64_t all_to = out.numel() / out.size(0);
  state.from_positions = all_from / state.h;
  const std::int64_t to_positions = all_to / state.o;
  state.to_positions = to_positions;
  state.selection = options.rows;
  std::vector<std::int64_t> chosen =
      random_stream(options.seed, "jacobian/positions").permutation(to_positions);
  if (!options.rows.all()) {
    if (to_positions == 1 && state.from_positions == 1) {
      throw Error({"no rows to choose from", state.between(),
                   "a tap with several positions for each sample", "one position at both"});
    }
    at::Tensor some;
    const auto look = [&](const std::vector<at::Tensor>& batch) {
      const at::Tensor here =
          state.counted(batch, state.to_shape, state.to_axis, to_positions).any(0).to(at::kCPU);
      some = some.defined() ? some.logical_or(here) : here;
    };
    look(given);
    if (options.each_batch) options.each_batch(look);
    const bool* counts = some.data_ptr<bool>();
    std::erase_if(chosen, [&](std::int64_t place) { return !counts[place]; });
    if (chosen.empty()) {
      throw Error(
          {"no row of the tap counts", "tap '" + to + "'", "at least one position", "none"});
    }
  }
  state.positions = std::min(std::max<std::int64_t>(options.positions, 1),
                             static_cast<std::int64_t>(chosen.size()));
  chosen.resize(static_cast<std::size_t>(state.positions));
  std::sort(chosen.begin(), chosen.end());
  state.sampled = chosen;
  const at::Tensor places = at::arange(all_to, at::kLong);
  const at::Tensor by_position = state.to_axis == Axis::channels
                                     ? places.reshape({state.o, to_positions}).t()
                                     : places.reshape({to_positions, state.o});
  state.rows = by_position.index_select(0, at::tensor(chosen, at::kLong)).reshape({-1});

  if (state.path.described) {
    // The graph was read; now it is held against the network.
    const at::NoGradGuard no_grad;
    if (const std::string wrong = state.differs(leaf.detach(), out.detach()); !wrong.empty())
      state.path = {.obstacle = wrong};
  }
  const std::int64_t n = state.rows.size(0);
  if (options.route == "masked_product" && !state.path.described) {
    throw Error({"the path is no product of weights and masks", state.between(),
                 "linear and piecewise linear operations in one line", state.path.obstacle});
  }
  state.route = !options.route.empty() ? options.route
                : state.path.described ? "masked_product"
                : 2 * all_from < n     ? "jvp"
                                       : "vjp";
  if (state.route == "jvp" && options.route.empty()) {
    const bool serves =
        state.by_autograd([&, &at = leaf, &to = out] { return jvp_serves(at, to, state.rows); });
    if (!serves) state.route = "vjp";
  }
  if (state.path.described && state.from_positions == 1 && to_positions == 1) {
    Path constant = state.path;
    const auto rectifiers =
        std::count_if(constant.steps.begin(), constant.steps.end(),
                      [](const PathStep& step) { return !is_constant(step.kind); });
    const auto rectifies = [](const PathStep& step) {
      return step.kind == PathStep::Kind::rectifier;
    };
    Masked masked;
    if (rectifiers == 1 && rectifies(constant.steps.back())) {
      masked.on_outputs = true;
      constant.steps.pop_back();
    } else if (rectifiers == 1 && rectifies(constant.steps.front())) {
      masked.on_inputs = true;
      constant.steps.erase(constant.steps.begin());
    }
    if (rectifiers == 0 || masked.on_outputs || masked.on_inputs) {
      const at::NoGradGuard no_grad;
      masked.weight = masked_product(constant, leaf.detach().slice(0, 0, 1), state.rows, {})
                          .reshape({state.o, state.h})
                          .to(state.dtype, /*non_blocking=*/false, /*copy=*/true);
      state.masked = std::move(masked);
    }
  }
}

LayerJacobian::~LayerJacobian() = default;
LayerJacobian::LayerJacobian(LayerJacobian&&) noexcept = default;
LayerJacobian& LayerJacobian::operator=(LayerJacobian&&) noexcept = default;

JacobianBlocks LayerJacobian::operator()(const std::vector<at::Tensor>& inputs) const {
  if (state_->route == "masked_product") return state_->product(from_values(inputs), inputs);
  return state_->by_autograd([&] {
    const std::vector<at::Tensor> given = state_->on_device(inputs);
    const State::Graphed pass = state_->with_graph(given);
    const at::Tensor jacobian = state_->route == "vjp"
                                    ? jacobian_by_vjp(pass.leaf, pass.out, state_->rows)
                                    : jacobian_by_jvp(pass.leaf, pass.out, state_->rows);
    return state_->blocks_of(jacobian.detach(), pass.leaf.size(0), given);
  });
}

at::Tensor LayerJacobian::counted_positions(const std::vector<at::Tensor>& inputs) const {
  const at::Tensor to_counts = state_->sampled_counts(inputs).to(at::kCPU);
  const at::Tensor from_counts = state_->input_counts(inputs).to(at::kCPU);
  return to_counts.sum(1).mul(from_counts.any(1)).to(at::kDouble);
}

at::Tensor LayerJacobian::from_values(const std::vector<at::Tensor>& inputs) const {
  const at::NoGradGuard no_grad;
  return state_->tapped.forward_until(state_->from, state_->on_device(inputs)).clone();
}

JacobianBlocks LayerJacobian::of_values(const at::Tensor& from_values) const {
  if (!state_->path.described) {
    throw Error({"Jacobians do not follow from the values at tap '" + from() + "' alone",
                 state_->between(), "a masked product", route() + ", since of " + obstacle()});
  }
  if (selects_rows()) {
    throw Error({"which rows count does not follow from the values at tap '" + from() + "'",
                 state_->between(), "the inputs, or all rows", "the values alone"});
  }
  return state_->product(from_values, {});
}

const std::optional<LayerJacobian::Masked>& LayerJacobian::masked() const {
  return state_->masked;
}

at::Tensor LayerJacobian::masks(const at::Tensor& from_values) const {
  const auto& masked = state_->masked;
  if (!masked || !(masked->on_inputs || masked->on_outputs)) {
    throw Error(
        {"no mask to tell", state_->between(), "one rectifier at an end of the path", "none"});
  }
  const at::NoGradGuard no_grad;
  const std::vector<PathStep>& steps = state_->path.steps;
  at::Tensor value = from_values;
  if (masked->on_outputs) {
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) value = step_forward(steps[i], value);
  }
  state_->finite_values()(value);
  return rectifier_mask(masked->on_outputs ? steps.back() : steps.front(), value).flatten(1);
}

const std::string& LayerJacobian::from() const {
  return state_->from;
}
const std::string& LayerJacobian::to() const {
  return state_->to;
}
const std::string& LayerJacobian::route() const {
  return state_->route;
}
const std::string& LayerJacobian::obstacle() const {
  return state_->path.obstacle;
}
Axis LayerJacobian::from_axis() const {
  return state_->from_axis;
}
Axis LayerJacobian::to_axis() const {
  return state_->to_axis;
}
std::int64_t LayerJacobian::inputs() const {
  return state_->h;
}
std::int64_t LayerJacobian::outputs() const {
  return state_->o;
}
const std::vector<std::int64_t>& LayerJacobian::from_shape() const {
  return state_->from_shape;
}
const std::vector<std::int64_t>& LayerJacobian::to_shape() const {
  return state_->to_shape;
}
std::int64_t LayerJacobian::positions() const {
  return state_->positions;
}
const std::vector<std::int64_t>& LayerJacobian::sampled_positions() const {
  return state_->sampled;
}
bool LayerJacobian::has_one_block() const {
  return state_->has_one_block();
}
bool LayerJacobian::selects_rows() const {
  return !state_->selection.all();
}
const std::vector<std::string>& LayerJacobian::constants() const {
  return state_->constants;
}
std::int64_t LayerJacobian::bytes_of_one() const {
  return state_->rows.size(0) * state_->h * state_->from_positions *
         static_cast<std::int64_t>(c10::elementSize(state_->dtype));
}
std::int64_t LayerJacobian::work_bytes_of_one() const {
  const std::int64_t numbers =
      state_->path.described ? 2 * state_->rows.size(0) * state_->widest : 2 * state_->rows.size(0);
  // Blocks by position are cut out of the whole and those that are not zero out of these.
  const std::int64_t copies = has_one_block() ? 1 : 2;
  return copies * bytes_of_one() +
         numbers * static_cast<std::int64_t>(c10::elementSize(state_->dtype));
}
at::ScalarType LayerJacobian::dtype() const {
  return state_->dtype;
}
at::ScalarType LayerJacobian::from_dtype() const {
  return state_->from_dtype;
}
at::ScalarType LayerJacobian::to_dtype() const {
  return state_->to_dtype;
}

}  // namespace descramble
