#include "descramble/jacobian/layer_jacobian.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/taps/path.h"
#include "descramble/taps/tapped_model.h"
#include "jacobian/block_layout.h"
#include "jacobian/by_autograd.h"
#include "jacobian/derivative_trace.h"
#include "jacobian/described_path.h"
#include "jacobian/finite.h"
#include "jacobian/graphed_pass.h"
#include "jacobian/masked_product.h"
#include "jacobian/sample_check.h"

namespace descramble {

struct LayerJacobian::State {
  TappedModel tapped;
  std::string from;
  std::string to;
  std::string between;  ///< the taps, for errors
  Path path{};
  std::string route{};
  BlockLayout layout{};
  std::vector<std::string> constants{};
  std::optional<Masked> masked{};
  std::int64_t widest = 0;  ///< numbers of one sample at the widest value of a described path

  std::vector<at::Tensor> on_device(std::vector<at::Tensor> inputs) const {
    for (at::Tensor& input : inputs) input = input.to(tapped.model().device());
    return inputs;
  }

  /// Checks values between the taps: the mask of a NaN would be 0, and would hide the NaN.
  std::function<void(const at::Tensor&)> finite_values() const {
    return [this](const at::Tensor& values) {
      require_finite(values, "values between the taps are not finite", between);
    };
  }

  /// Blocks of a described path, from the values at its beginning.
  JacobianBlocks product(const at::Tensor& values, const std::vector<at::Tensor>& inputs) const {
    const at::NoGradGuard no_grad;
    const at::Tensor jacobian = masked_product(path, values, layout.rows, finite_values());
    return layout.cut(jacobian.flatten(2), values.size(0), inputs);
  }

  // What the constructor does, in this order.

  void find_described_path();
  /// A pass from tap to tap. @throws Error for a pass without a Jacobian
  GraphedPass first_pass(const std::vector<at::Tensor>& given);
  void require_derivative(const GraphedPass& pass, const DerivativeTrace::Losses& losses) const;
  void lay_out(const GraphedPass& pass, const std::vector<at::Tensor>& given,
               const Options& options);
  void choose_route(const GraphedPass& pass, const std::string& wanted);
};

namespace {

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

}  // namespace

void LayerJacobian::State::find_described_path() {
  path = find_path(tapped.model(), from, to);
  if (tapped.model().derives()) path = {.obstacle = "the network takes derivatives itself"};
}

GraphedPass LayerJacobian::State::first_pass(const std::vector<at::Tensor>& given) {
  DerivativeTrace::Losses losses;
  const GraphedPass pass = with_gradients(tapped, between, [&] {
    DerivativeTrace trace;
    auto values = pass_with_graph(tapped, from, to, given, &trace);
    losses = trace.losses(values.out);
    return values;
  });
  for (const auto& [value, name] : {std::pair{pass.leaf, from}, {pass.out, to}}) {
    if (value.is_floating_point() && value.dim() >= 2 && value.size(0) == given.at(0).size(0)) {
      continue;
    }
    throw Error({"no Jacobian at tap '" + name + "'", tapped.model().name(),
                 "floating-point values, [batch, ...]", shape_text(value)});
  }
  require_derivative(pass, losses);
  constants = losses.steps;
  return pass;
}

void LayerJacobian::State::require_derivative(const GraphedPass& pass,
                                              const DerivativeTrace::Losses& losses) const {
  const bool reached =
      with_gradients(tapped, between, [&] { return reaches(pass.leaf, pass.out); });
  if (reached && losses.cuts.empty()) return;
  const std::vector<std::string>& lost = losses.cuts.empty() ? losses.steps : losses.cuts;
  const std::string nothing = tapped.model().derives()
                                  ? "a derivative inside the network without create_graph=True"
                                  : "no operation that takes the one to the other";
  throw Error({reached
                   ? fmt::format("a branch from tap '{}' to '{}' has no derivative", from, to)
                   : fmt::format("no path with a derivative leads from tap '{}' to '{}'", from, to),
               tapped.model().name(), "differentiable operations between them",
               lost.empty() ? nothing : fmt::format("{}", fmt::join(lost, ", "))});
}

void LayerJacobian::State::lay_out(const GraphedPass& pass, const std::vector<at::Tensor>& given,
                                   const Options& options) {
  const auto space = [this](const std::string& tap, const at::Tensor& value,
                            const std::optional<Axis>& axis) {
    return space_of(tap, value, axis.value_or(default_axis(value, tapped.point(tap))));
  };
  layout = block_layout(space(from, pass.leaf, options.from_axis),
                        space(to, pass.out, options.to_axis), options.rows, between);
  layout.sample(options, given);
}

void LayerJacobian::State::choose_route(const GraphedPass& pass, const std::string& wanted) {
  if (path.described) {
    // The graph was read; now it is compared with the network.
    const PathCheck check = check_path(path, pass.leaf.detach(), pass.out.detach());
    widest = check.widest;
    if (!check.difference.empty()) path = {.obstacle = check.difference};
  }
  if (wanted == "masked_product" && !path.described) {
    throw Error({"the path is no product of weights and masks", between,
                 "linear and piecewise linear operations in one line", path.obstacle});
  }
  route = wanted;
  if (!wanted.empty()) return;
  const std::int64_t all_from = pass.leaf.numel() / pass.leaf.size(0);
  route = path.described ? "masked_product" : 2 * all_from < layout.rows.size(0) ? "jvp" : "vjp";
  if (route != "jvp") return;
  const bool serves =
      with_gradients(tapped, between, [&] { return jvp_serves(pass.leaf, pass.out, layout.rows); });
  if (!serves) route = "vjp";
}

LayerJacobian::LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                             const std::vector<at::Tensor>& inputs, const Options& options)
    : state_(new State{.tapped = tap_model(model, {from, to}),
                       .from = from,
                       .to = to,
                       .between = fmt::format("taps '{}' to '{}'", from, to)}) {
  State& state = *state_;
  if (model.state_policy() == StatePolicy::carry && !model.written().empty()) {
    throw Error({"no Jacobians of a model that carries its state from batch to batch", model.name(),
                 "\"state\": \"reset\" in the model", "\"carry\""});
  }
  state.find_described_path();
  if (!options.route.empty() && options.route != "masked_product" && options.route != "vjp" &&
      options.route != "jvp") {
    throw Error({"unknown route", "route", "masked_product, vjp or jvp", options.route});
  }
  const std::vector<at::Tensor> given = state.on_device(inputs);
  const GraphedPass pass = state.first_pass(given);
  if (!options.alone) {
    require_samples_apart(state.tapped, to, given, pass.out.detach());
    require_samples_apart(state.tapped, from, given, pass.value);
  }
  state.lay_out(pass, given, options);
  state.choose_route(pass, options.route);
  if (state.path.described)
    state.masked = constant_factor(state.path, pass.leaf.detach(), state.layout);
}

LayerJacobian::~LayerJacobian() = default;
LayerJacobian::LayerJacobian(LayerJacobian&&) noexcept = default;
LayerJacobian& LayerJacobian::operator=(LayerJacobian&&) noexcept = default;

JacobianBlocks LayerJacobian::operator()(const std::vector<at::Tensor>& inputs) const {
  if (state_->route == "masked_product") return state_->product(from_values(inputs), inputs);
  return with_gradients(state_->tapped, state_->between, [&] {
    const std::vector<at::Tensor> given = state_->on_device(inputs);
    const GraphedPass pass = pass_with_graph(state_->tapped, state_->from, state_->to, given);
    const at::Tensor& rows = state_->layout.rows;
    const at::Tensor jacobian = state_->route == "vjp" ? jacobian_by_vjp(pass.leaf, pass.out, rows)
                                                       : jacobian_by_jvp(pass.leaf, pass.out, rows);
    return state_->layout.cut(jacobian.detach(), pass.leaf.size(0), given);
  });
}

at::Tensor LayerJacobian::counted_positions(const std::vector<at::Tensor>& inputs) const {
  const at::Tensor to_counts = state_->layout.sampled_counts(inputs).to(at::kCPU);
  const at::Tensor from_counts = state_->layout.input_counts(inputs).to(at::kCPU);
  return to_counts.sum(1).mul(from_counts.any(1)).to(at::kDouble);
}

at::Tensor LayerJacobian::from_values(const std::vector<at::Tensor>& inputs) const {
  const at::NoGradGuard no_grad;
  return state_->tapped.forward_until(state_->from, state_->on_device(inputs)).clone();
}

JacobianBlocks LayerJacobian::of_values(const at::Tensor& from_values) const {
  if (!state_->path.described) {
    throw Error({"Jacobians do not follow from the values at tap '" + state_->from + "' alone",
                 state_->between, "a masked product", route() + ", since of " + obstacle()});
  }
  if (selects_rows()) {
    throw Error({"which rows count does not follow from the values at tap '" + state_->from + "'",
                 state_->between, "the inputs, or all rows", "the values alone"});
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
        {"no mask to tell", state_->between, "one rectifier at an end of the path", "none"});
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

const TapSpace& LayerJacobian::from_space() const {
  return state_->layout.from;
}
const TapSpace& LayerJacobian::to_space() const {
  return state_->layout.to;
}
const std::string& LayerJacobian::route() const {
  return state_->route;
}
const std::string& LayerJacobian::obstacle() const {
  return state_->path.obstacle;
}
std::int64_t LayerJacobian::positions() const {
  return state_->layout.positions();
}
const std::vector<std::int64_t>& LayerJacobian::sampled_positions() const {
  return state_->layout.sampled;
}
bool LayerJacobian::has_one_block() const {
  return state_->layout.has_one_block();
}
bool LayerJacobian::selects_rows() const {
  return !state_->layout.selection.all();
}
const std::vector<std::string>& LayerJacobian::constants() const {
  return state_->constants;
}
std::int64_t LayerJacobian::bytes_of_one() const {
  const BlockLayout& layout = state_->layout;
  return layout.rows.size(0) * layout.from.dimension * layout.from_positions *
         static_cast<std::int64_t>(c10::elementSize(layout.dtype));
}
std::int64_t LayerJacobian::work_bytes_of_one() const {
  const std::int64_t rows = state_->layout.rows.size(0);
  const std::int64_t numbers = state_->path.described ? 2 * rows * state_->widest : 2 * rows;
  // Blocks by position are cut out of the whole, and then only blocks that are not zero are kept.
  const std::int64_t copies = has_one_block() ? 1 : 2;
  return copies * bytes_of_one() +
         numbers * static_cast<std::int64_t>(c10::elementSize(state_->layout.dtype));
}
at::ScalarType LayerJacobian::dtype() const {
  return state_->layout.dtype;
}

}  // namespace descramble
