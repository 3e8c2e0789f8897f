#include "jacobian/graphed_pass.h"

#include <cstdint>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "model/interpreter_message.h"

namespace descramble {

GraphedPass pass_with_graph(const TappedModel& tapped, const std::string& from,
                            const std::string& to, const std::vector<at::Tensor>& inputs,
                            DerivativeTrace* trace) {
  const bool derives = tapped.model().derives();
  const c10::AutoGradMode gradients(true);
  GraphedPass result;
  at::Tensor& leaf = result.leaf;
  at::Tensor& out = result.out;
  std::int64_t fired = 0;
  const Watch watch = tapped.replace(from, [&](const at::Tensor& value) {
    ++fired;
    // The value may lie in a no_grad block; what follows the block has a derivative.
    const c10::AutoGradMode inside(true);
    // One number per sample counts as a vector with one entry.
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
    throw Error({"no Jacobian between taps '" + from + "' and '" + to + "'", tapped.model().name(),
                 fmt::format("'{}' to come before '{}', once", from, to),
                 fired == 0 ? "the other order" : fmt::format("it {} times", fired)});
  }
  return result;
}

Error autograd_error(const TappedModel& tapped, const std::string& between,
                     const std::exception& error) {
  const std::string reason = interpreter_message(error);
  // The network's own derivative has freed its graph, or has none behind it.
  const bool freed =
      tapped.model().derives() && (reason.find("a second time") != std::string::npos ||
                                   reason.find("does not require grad") != std::string::npos);
  return Error({"autograd cannot follow the network", between + " of " + tapped.model().name(),
                freed ? "derivatives inside the network that keep their graph "
                        "(create_graph=True)"
                      : "operations with a derivative, and nothing that overwrites what they "
                        "need",
                reason});
}

}  // namespace descramble
