#include "descramble/analysis/descramble_chain.h"

#include <algorithm>
#include <memory>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analysis/chain_jacobians.h"
#include "analysis/solve.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/objective/jacobian_l1.h"

namespace descramble {

namespace {

TapSpace space_in(const ChainData& chain, const std::string& name) {
  const auto found = std::find(chain.used.taps.begin(), chain.used.taps.end(), name);
  const auto i = static_cast<std::size_t>(found - chain.used.taps.begin());
  const bool last = i == chain.layers.size();
  const LayerJacobian& layer = *chain.layers[last ? i - 1 : i];
  return last ? layer.to_space() : layer.from_space();
}

std::vector<ChainLayer> layers_of(const ChainData& chain) {
  std::vector<ChainLayer> result;
  for (std::size_t i = 0; i < chain.layers.size(); ++i) {
    const LayerJacobian& layer = *chain.layers[i];
    const JacobianStack& stack = chain.used.layers[i];
    result.push_back({.from = layer.from_space().name,
                      .to = layer.to_space().name,
                      .route = stack.is_collapsed() ? "collapsed" : layer.route(),
                      .kept = stack.kept(),
                      .positions = layer.positions(),
                      .obstacle = layer.obstacle(),
                      .constants = layer.constants()});
  }
  return result;
}

/// The rotations of the learned taps: the diagonal blocks of the point.
std::vector<RotatedTap> rotations_in(const at::Tensor& point, const JacobianL1& objective,
                                     const ChainData& chain) {
  std::vector<RotatedTap> result;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < objective.taps().size(); ++i) {
    const std::int64_t size = objective.blocks()[i];
    result.push_back(
        {space_in(chain, objective.taps()[i]),
         RotationPair(point.narrow(0, begin, size).narrow(1, begin, size).contiguous())});
    begin += size;
  }
  return result;
}

}  // namespace

ChainDescrambling descramble_chain(const Subject& subject, const ChainOptions& options,
                                   Progress& progress) {
  require_chain(options.taps);
  const std::vector<bool> learned = learned_flags(options.taps, options.learn);
  const ChainData chain = gather_chain(subject, options, learned, progress);
  const JacobianL1 objective(chain.used, learned);
  std::unique_ptr<JacobianL1> held;  // made before the work begins: it may be refused
  if (chain.held_out) {
    held = with_where("of the held-out samples",
                      [&] { return std::make_unique<JacobianL1>(*chain.held_out, learned); });
  }
  ChainDescrambling result;
  result.taps = chain.used.taps;
  result.layers = layers_of(chain);
  result.samples = objective.samples();
  result.solution =
      solve(objective, options.solver, fmt::format("{}", fmt::join(objective.taps(), ", ")),
            subject.seed, progress);
  check_interrupt();  // an interrupted search is not a result
  const at::Tensor& point = result.solution.point;
  const at::Tensor identity = at::eye(objective.dimension(), at::kDouble);
  result.value = {objective.value(identity), result.solution.value};
  result.bound = *objective.lower_bound(point);
  result.sparsity = {objective.sparsity(result.value.before),
                     objective.sparsity(result.value.after)};
  if (held) {
    result.held_out_samples = chain.held_out->layers[0].samples();
    result.held_out = BeforeAfter{held->value(identity), held->value(point)};
  }
  const std::vector<RotatedTap> rotated = rotations_in(point, objective, chain);
  result.certificate = certify(subject, rotated, result.warnings);
  for (const RotatedTap& one : rotated)
    result.learned.push_back({one, inserted_difference(subject, {one})});
  for (const std::string& warning : objective.warnings()) result.warnings.push_back(warning);
  for (const JacobianStack& stack : chain.used.layers) {
    if (const std::string warning = uncounted_warning(stack); !warning.empty())
      result.warnings.push_back(warning);
  }
  return result;
}

}  // namespace descramble
