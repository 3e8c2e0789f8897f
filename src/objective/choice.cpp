#include "descramble/objective/choice.h"

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>

#include "descramble/core/error.h"
#include "descramble/objective/maximum_diagonal.h"
#include "descramble/objective/quartimax.h"
#include "descramble/objective/smoothness.h"

namespace descramble {

ObjectiveChoice smoothness(const SmoothnessOptions& options) {
  return {"smoothness", options.needs(), [options](const LayerData& layer) {
            return std::make_unique<Smoothness>(options.stencil, smoothness_moment(options, layer));
          }};
}

namespace {

/// The largest eigenvalue of a symmetric matrix without negative ones.
double spectral_norm(const at::Tensor& symmetric) {
  return at::linalg_eigvalsh(symmetric)[-1].item<double>();
}

/// E[(h − b)(h − b)ᵀ].
at::Tensor moment_without(const at::Tensor& bias, const Moments& moments) {
  const at::Tensor mixed = at::outer(moments.mean(), bias);
  return moments.second_moment() - mixed - mixed.t() + at::outer(bias, bias);
}

}  // namespace

at::Tensor smoothness_moment(const SmoothnessOptions& options, const LayerData& layer) {
  const bool takes_off = options.without_bias && !options.center && layer.bias.defined();
  at::Tensor moment = options.center ? layer.moments.covariance()
                      : takes_off    ? moment_without(layer.bias, layer.moments)
                                     : layer.moments.second_moment();
  if (options.pair) {
    const at::Tensor gram = layer.weight.matmul(layer.weight.t());
    const double norm = spectral_norm(gram);
    if (!(norm > 0)) {
      throw Error({"no pair with a weight of zeros", "tap '" + layer.tap + "'",
                   "a weight with a number other than zero", "zeros"});
    }
    moment = moment + spectral_norm(moment) / norm * gram;
  }
  if (options.scaled) {
    const auto d = moment.size(0);
    const double stencil = stencil_spectrum(options.stencil, d).values.max().item<double>();
    const double norm = spectral_norm(moment);
    if (stencil > 0 && norm > 0) moment = moment * (static_cast<double>(d * d) / (stencil * norm));
  }
  return moment;
}

ObjectiveChoice maximum_diagonal_sum(bool proper) {
  return {"maximum_diagonal_sum", LayerNeeds::weight, [proper](const LayerData& layer) {
            return std::make_unique<MaximumDiagonalSum>(layer.weight, proper);
          }};
}

ObjectiveChoice maximum_diagonal_norm_square() {
  return {"maximum_diagonal_norm_square", LayerNeeds::weight, [](const LayerData& layer) {
            return std::make_unique<MaximumDiagonalNormSquare>(layer.weight);
          }};
}

ObjectiveChoice quartimax(bool center) {
  return {"quartimax", LayerNeeds::values, [center](const LayerData& layer) {
            return std::make_unique<Quartimax>(center ? layer.values->centred() : *layer.values);
          }};
}

ObjectiveChoice tap_loss(TapLoss loss, const std::string& name) {
  return {name, LayerNeeds::values, [loss = std::move(loss)](const LayerData& layer) {
            return std::make_unique<LossObjective>(*layer.values, loss);
          }};
}

}  // namespace descramble
