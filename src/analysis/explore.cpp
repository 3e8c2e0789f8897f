#include "descramble/analysis/explore.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "analysis/nearest.h"
#include "analysis/patch_pictures.h"
#include "analysis/tap_bases.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"

namespace descramble {

namespace {

/// One tap, its bases put side by side: direction `offset + i` of all is direction i of a basis.
struct TapSearch {
  ExploredTap result{};
  Lines lines{};
  std::vector<std::size_t> offsets{};
};

void require_options(const ExploreOptions& options) {
  if (options.bases.empty()) throw Error({"no bases", "/bases", "at least one", "none"});
  for (const auto& [name, value] : {std::pair{"/points", options.points},
                                    {"/patches", options.patches},
                                    {"/directions", options.directions},
                                    {"/size", options.size}}) {
    if (value < 1) throw Error({"nothing to show", name, "1 or more", fmt::format("{}", value)});
  }
}

/// The components of a basis that are shown. @throws Error if there are fewer
std::vector<std::int64_t> chosen_components(const ExploreOptions& options,
                                            const at::Tensor& explained, std::size_t basis) {
  const std::int64_t size = explained.size(0);
  if (options.components.empty()) {
    if (size < options.directions) {
      throw Error({"a basis with fewer directions", fmt::format("/bases/{}", basis),
                   fmt::format("at least {} (/directions)", options.directions),
                   fmt::format("{}", size)});
    }
    std::vector<std::int64_t> order = ordered_components(explained, options.order);
    order.resize(static_cast<std::size_t>(options.directions));
    return order;
  }
  for (std::size_t i = 0; i < options.components.size(); ++i) {
    const std::int64_t one = options.components[i];
    if (one >= 0 && one < size) continue;
    throw Error({fmt::format("no such component of basis {}", basis),
                 fmt::format("/components/{}", i), fmt::format("0 to {}", size - 1),
                 fmt::format("{}", one)});
  }
  return options.components;
}

/// Makes the bases of a tap; places of points are still open.
TapSearch search_of(const Subject& subject, const ExploreOptions& options, const Source& seen,
                    const RowUse& use, const TapMoments& measured, std::vector<InputFile>& files,
                    Progress& progress) {
  TapSearch search;
  search.result.space = measured.space;
  const at::Tensor mean = measured.moments.mean();
  search.lines.centre =
      (options.through == Through::zero ? at::zeros_like(mean) : mean).contiguous();
  const at::Tensor covariance = measured.moments.covariance();
  std::vector<at::Tensor> columns;
  std::size_t offset = 0;
  const std::vector<BasisDraws> bases = tap_bases(
      options.bases, measured, subject.seed,
      [&](const VisitRows& visit) {
        for_each_rows(subject, seen, measured.space, use, visit, progress);
      },
      files);
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const Basis basis = bases[i].draw(0);
    const at::Tensor explained = explained_variance(basis, covariance);
    ExploredBasis shown{.label = bases[i].label};
    const std::vector<std::int64_t> components = chosen_components(options, explained, i);
    for (const std::int64_t component : components) {
      shown.directions.push_back(
          {.component = component, .explained = explained[component].item<double>()});
    }
    columns.push_back(basis.directions().index_select(1, at::tensor(components, at::kLong)));
    search.offsets.push_back(offset);
    offset += components.size();
    search.result.bases.push_back(std::move(shown));
  }
  search.lines.directions = at::cat(columns, 1).contiguous();
  return search;
}

/// Puts the points between the smallest and the largest projection.
void place_points(const ExploreOptions& options, std::uint64_t seed, const Ends& ends,
                  TapSearch& search) {
  for (std::size_t b = 0; b < search.result.bases.size(); ++b) {
    ExploredBasis& basis = search.result.bases[b];
    for (std::size_t i = 0; i < basis.directions.size(); ++i) {
      ExploredDirection& direction = basis.directions[i];
      direction.low = ends.low(search.offsets[b] + i);
      direction.high = ends.high(search.offsets[b] + i);
      if (!std::isfinite(direction.low) || !std::isfinite(direction.high)) {
        throw Error({"values that are not finite", "tap '" + search.result.space.name + "'",
                     "finite numbers", "NaN or inf"});
      }
      const double length = direction.high - direction.low;
      std::vector<double> places;
      if (options.spacing == Spacing::uniform) {
        RandomStream random =
            random_stream(seed, fmt::format("explore/{}/{}/{}", search.result.space.name,
                                            basis.label, direction.component));
        for (std::int64_t k = 0; k < options.points; ++k)
          places.push_back(random.uniform(direction.low, direction.high));
        std::sort(places.begin(), places.end());
      } else {
        for (std::int64_t k = 0; k < options.points; ++k) {
          const double share = options.points == 1 ? 0.5
                                                   : static_cast<double>(k) /
                                                         static_cast<double>(options.points - 1);
          places.push_back(direction.low + share * length);
        }
      }
      for (const double place : places) direction.points.push_back({.place = place});
      search.lines.places.push_back(std::move(places));
    }
  }
}

std::vector<std::int64_t> numbers_of(const TapRows& seen) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(seen.rows.size(0)));
  if (!seen.numbers.defined()) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
    return numbers;
  }
  const at::Tensor plain = seen.numbers.to(at::kCPU).contiguous();
  std::copy_n(plain.data_ptr<std::int64_t>(), numbers.size(), numbers.begin());
  return numbers;
}

/// The positions of a sample that one row each belongs to.
std::int64_t positions_of(const TapSpace& space) {
  std::int64_t count = 1;
  for (const std::int64_t one : space.shape) count *= one;
  return std::max<std::int64_t>(1, count / space.dimension);
}

void find_neighbours(const Subject& subject, const ExploreOptions& options, const RowUse& use,
                     std::vector<TapSearch>& searches, Progress& progress) {
  const Source& source = subject.source(options.data);
  std::vector<std::string> taps;
  std::vector<NearestRows> nearest;
  for (const TapSearch& search : searches) {
    taps.push_back(search.result.space.name);
    nearest.emplace_back(search.lines, options.patches, options.nearness, options.distinct);
  }
  const TakeRows take = [&](std::size_t i, const TapSpace& space, const TapRows& seen) {
    nearest[i].add(seen.rows.to(at::kCPU, at::kDouble), numbers_of(seen), positions_of(space),
                   seen.first);
  };
  read_rows(subject, source, taps, options.axis, use, "neighbours", take, progress);
  for (std::size_t i = 0; i < searches.size(); ++i) {
    TapSearch& search = searches[i];
    std::size_t fewest = static_cast<std::size_t>(options.patches);
    for (std::size_t b = 0; b < search.result.bases.size(); ++b) {
      std::vector<ExploredDirection>& directions = search.result.bases[b].directions;
      for (std::size_t j = 0; j < directions.size(); ++j) {
        for (std::size_t k = 0; k < directions[j].points.size(); ++k) {
          std::vector<Neighbour>& neighbours = directions[j].points[k].neighbours;
          neighbours = nearest[i].of(search.offsets[b] + j, k);
          fewest = std::min(fewest, neighbours.size());
        }
      }
    }
    if (fewest < static_cast<std::size_t>(options.patches)) {
      search.result.warnings.push_back(
          fmt::format("{}: there are only {} samples to show at a point, not {}", taps[i], fewest,
                      options.patches));
    }
  }
}

/// Where the positions of each tap look.
void find_fields(const Subject& subject, const ExploreOptions& options,
                 std::vector<TapSearch>& searches) {
  const Source& source = subject.source(options.data);
  const std::vector<at::Tensor> one = source.data->slice(0, 1).inputs;
  std::vector<std::string> with_positions;
  for (const TapSearch& search : searches) {
    if (search.result.space.axis == Axis::channels)
      with_positions.push_back(search.result.space.name);
  }
  std::vector<ReceptiveField> fields;
  if (!with_positions.empty()) {
    fields = receptive_fields(subject.model, one, with_positions,
                              {.batch = subject.check.only_batch  ? subject.check.batch_size
                                        : subject.model.batched() ? 8
                                                                  : 1,
                               .only_that_batch = subject.check.only_batch,
                               .seed = subject.seed});
  }
  std::size_t next = 0;
  for (TapSearch& search : searches) {
    ReceptiveField& field = search.result.field;
    if (search.result.space.axis == Axis::channels) {
      field = fields[next++];
      if (!field.obstacle.empty()) {
        search.result.warnings.push_back(search.result.space.name +
                                         ": the whole input is shown: " + field.obstacle);
      }
      continue;
    }
    field.input = one.at(0).sizes().slice(one.at(0).dim() > 2 ? 2 : 1).vec();
  }
}

}  // namespace

Exploration explore(const Subject& subject, const ExploreOptions& options, Progress& progress) {
  require_options(options);
  const std::vector<std::string> taps =
      positioned_taps(subject.model, options.taps, options.position);
  const RowUse use{found_rows(options.rows, subject), options.one_position};
  const RowUse all{use.selection, false};
  const at::NoGradGuard no_grad;
  const Source& seen = subject.source(options.statistics_data);
  const Source& source = subject.source(options.data);
  Exploration result;
  std::vector<TapSearch> searches;
  {
    const std::vector<TapMoments> measured =
        measure_taps(subject, seen, taps, options.axis, use, progress);
    for (const TapMoments& one : measured) {
      within(fmt::format("tap '{}'", one.space.name), [&] {
        searches.push_back(search_of(subject, options, seen, use, one, result.files, progress));
      });
    }
  }
  find_fields(subject, options, searches);
  std::vector<Ends> ends;
  for (const TapSearch& search : searches) ends.emplace_back(search.lines.directions.size(1));
  const TakeRows widen = [&](std::size_t i, const TapSpace&, const TapRows& rows) {
    ends[i].add(searches[i].lines, rows.rows.to(at::kCPU, at::kDouble));
  };
  read_rows(subject, source, taps, options.axis, all, "projections", widen, progress);
  for (std::size_t i = 0; i < searches.size(); ++i)
    place_points(options, subject.seed, ends[i], searches[i]);
  find_neighbours(subject, options, all, searches, progress);
  for (TapSearch& search : searches) result.taps.push_back(std::move(search.result));
  show_neighbours(subject, options, result, progress);
  return result;
}

}  // namespace descramble
