#include <cmath>
#include <numbers>

#include "data/generated_set.h"
#include "descramble/config/binding.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

struct OscillationOptions {
  std::int64_t frequencies = 16;
  std::int64_t period = 64;
  std::int64_t periods_before = 1;
  std::int64_t periods_after = 1;
};

class OscillationSet final : public GeneratedSet {
 public:
  OscillationSet(std::int64_t size, const OscillationOptions& options, const DataContext& context)
      : GeneratedSet("oscillation", size, 2 * options.frequencies, 0, context), options_(options) {}

 protected:
  void draw(RandomStream& random, std::int64_t, float* input, float*) const override {
    const auto period = static_cast<double>(options_.period);
    const double z = random.uniform(-static_cast<double>(options_.periods_before) * period,
                                    static_cast<double>(options_.periods_after) * period);
    for (std::int64_t k = 1; k <= options_.frequencies; ++k) {
      const double phase = 2 * std::numbers::pi * static_cast<double>(k) * z / period;
      input[k - 1] = static_cast<float>(std::cos(phase));
      input[options_.frequencies + k - 1] = static_cast<float>(std::sin(phase));
    }
  }

 private:
  OscillationOptions options_;
};

Binding<OscillationOptions> oscillation_binding() {
  using Options = OscillationOptions;
  Binding<Options> binding;
  binding
      .add(&Options::frequencies, {.name = "frequencies",
                                   .doc = "k = 1 to this many: real parts, then imaginary parts",
                                   .minimum = 1,
                                   .maximum = 4096})
      .add(&Options::period, {.name = "period", .doc = "N, the period of k = 1", .minimum = 1})
      .add(&Options::periods_before,
           {.name = "periods_before", .doc = "u: z is drawn from [-uN, vN]", .minimum = 0})
      .add(&Options::periods_after,
           {.name = "periods_after", .doc = "v: z is drawn from [-uN, vN]", .minimum = 1});
  return binding;
}

}  // namespace

const SourceKind& source_kind_oscillation() {
  static const SourceKind kind{
      .info = {.name = "oscillation",
               .summary = "complex oscillations at a random place, as real and imaginary parts; "
                          "drawn from the seed, without labels",
               .formula = "s_k(z) = exp(2 pi i k z / N), k = 1, 2, ..., z uniform in [-uN, vN]",
               .source = "Sule, Spencer, Czaja, arXiv 2301.07820 (corollary on oscillations)",
               .fields = generator_fields(10000, oscillation_binding().fields())},
      .open = [](const Settings& settings,
                 const DataContext& context) -> std::shared_ptr<const DataSet> {
        return kept_if_asked(
            std::make_shared<OscillationSet>(settings.integer("count"),
                                             oscillation_binding().read(settings), context),
            settings, context);
      },
      .write = write_tensors};
  return kind;
}

}  // namespace descramble
