#pragma once

#include <exception>
#include <new>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include "descramble/core/error.h"
#include "descramble/taps/tapped_model.h"
#include "jacobian/derivative_trace.h"

namespace descramble {

/// A pass from one tap to another that kept its graph.
struct GraphedPass {
  at::Tensor leaf{};   ///< replaces the first value, or is added to it: the graph begins here
  at::Tensor out{};    ///< the second value
  at::Tensor value{};  ///< the first value
};

/// `trace`, if there is one, follows the first value.
/// @throws Error if the first tap does not fire exactly once before the second one
GraphedPass pass_with_graph(const TappedModel& tapped, const std::string& from,
                            const std::string& to, const std::vector<at::Tensor>& inputs,
                            DerivativeTrace* trace = nullptr);

/// An Error for an exception of LibTorch, with the taps that `between` names.
Error autograd_error(const TappedModel& tapped, const std::string& between,
                     const std::exception& error);

/// The result of `work`, with gradients. @throws Error from autograd_error
template <typename Work>
auto with_gradients(const TappedModel& tapped, const std::string& between, const Work& work) {
  const c10::AutoGradMode gradients(true);  // the caller may have switched them off
  try {
    return work();
  } catch (const Exception&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw autograd_error(tapped, between, error);
  }
}

}  // namespace descramble
