#include "descramble/basis/rotation_pair.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

struct RotationPair::Learnable {
  Chart chart;
  at::Tensor base;        // P₀
  at::Tensor parameters;  // θ, a leaf

  std::int64_t dimension() const { return base.size(0); }

  /// P₀ ← P, θ ← 0.
  void move_base() {
    const c10::InferenceMode off(false);  // the base outlives the mode of the caller
    const at::NoGradGuard no_grad;
    if (!parameters.ne(0).any().item<bool>()) return;
    base = reorthogonalised(rotation_of(chart, skew_matrix(parameters, dimension()), base));
    parameters.zero_();
  }
};

at::Tensor turned(const at::Tensor& matrix, const at::Tensor& value, Axis axis) {
  if (axis_size(value, axis) != matrix.size(0)) {
    throw Error({"rotation of the wrong size", axis_name(axis),
                 fmt::format("d = {}", axis_size(value, axis)),
                 fmt::format("d = {}", matrix.size(0))});
  }
  const at::Tensor weight = matrix.to(value.device(), value.scalar_type());
  return from_rows(at::linear(to_rows(value, axis), weight), value, axis);
}

namespace {

thread_local int fixed_charts = 0;  ///< FixedCharts that live

}  // namespace

FixedCharts::FixedCharts() {
  ++fixed_charts;
}
FixedCharts::~FixedCharts() {
  --fixed_charts;
}

RotationPair::RotationPair(const at::Tensor& rotation)
    : rotation_(rotation.detach().to(at::kCPU, at::kDouble).clone(at::MemoryFormat::Contiguous)) {
  if (rotation_.dim() != 2 || rotation_.size(0) != rotation_.size(1) || rotation_.size(0) == 0) {
    throw Error({"not a rotation", "", "a square matrix", shape_text(rotation)});
  }
  const double distance = distance_from_orthogonal(rotation_);
  const double limit = 1e-6 * static_cast<double>(dimension());
  if (!(distance <= limit)) {
    throw Error({"not a rotation", "", fmt::format("|PtP - I| <= {:.1e}", limit),
                 fmt::format("{:.3e}", distance)});
  }
}

RotationPair RotationPair::identity(std::int64_t d) {
  return RotationPair(at::eye(d, at::kDouble));
}

RotationPair RotationPair::learnable(const at::Tensor& start, Chart chart) {
  RotationPair pair(start);
  const std::int64_t d = pair.dimension();
  pair.learnable_ = std::make_shared<Learnable>(Learnable{
      chart, pair.rotation_, at::zeros({d * (d - 1) / 2}, at::kDouble).set_requires_grad(true)});
  return pair;
}

RotationPair RotationPair::learnable(std::int64_t d, Chart chart) {
  return learnable(at::eye(d, at::kDouble), chart);
}

at::Tensor RotationPair::matrix() const {
  if (!learnable_) return rotation_;
  if (learnable_->chart == Chart::cayley && fixed_charts == 0) learnable_->move_base();
  return rotation_of(learnable_->chart, skew_matrix(learnable_->parameters, dimension()),
                     learnable_->base);
}

std::vector<at::Tensor> RotationPair::parameters() const {
  if (!learnable_) return {};
  return {learnable_->parameters};
}

std::vector<at::Tensor> RotationPair::state() const {
  if (!learnable_) return {rotation_.clone()};
  return {learnable_->base.detach().clone(), learnable_->parameters.detach().clone()};
}

void RotationPair::restore(const std::vector<at::Tensor>& state) {
  const std::size_t wanted = learnable_ ? 2 : 1;
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    throw Error({"not a state of this rotation pair", "", expected, found});
  };
  if (state.size() != wanted)
    refuse(fmt::format("{} tensors", wanted), fmt::format("{}", state.size()));
  if (state[0].sizes() != rotation_.sizes()) refuse(shape_text(rotation_), shape_text(state[0]));
  const RotationPair checked(state[0]);
  if (!learnable_) {
    rotation_ = checked.rotation_;
    return;
  }
  at::Tensor& parameters = learnable_->parameters;
  if (state[1].sizes() != parameters.sizes() || !state[1].isfinite().all().item<bool>())
    refuse("finite parameters, " + shape_text(parameters), shape_text(state[1]));
  const at::NoGradGuard no_grad;
  learnable_->base = checked.rotation_;
  parameters.copy_(state[1]);
}

double RotationPair::orthogonality() const {
  return distance_from_orthogonal(matrix().detach());
}

double RotationPair::orthogonality(at::ScalarType dtype) const {
  return distance_from_orthogonal(matrix().detach().to(dtype));
}

at::Tensor RotationPair::rotate(const at::Tensor& value, Axis axis) const {
  return turned(matrix(), value, axis);
}

at::Tensor RotationPair::unrotate(const at::Tensor& value, Axis axis) const {
  return turned(matrix().t(), value, axis);
}

at::Tensor RotationPair::round_trip(const at::Tensor& value, Axis axis) const {
  const at::Tensor rotation = matrix();
  return turned(rotation.t(), turned(rotation, value, axis), axis);
}

}  // namespace descramble
