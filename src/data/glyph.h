#pragma once

#include <cstdint>
#include <vector>

#include "descramble/core/random.h"

namespace descramble {

/// Side of a drawn glyph in pixels.
inline constexpr int glyph_side = 28;

/// A point of the plane that glyphs are designed in: x to the right, y down, the digit's body
/// within [−0.6, 0.6] × [−1, 1].
struct PenPoint {
  double x = 0;
  double y = 0;
};

/// A line of the pen: through its points, straight or as a Catmull–Rom curve.
struct PenStroke {
  bool curved = false;
  std::vector<PenPoint> points{};
};

/// One way of writing a digit.
using GlyphForm = std::vector<PenStroke>;

/// The ways of writing `digit`, 0 … 9.
const std::vector<GlyphForm>& glyph_forms(int digit);

/// How far drawn glyphs depart from their forms.
struct GlyphStyle {
  double noise = 0;       ///< standard deviation of the noise of each pixel
  double distortion = 1;  ///< multiplies every random change of shape, place and thickness
};

/// Draws `digit` into glyph_side² pixels in [0, 1], row by row: a random form of it, its points
/// moved by a smooth random field and a random affine map, drawn with a pen of random width and
/// intensity; then specks and noise.
void draw_glyph(int digit, const GlyphStyle& style, RandomStream& random, float* pixels);

}  // namespace descramble
