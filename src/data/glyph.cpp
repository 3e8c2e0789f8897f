#include "data/glyph.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace descramble {

namespace {

// The random changes at distortion 1; standard deviations unless said otherwise.
constexpr double pixels_per_unit = 9.5;  // a digit is 19 pixels high
constexpr double rotation = 0.12;        // radians
constexpr double shear = 0.15;
constexpr double log_scale = 0.08;   // of each axis
constexpr double translation = 1.4;  // pixels
constexpr double node_shift = 0.08;  // of each node of the field, in design units
constexpr double pen_radius = 1.6;   // pixels, half the width of a line
constexpr double log_radius = 0.18;
constexpr double faintest = 0.65;  // intensity is uniform between this and 1
constexpr double pen_edge = 1.8;   // pixels over which a line fades out
constexpr int most_specks = 3;

/// A smooth map of the plane: a cubic Bézier patch over the design square whose 4 × 4 nodes are
/// moved at random. Points that coincide stay together, so strokes that meet still meet.
class RandomField {
 public:
  RandomField(double size, RandomStream& random) {
    for (PenPoint& node : nodes_) node = {size * random.normal(), size * random.normal()};
  }
  PenPoint operator()(PenPoint point) const {
    const std::array<double, 4> across = bernstein(std::clamp(point.x / 1.4 + 0.5, 0.0, 1.0));
    const std::array<double, 4> down = bernstein(std::clamp(point.y / 2.2 + 0.5, 0.0, 1.0));
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        const double weight = down[i] * across[j];
        point.x += weight * nodes_[4 * i + j].x;
        point.y += weight * nodes_[4 * i + j].y;
      }
    }
    return point;
  }

 private:
  static std::array<double, 4> bernstein(double t) {
    const double s = 1 - t;
    return {s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t};
  }
  std::array<PenPoint, 16> nodes_{};
};

/// Design units to pixels: scale, shear and rotate about the middle of the picture, then shift.
class RandomPlacement {
 public:
  RandomPlacement(double distortion, RandomStream& random) {
    const double angle = distortion * rotation * random.normal();
    const double slant = distortion * shear * random.normal();
    const double wide = pixels_per_unit * std::exp(distortion * log_scale * random.normal());
    const double high = pixels_per_unit * std::exp(distortion * log_scale * random.normal());
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    xx_ = c * wide;
    xy_ = -c * slant * high - s * high;
    yx_ = s * wide;
    yy_ = -s * slant * high + c * high;
    const double middle = (glyph_side - 1) / 2.0;
    shift_ = {middle + distortion * translation * random.normal(),
              middle + distortion * translation * random.normal()};
  }
  PenPoint operator()(PenPoint p) const {
    return {xx_ * p.x + xy_ * p.y + shift_.x, yx_ * p.x + yy_ * p.y + shift_.y};
  }

 private:
  double xx_, xy_, yx_, yy_;
  PenPoint shift_{};
};

/// Squared distance of every pixel to the pen's lines, as far as the pen reaches.
class Sheet {
 public:
  explicit Sheet(double reach) : reach_(reach) { squared_.fill(1e9F); }

  void line(PenPoint a, PenPoint b) {
    const int left = std::max(0, static_cast<int>(std::ceil(std::min(a.x, b.x) - reach_)));
    const int right =
        std::min(glyph_side - 1, static_cast<int>(std::floor(std::max(a.x, b.x) + reach_)));
    const int top = std::max(0, static_cast<int>(std::ceil(std::min(a.y, b.y) - reach_)));
    const int bottom =
        std::min(glyph_side - 1, static_cast<int>(std::floor(std::max(a.y, b.y) + reach_)));
    const auto dx = static_cast<float>(b.x - a.x);
    const auto dy = static_cast<float>(b.y - a.y);
    const float inverse = 1.0F / std::max(dx * dx + dy * dy, 1e-12F);
    for (int y = top; y <= bottom; ++y) {
      float* row = squared_.data() + y * glyph_side;
      const float py = static_cast<float>(y) - static_cast<float>(a.y);
      for (int x = left; x <= right; ++x) {
        const float px = static_cast<float>(x) - static_cast<float>(a.x);
        const float along = std::clamp((px * dx + py * dy) * inverse, 0.0F, 1.0F);
        const float ex = px - along * dx;
        const float ey = py - along * dy;
        row[x] = std::min(row[x], ex * ex + ey * ey);
      }
    }
  }

  /// Through all points (Catmull–Rom; the ends are mirrored).
  void curve(const std::vector<PenPoint>& points) {
    constexpr int pieces = 5;
    const auto last = points.size() - 1;
    for (std::size_t i = 0; i < last; ++i) {
      const PenPoint b = points[i];
      const PenPoint c = points[i + 1];
      const PenPoint a = i > 0 ? points[i - 1] : PenPoint{2 * b.x - c.x, 2 * b.y - c.y};
      const PenPoint d = i + 2 <= last ? points[i + 2] : PenPoint{2 * c.x - b.x, 2 * c.y - b.y};
      PenPoint from = b;
      for (int piece = 1; piece <= pieces; ++piece) {
        const double t = static_cast<double>(piece) / pieces;
        const auto at = [t](double p, double q, double r, double s) {
          return q +
                 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
        };
        const PenPoint to{at(a.x, b.x, c.x, d.x), at(a.y, b.y, c.y, d.y)};
        line(from, to);
        from = to;
      }
    }
  }

  /// Adds ink: full within `radius` of a line, fading over `edge` pixels around it.
  void ink(double radius, double edge, double intensity, float* pixels) const {
    const auto reach = static_cast<float>(radius + edge / 2);
    const auto slope = static_cast<float>(1 / edge);
    for (std::size_t i = 0; i < squared_.size(); ++i) {
      if (squared_[i] >= reach * reach) continue;
      const float cover = std::min(1.0F, (reach - std::sqrt(squared_[i])) * slope);
      pixels[i] = std::max(pixels[i], static_cast<float>(intensity) * cover);
    }
  }

 private:
  double reach_;
  std::array<float, glyph_side * glyph_side> squared_{};
};

}  // namespace

void draw_glyph(int digit, const GlyphStyle& style, RandomStream& random, float* pixels) {
  const std::vector<GlyphForm>& forms = glyph_forms(digit);
  const GlyphForm& form =
      forms[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(forms.size())))];
  const RandomPlacement place(style.distortion, random);
  const RandomField bend(style.distortion * node_shift, random);
  const double radius = pen_radius * std::exp(style.distortion * log_radius * random.normal());
  const double intensity = random.uniform(faintest, 1);

  std::fill_n(pixels, glyph_side * glyph_side, 0.0F);
  Sheet sheet(radius + pen_edge);
  for (const PenStroke& stroke : form) {
    std::vector<PenPoint> points = stroke.points;
    if (!stroke.curved) {
      // Straight strokes bend with the field too: it moves their middles.
      points = {stroke.points.front()};
      for (std::size_t i = 1; i < stroke.points.size(); ++i) {
        const PenPoint a = stroke.points[i - 1];
        const PenPoint b = stroke.points[i];
        for (const double t : {0.25, 0.5, 0.75, 1.0})
          points.push_back({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)});
      }
    }
    for (PenPoint& point : points) point = place(bend(point));
    if (stroke.curved) {
      sheet.curve(points);
    } else {
      for (std::size_t i = 1; i < points.size(); ++i) sheet.line(points[i - 1], points[i]);
    }
  }
  sheet.ink(radius, pen_edge, intensity, pixels);

  if (const auto specks = random.below(most_specks + 1); specks > 0) {
    constexpr double speck_radius = 0.6;
    Sheet dots(speck_radius + pen_edge);
    for (std::int64_t i = 0; i < specks; ++i) {
      const PenPoint spot{random.uniform(0, glyph_side - 1), random.uniform(0, glyph_side - 1)};
      dots.line(spot, {spot.x + style.distortion * random.normal(),
                       spot.y + style.distortion * random.normal()});
    }
    dots.ink(speck_radius, pen_edge, random.uniform(0.3, 0.9), pixels);
  }
  for (int i = 0; i < glyph_side * glyph_side; ++i) {
    pixels[i] =
        std::clamp(pixels[i] + static_cast<float>(style.noise * random.normal()), 0.0F, 1.0F);
  }
}

}  // namespace descramble
