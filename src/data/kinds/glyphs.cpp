#include <ATen/ops/empty.h>

#include "data/glyph.h"
#include "data/samples.h"
#include "descramble/data/kinds.h"
#include "descramble/data/write_idx.h"

namespace descramble {

namespace {

/// Sample i depends only on the seed, the split and i. Each block of ten holds every digit once.
class GlyphSet : public DataSet {
 public:
  GlyphSet(std::int64_t size, GlyphStyle style, const DataContext& context)
      : size_(size), style_(style), seed_(context.seed), stream_("glyphs/" + context.split) {}

  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return true; }
  std::vector<std::string> class_names() const override {
    return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size_);
    const auto count = static_cast<std::int64_t>(indices.size());
    at::Tensor images = at::empty({count, 1, glyph_side, glyph_side}, at::kFloat);
    at::Tensor labels = at::empty({count}, at::kLong);
    auto* pixels = images.data_ptr<float>();
    auto* digits = labels.data_ptr<std::int64_t>();
    for_each_sample(count, 32, [&](std::int64_t i) {
      const auto index = static_cast<std::uint64_t>(indices[static_cast<std::size_t>(i)]);
      digits[i] = random_stream(seed_, stream_ + "/digits", index / 10).permutation(10)[index % 10];
      RandomStream random = random_stream(seed_, stream_, index);
      draw_glyph(static_cast<int>(digits[i]), style_, random, pixels + i * glyph_side * glyph_side);
    });
    return {{images}, labels};
  }

 private:
  std::int64_t size_;
  GlyphStyle style_;
  std::uint64_t seed_;
  std::string stream_;
};

}  // namespace

const SourceKind& source_kind_glyphs() {
  static const SourceKind kind{
      .info = {.name = "glyphs",
               .summary = "Digits 0-9 drawn from the seed as pictures of 1 x 28 x 28 in [0, 1]; "
                          "the splits 'train' and "
                          "'test' share none",
               .fields = {{.name = "count",
                           .type = FieldType::integer,
                           .doc = "how many; the first ones stay the same when it grows",
                           .fallback = 2000,
                           .minimum = 1},
                          {.name = "noise",
                           .type = FieldType::number,
                           .doc = "standard deviation of the noise of each pixel",
                           .fallback = 0.07,
                           .minimum = 0,
                           .maximum = 1},
                          {.name = "distortion",
                           .type = FieldType::number,
                           .doc = "multiplies the random changes of shape, place and thickness",
                           .fallback = 1,
                           .minimum = 0,
                           .maximum = 5}}},
      .open = [](const Settings& settings,
                 const DataContext& context) -> std::shared_ptr<const DataSet> {
        return std::make_shared<GlyphSet>(
            settings.integer("count"),
            GlyphStyle{settings.number("noise"), settings.number("distortion")}, context);
      },
      .write = [](const DataSet& data, const std::filesystem::path& folder,
                  const std::string& split) -> WrittenFiles {
        // The names of the MNIST files.
        const std::string prefix = split == "test" ? "t10k" : split;
        const WrittenFiles names{{"images", prefix + "-images-idx3-ubyte"},
                                 {"labels", prefix + "-labels-idx1-ubyte"}};
        write_idx(data, folder / names[0].second, folder / names[1].second);
        return names;
      }};
  return kind;
}

}  // namespace descramble
