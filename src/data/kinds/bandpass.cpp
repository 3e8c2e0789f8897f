#include <cmath>
#include <complex>
#include <numbers>

#include <ATen/TensorOperators.h>
#include <ATen/ops/fft_irfft.h>
#include <ATen/ops/fft_rfft.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "data/generated_set.h"
#include "descramble/config/binding.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

struct BandpassOptions {
  std::int64_t points = 1024;
  double rate = 1024;
  double low = 10;
  double high = 50;
  std::string signal = "noise";
  double noise = 0.1;
};

/// Draws the signals; the labels come from one Fourier transform of the batch.
class BandpassSet final : public GeneratedSet {
 public:
  BandpassSet(std::int64_t size, const BandpassOptions& options, const DataContext& context)
      : GeneratedSet("bandpass", size, options.points, 0, context), options_(options) {
    const std::int64_t bins = options.points / 2 + 1;
    mask_ = at::zeros({bins}, at::kFloat);
    for (std::int64_t k = 0; k < bins; ++k) {
      const double frequency =
          static_cast<double>(k) * options.rate / static_cast<double>(options.points);
      if (frequency >= options.low && frequency <= options.high) mask_[k] = 1;
    }
  }

  bool has_labels() const override { return true; }
  AxisScale input_scale() const override {
    const double last = static_cast<double>(options_.points - 1) / options_.rate;
    return {"time / s", evenly_spaced(0, last, options_.points)};
  }
  AxisScale label_scale() const override { return input_scale(); }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    Batch batch = GeneratedSet::gather(indices);
    // MKL has no transform of nothing.
    batch.labels = indices.empty()
                       ? batch.inputs[0].clone()
                       : at::fft_irfft(at::fft_rfft(batch.inputs[0]) * mask_, options_.points);
    return batch;
  }

 protected:
  void draw(RandomStream& random, std::int64_t, float* input, float*) const override {
    if (options_.signal == "noise") {
      for (std::int64_t i = 0; i < options_.points; ++i)
        input[i] = static_cast<float>(random.normal());
      return;
    }
    std::vector<double> signal(static_cast<std::size_t>(options_.points), 0);
    for (int sine = 0; sine < 3; ++sine) {
      const double frequency = random.uniform(0, options_.rate / 2);
      const double phase = random.uniform(0, 2 * std::numbers::pi);
      for (std::size_t i = 0; i < signal.size(); ++i) {
        const double time = static_cast<double>(i) / options_.rate;
        signal[i] += std::sin(2 * std::numbers::pi * frequency * time + phase);
      }
    }
    for (std::size_t i = 0; i < signal.size(); ++i)
      input[i] = static_cast<float>(signal[i] + options_.noise * random.normal());
  }

 private:
  BandpassOptions options_;
  at::Tensor mask_{};
};

Binding<BandpassOptions> bandpass_binding() {
  using Options = BandpassOptions;
  Binding<Options> binding;
  binding
      .add(&Options::points,
           {.name = "points", .doc = "numbers of a signal", .minimum = 8, .maximum = 65536})
      .add(&Options::rate,
           {.name = "rate", .doc = "samples per second", .minimum = 0, .above_minimum = true})
      .add(&Options::low, {.name = "low", .doc = "lower end of the pass band, in Hz", .minimum = 0})
      .add(&Options::high,
           {.name = "high", .doc = "upper end of the pass band, in Hz", .minimum = 0})
      .add(&Options::signal, {.name = "signal",
                              .doc = "noise: independent normal numbers; sines: three sines of "
                                     "random frequency and phase, and noise",
                              .choices = {"noise", "sines"}})
      .add(&Options::noise, {.name = "noise",
                             .doc = "standard deviation of the noise beside the sines",
                             .minimum = 0});
  return binding;
}

}  // namespace

const SourceKind& source_kind_bandpass() {
  static const SourceKind kind{
      .info = {.name = "bandpass",
               .summary = "signals drawn from the seed; labels are the same signals after an ideal "
                          "band-pass filter",
               .formula = "y = irfft(rfft(x) [low <= f <= high])",
               .source = "Sule, Spencer, Czaja, arXiv 2301.07820 (band_net)",
               .fields = generator_fields(10000, bandpass_binding().fields())},
      .open = [](const Settings& settings,
                 const DataContext& context) -> std::shared_ptr<const DataSet> {
        const BandpassOptions options = bandpass_binding().read(settings);
        if (options.high > options.rate / 2) {
          throw Error({"a pass band that the rate does not resolve",
                       join_pointer(context.pointer, "high"),
                       fmt::format("at most {} Hz, half the rate", options.rate / 2),
                       fmt::format("{} Hz", options.high)});
        }
        if (options.low >= options.high) {
          throw Error({"no pass band", join_pointer(context.pointer, "low"),
                       fmt::format("less than {} Hz, its upper end", options.high),
                       fmt::format("{} Hz", options.low)});
        }
        const double bin = options.rate / static_cast<double>(options.points);
        if (std::floor(options.high / bin) < std::ceil(options.low / bin)) {
          throw Error({"no frequency in the pass band", join_pointer(context.pointer, "low"),
                       fmt::format("a multiple of {} Hz between low and high", bin),
                       fmt::format("{} to {} Hz", options.low, options.high)});
        }
        return kept_if_asked(
            std::make_shared<BandpassSet>(settings.integer("count"), options, context), settings,
            context);
      },
      .write = write_tensors};
  return kind;
}

}  // namespace descramble
