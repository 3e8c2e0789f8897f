#include "analysis/patch_pictures.h"

#include <algorithm>
#include <map>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include "descramble/core/interrupt.h"

namespace descramble {

namespace {

constexpr double outside = 128;  // grey where a field lies outside of the image

/// One place in the pictures of a tap.
struct Cell {
  const ReceptiveField* field = nullptr;
  at::Tensor shown{};  ///< the part of the basis's tensor that is filled
  std::int64_t position = 0;
};

/// The values that become black and white.
struct Range {
  double low = 0;
  double high = 1;
};

/// [0, 1] or [0, 255] where the samples keep to it, else from their smallest to their largest
/// value.
Range range_of(const at::Tensor& images) {
  const double low = images.min().item<double>();
  const double high = images.max().item<double>();
  constexpr double rounding = 1e-3;
  if (low >= -rounding && high <= 1 + rounding) return {};
  if (low >= -rounding && high <= 255 + rounding) return {0, 255};
  return {low, high > low ? high : low + 1};
}

std::int64_t longest_of(const std::vector<std::int64_t>& extent) {
  return std::max({extent[0], extent[1], std::int64_t{1}});
}

/// The side of a picture: at most `size`, a whole multiple of a field that is smaller.
std::int64_t side_of(std::int64_t longest, std::int64_t size) {
  return longest < size ? size / longest * longest : size;
}

/// The patch of an image [C, H, W] in a frame of the field's largest size, as bytes
/// [C, size, size].
at::Tensor picture(const at::Tensor& image, const ReceptiveField& field, std::int64_t position,
                   const Range& range, std::int64_t size) {
  const std::vector<IndexRange> box = field.box(position);
  const std::vector<std::int64_t> extent = field.extent();
  const std::int64_t longest = longest_of(extent);
  at::Tensor frame = at::full({image.size(0), longest, longest}, outside, at::kDouble);
  at::Tensor inside = frame;
  at::Tensor patch = (image.to(at::kDouble) - range.low) * (255 / (range.high - range.low));
  for (std::size_t k = 0; k < 2; ++k) {
    const auto dimension = static_cast<std::int64_t>(k) + 1;
    const std::int64_t missing = extent[k] - box[k].length();
    // A field that is clipped at its beginning stands at the end of its frame.
    const std::int64_t begin = (longest - extent[k]) / 2 + (box[k].begin == 0 ? missing : 0);
    patch = patch.narrow(dimension, box[k].begin, box[k].length());
    inside = inside.narrow(dimension, begin, box[k].length());
  }
  inside.copy_(patch);
  return at::adaptive_avg_pool2d(frame, {size, size}).round().clamp(0, 255).to(at::kByte);
}

/// Whether a person can look at inputs of this shape as images: [n, C, H, W] with one or three
/// channels.
bool is_image(const at::Tensor& input) {
  return input.dim() == 4 && input.is_floating_point() &&
         (input.size(1) == 1 || input.size(1) == 3);
}

/// Makes room for the pictures of a tap, and says in which samples they are. `some`: samples.
void add_cells(ExploredTap& tap, const ExploreOptions& options, const at::Tensor& some, bool images,
               std::map<std::int64_t, std::vector<Cell>>& cells) {
  for (ExploredBasis& basis : tap.bases) {
    std::vector<std::int64_t> shape{static_cast<std::int64_t>(basis.directions.size()),
                                    options.points, options.patches};
    if (images) {
      const std::int64_t side = side_of(longest_of(tap.field.extent()), options.size);
      shape.insert(shape.end(), {some.size(1), side, side});
    } else {
      shape.insert(shape.end(), some.sizes().begin() + 1, some.sizes().end());
    }
    basis.shown = at::zeros(shape, images ? at::kByte : some.scalar_type());
    for (std::size_t i = 0; i < basis.directions.size(); ++i) {
      const ExploredDirection& direction = basis.directions[i];
      for (std::size_t j = 0; j < direction.points.size(); ++j) {
        const std::vector<Neighbour>& neighbours = direction.points[j].neighbours;
        for (std::size_t k = 0; k < neighbours.size(); ++k) {
          cells[neighbours[k].sample].push_back(
              {&tap.field,
               basis.shown[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)]
                          [static_cast<std::int64_t>(k)],
               neighbours[k].position});
        }
      }
    }
  }
}

}  // namespace

void show_neighbours(const Subject& subject, const ExploreOptions& options, Exploration& found,
                     Progress& progress) {
  const DataSet& data = *subject.source(options.data).data;
  const at::Tensor some = data.slice(0, std::min<std::int64_t>(8, data.size())).inputs.at(0);
  found.images = is_image(some);
  const Range range = found.images ? range_of(data.unprepared(some)) : Range{};
  std::map<std::int64_t, std::vector<Cell>> cells;
  for (ExploredTap& tap : found.taps) add_cells(tap, options, some, found.images, cells);
  progress.begin("pictures", std::ssize(cells));
  for (const auto& [sample, places] : cells) {
    check_interrupt();
    const at::Tensor input = data.unprepared(data.slice(sample, sample + 1).inputs.at(0))[0];
    for (const Cell& cell : places) {
      at::Tensor(cell.shown)
          .copy_(found.images
                     ? picture(input, *cell.field, cell.position, range, cell.shown.size(-1))
                     : input);
    }
    progress.advance();
  }
  progress.end();
}

}  // namespace descramble
