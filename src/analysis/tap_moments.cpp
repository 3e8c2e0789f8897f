#include "descramble/analysis/tap_moments.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "analysis/tap_rows.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/data/batches.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/select.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

namespace {

/// The numbers of the rows that are used: one row that counts of each sample.
at::Tensor one_row_each(const at::Tensor& counted, const std::string& tap, std::uint64_t seed,
                        std::int64_t first) {
  const at::Tensor flags = counted.to(at::kCPU).contiguous();
  const bool* counts = flags.data_ptr<bool>();
  const std::int64_t positions = counted.size(1);
  std::vector<std::int64_t> chosen;
  std::vector<std::int64_t> places;  // of one sample
  for (std::int64_t i = 0; i < counted.size(0); ++i) {
    places.clear();
    for (std::int64_t row = i * positions; row < (i + 1) * positions; ++row) {
      if (counts[row]) places.push_back(row);
    }
    if (places.empty()) continue;
    RandomStream stream =
        random_stream(seed, "position/" + tap, static_cast<std::uint64_t>(first + i));
    chosen.push_back(places[static_cast<std::size_t>(stream.below(std::ssize(places)))]);
  }
  return at::tensor(chosen, at::kLong).to(counted.device());
}

/// The rows of a value that a step uses.
TapRows rows_in_use(const at::Tensor& value, const TapSpace& tap, const RowUse& use,
                    const std::vector<at::Tensor>& inputs, std::uint64_t seed, std::int64_t first) {
  TapRows result{.rows = to_rows(value, tap.axis), .first = first};
  if (!use.one_position && use.selection.all()) return result;
  const at::Tensor counted = counted_rows(use.selection, value, tap.axis, inputs);
  result.numbers = use.one_position
                       ? one_row_each(counted.reshape({value.size(0), -1}), tap.name, seed, first)
                       : at::nonzero(counted).flatten();
  result.rows = result.rows.index_select(0, result.numbers);
  return result;
}

/// The selection of rows is given for each sample. A value with positions in front of the samples
/// would be read the wrong way round if both numbers are equal.
void require_samples_first(const Subject& subject, const std::vector<std::string>& taps) {
  const std::vector<at::Tensor> all = subject.check.first_batch();
  const std::int64_t count = all.at(0).size(0);
  if (subject.check.only_batch || count < 2) return;
  std::vector<at::Tensor> fewer;
  for (const at::Tensor& input : all) fewer.push_back(input.slice(0, 0, count - 1));
  const Model model = subject.check_model();
  const TappedModel tapped = tap_model(model, taps);
  std::vector<std::vector<std::int64_t>> lengths(taps.size());
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    watches.push_back(tapped.observe(taps[i], [&lengths, i](const at::Tensor& value) {
      lengths[i].push_back(value.dim() == 0 ? 0 : value.size(0));
    }));
  }
  const at::NoGradGuard no_grad;
  for (const std::vector<at::Tensor>& inputs : {all, fewer})
    tapped.forward_values(model.arguments(inputs));
  for (std::size_t i = 0; i < taps.size(); ++i) {
    if (lengths[i].size() != 2 || lengths[i][0] * (count - 1) == lengths[i][1] * count) continue;
    throw Error({"rows are not told by sample", "tap '" + taps[i] + "'",
                 "a first dimension that grows with the number of samples",
                 fmt::format("{} for {} samples, {} for {}", lengths[i][0], count, lengths[i][1],
                             count - 1)});
  }
}

/// The values of the taps as rows.
struct TapReader {
  const TappedModel& tapped;
  const Subject& subject;
  const RowUse& use;
  const TakeRows& take;
  std::optional<Axis> axis{};
  std::vector<TapSpace> spaces{};                   ///< of the taps that have been seen
  const std::vector<at::Tensor>* inputs = nullptr;  ///< of the batch that runs
  std::int64_t first = 0;                           ///< number of its first sample
  std::int64_t batch = 0;

  void read(std::size_t number, const std::string& name, const at::Tensor& value) {
    if (!value.is_floating_point() || value.dim() == 0) {
      throw Error({"the value cannot be rotated", "tap '" + name + "'",
                   "a floating-point tensor with at least one dimension", shape_text(value)});
    }
    TapSpace space = spaces[number];
    if (space.name.empty()) {
      space = space_of(name, value, axis.value_or(default_axis(value, tapped.point(name))));
      require_memory(space.dimension, subject.memory_mb, name, space.axis);
    }
    within(fmt::format("tap '{}', batch {}", name, batch), [&] {
      TapRows seen = rows_in_use(value, space, use, *inputs, subject.seed, first);
      seen.samples = inputs->at(0).size(0);
      take(number, space, seen);
      if (seen.rows.size(0) > 0) spaces[number] = space;
    });
  }
};

}  // namespace

void read_rows(const Subject& subject, const Source& source, const std::vector<std::string>& taps,
               std::optional<Axis> axis, const RowUse& use, const std::string& label,
               const TakeRows& take, Progress& progress) {
  const TappedModel tapped = tap_model(subject.model, taps);
  std::vector<Watch> watches;
  TapReader reader{.tapped = tapped, .subject = subject, .use = use, .take = take, .axis = axis};
  reader.spaces.resize(taps.size());
  for (std::size_t i = 0; i < taps.size(); ++i) {
    watches.push_back(tapped.observe(
        taps[i], [&, i](const at::Tensor& value) { reader.read(i, taps[i], value); }));
  }
  if (!use.selection.all() || use.one_position) require_samples_first(subject, taps);
  const at::NoGradGuard no_grad;
  progress.begin(fmt::format("{} of {}", label,
                             taps.size() == 1 ? taps[0] : fmt::format("{} taps", taps.size())),
                 source.data->size());
  subject.model.restart();
  for_each_batch(source, subject.model.device(), [&](const Batch& batch, std::int64_t begin) {
    reader.inputs = &batch.inputs;
    reader.first = begin;
    tapped.forward_values(subject.model.arguments(batch.inputs));
    ++reader.batch;
    progress.advance(batch.inputs.at(0).size(0));
  });
  progress.end();
}

std::vector<TapMoments> measure_taps(const Subject& subject, const Source& source,
                                     const std::vector<std::string>& taps, std::optional<Axis> axis,
                                     const RowUse& given, Progress& progress) {
  const RowUse use{found_rows(given.selection, subject), given.one_position};
  std::vector<TapMoments> measured(taps.size());
  const TakeRows add = [&](std::size_t i, const TapSpace& space, const TapRows& seen) {
    measured[i].space = space;
    measured[i].moments.add(seen.rows);
  };
  read_rows(subject, source, taps, axis, use, "moments", add, progress);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    if (measured[i].moments.count() > 0) continue;
    throw Error({"no row of the tap counts", "tap '" + taps[i] + "'", "at least one row", "none"});
  }
  return measured;
}

void for_each_rows(const Subject& subject, const Source& source, const TapSpace& tap,
                   const RowUse& given, const VisitRows& visit, Progress& progress) {
  const RowUse use{found_rows(given.selection, subject), given.one_position};
  const TakeRows pass_on = [&](std::size_t, const TapSpace&, const TapRows& seen) {
    visit(seen.rows.to(at::kCPU, at::kDouble));
  };
  read_rows(subject, source, {tap.name}, tap.axis, use, "values", pass_on, progress);
}

Position parse_position(const std::string& name) {
  if (name == "before") return Position::before;
  if (name == "after") return Position::after;
  if (name == "both") return Position::both;
  throw Error({"unknown position", "", "'before', 'after' or 'both'", "'" + name + "'"});
}

std::vector<std::string> positioned_taps(const Model& model,
                                         const std::vector<std::string>& selectors,
                                         Position position) {
  std::vector<std::string> result;
  for (const std::string& tap : select_taps(model, selectors)) {
    const bool is_input = tap.ends_with(".input");
    if (position != Position::after && !is_input) result.push_back(tap + ".input");
    if (position != Position::before || is_input) result.push_back(tap);
  }
  return result;
}

}  // namespace descramble
