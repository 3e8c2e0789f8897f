#include "descramble/taps/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isnan.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

std::vector<IndexRange> ReceptiveField::box(std::int64_t position) const {
  std::vector<IndexRange> result;
  const bool known = obstacle.empty() && !positions.empty();
  for (std::size_t k = input.size(); k-- > 0;) {
    if (!known) {
      result.insert(result.begin(), {0, input[k]});
      continue;
    }
    result.insert(result.begin(), intervals[k][static_cast<std::size_t>(position % positions[k])]);
    position /= positions[k];
  }
  return result;
}

std::vector<std::int64_t> ReceptiveField::extent() const {
  if (!obstacle.empty() || positions.empty()) return input;
  std::vector<std::int64_t> result;
  for (const std::vector<IndexRange>& along : intervals) {
    std::int64_t longest = 0;
    for (const IndexRange& one : along) longest = std::max(longest, one.length());
    result.push_back(longest);
  }
  return result;
}

namespace {

constexpr std::int64_t first_position = 2;  // dimension of a value [N, C, …]

/// The network in float64, with the values of all taps of one pass.
class Probe {
 public:
  Probe(const Model& model, const std::vector<at::Tensor>& inputs,
        const std::vector<std::string>& taps, const ReceptiveFieldOptions& options)
      : model_(model.to_dtype(at::kDouble).with_policy(StatePolicy::reset)),
        tapped_(tap_model(model_, taps)),
        values_(taps.size()),
        options_(options) {
    for (const at::Tensor& input : inputs)
      inputs_.push_back(input.is_floating_point() ? input.to(at::kDouble) : input);
    for (std::size_t i = 0; i < taps.size(); ++i) {
      watches_.push_back(tapped_.observe(taps[i], [this, i](const at::Tensor& value) {
        if (!values_[i].defined()) values_[i] = value.detach().to(at::kCPU).clone();
      }));
    }
  }

  const at::Tensor& first() const { return inputs_.front(); }

  /// The values at the taps for some first inputs [n, …], n at most the size of a batch.
  const std::vector<at::Tensor>& run(at::Tensor first) {
    check_interrupt();
    std::fill(values_.begin(), values_.end(), at::Tensor());
    const std::int64_t missing = options_.only_that_batch ? options_.batch - first.size(0) : 0;
    if (missing > 0) first = at::cat({first, repeated(inputs_.front(), missing)});
    std::vector<at::Tensor> given{first};
    for (std::size_t i = 1; i < inputs_.size(); ++i)
      given.push_back(repeated(inputs_[i], first.size(0)));
    for (at::Tensor& one : given) one = one.to(model_.device());
    model_.restart();
    tapped_.forward_until(tapped_.points().back().name, given);
    return values_;
  }

  static at::Tensor repeated(const at::Tensor& one, std::int64_t count) {
    std::vector<std::int64_t> times(static_cast<std::size_t>(one.dim()), 1);
    times.front() = count;
    return one.repeat(times);
  }

 private:
  Model model_;
  TappedModel tapped_;
  std::vector<at::Tensor> inputs_{};
  std::vector<at::Tensor> values_;
  std::vector<Watch> watches_{};
  ReceptiveFieldOptions options_;
};

bool has_positions(const at::Tensor& value, const at::Tensor& input) {
  return value.defined() && value.is_floating_point() && value.dim() == input.dim() &&
         value.dim() > first_position;
}

/// Which places of a value along dimension `k` hold a NaN, [n, places].
at::Tensor nan_places(const at::Tensor& value, std::int64_t k) {
  at::Tensor found = at::isnan(value);
  for (std::int64_t other = value.dim() - 1; other > 0; --other) {
    if (other != k) found = found.any(other);
  }
  return found.contiguous();
}

/// Adds that these places see the input's places from `begin` on, one for each sample.
void widen(const at::Tensor& seen, std::int64_t begin, std::vector<IndexRange>& along) {
  const bool* sees = seen.data_ptr<bool>();
  const std::int64_t places = seen.size(1);
  for (std::int64_t i = 0; i < seen.size(0); ++i) {
    for (std::int64_t j = 0; j < places; ++j) {
      if (!sees[i * places + j]) continue;
      IndexRange& one = along[static_cast<std::size_t>(j)];
      if (one.length() == 0) one.begin = begin + i;
      one.end = begin + i + 1;
    }
  }
}

void measure(Probe& probe, const ReceptiveFieldOptions& options,
             std::vector<ReceptiveField>& fields) {
  const at::Tensor& input = probe.first();
  for (std::int64_t k = first_position; k < input.dim(); ++k) {
    for (std::int64_t begin = 0; begin < input.size(k); begin += options.batch) {
      const std::int64_t count = std::min(options.batch, input.size(k) - begin);
      at::Tensor marked = Probe::repeated(input, count);
      for (std::int64_t i = 0; i < count; ++i)
        marked[i].select(k - 1, begin + i).fill_(std::numeric_limits<double>::quiet_NaN());
      const std::vector<at::Tensor>& values = probe.run(marked);
      for (std::size_t tap = 0; tap < fields.size(); ++tap) {
        if (fields[tap].positions.empty()) continue;
        widen(nan_places(values[tap].narrow(0, 0, count), k), begin,
              fields[tap].intervals[static_cast<std::size_t>(k - first_position)]);
      }
    }
  }
}

/// Some positions: the corners, the middle, and two drawn from the seed.
std::vector<std::int64_t> checked_positions(const ReceptiveField& field, std::uint64_t seed) {
  std::int64_t count = 1;
  for (const std::int64_t one : field.positions) count *= one;
  RandomStream random = random_stream(seed, "receptive field");
  std::int64_t middle = 0;
  for (const std::int64_t one : field.positions) middle = middle * one + one / 2;
  return {0, count - 1, middle, random.below(count), random.below(count)};
}

/// The input with new values outside of a box.
at::Tensor changed_outside(const at::Tensor& input, const std::vector<IndexRange>& box,
                           RandomStream& random) {
  at::Tensor changed = random.normal_tensor(input.sizes()).to(input.dtype());
  at::Tensor kept = changed;
  at::Tensor from = input;
  for (std::size_t k = 0; k < box.size(); ++k) {
    const auto dimension = first_position + static_cast<std::int64_t>(k);
    kept = kept.narrow(dimension, box[k].begin, box[k].length());
    from = from.narrow(dimension, box[k].begin, box[k].length());
  }
  kept.copy_(from);
  return changed;
}

/// The quantities of a position of the first sample.
at::Tensor at_position(const at::Tensor& value, std::int64_t position) {
  return value.narrow(0, 0, 1).flatten(first_position).select(first_position, position);
}

/// NaN may be swallowed, and a network may look at other samples: both show here. `before`: the
/// values at the tap for the unchanged input, from a pass of the same size.
void check(Probe& probe, const ReceptiveFieldOptions& options, const at::Tensor& before,
           std::size_t tap, ReceptiveField& field) {
  RandomStream random = random_stream(options.seed, "outside of the receptive field");
  for (const std::int64_t position : checked_positions(field, options.seed)) {
    const at::Tensor after =
        probe.run(changed_outside(probe.first(), field.box(position), random))[tap];
    if (at_position(before, position).equal(at_position(after, position))) continue;
    field.obstacle = fmt::format(
        "position {} changes with values outside of what NaN shows: some operation stops NaN, or "
        "looks everywhere",
        position);
    return;
  }
}

}  // namespace

std::vector<ReceptiveField> receptive_fields(const Model& model,
                                             const std::vector<at::Tensor>& inputs,
                                             const std::vector<std::string>& taps,
                                             const ReceptiveFieldOptions& options) {
  const at::NoGradGuard no_grad;
  const at::Tensor& first = inputs.at(0);
  std::vector<ReceptiveField> fields(taps.size());
  for (ReceptiveField& field : fields) {
    field.input = first.dim() > first_position ? first.sizes().slice(first_position).vec()
                                               : first.sizes().slice(1).vec();
  }
  if (!first.is_floating_point() || first.dim() <= first_position) return fields;
  const auto unknown = [&](const std::string& why) {
    for (ReceptiveField& field : fields) field.obstacle = why;
  };
  try {
    Probe probe(model, inputs, taps, options);
    const std::vector<at::Tensor> values = probe.run(probe.first());
    bool any = false;
    for (std::size_t tap = 0; tap < taps.size(); ++tap) {
      const at::Tensor& value = values[tap];
      if (!has_positions(value, probe.first())) continue;
      fields[tap].positions = value.sizes().slice(first_position).vec();
      for (const std::int64_t places : fields[tap].positions)
        fields[tap].intervals.emplace_back(static_cast<std::size_t>(places));
      any = true;
    }
    if (!any) return fields;
    measure(probe, options, fields);
    for (std::size_t tap = 0; tap < taps.size(); ++tap) {
      if (!fields[tap].positions.empty()) check(probe, options, values[tap], tap, fields[tap]);
    }
  } catch (const Error& error) {
    unknown(error.what());
  }
  return fields;
}

}  // namespace descramble
