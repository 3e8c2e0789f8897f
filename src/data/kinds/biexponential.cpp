#include "descramble/data/biexponential.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "data/generated_set.h"
#include "descramble/config/binding.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

struct BiexponentialOptions {
  std::int64_t points = 64;
  double time_max = 800;
  double low = 50;
  double high = 500;
  std::int64_t grid = 50;
  double snr = 900;
  double lambda = 1.6e-4;
  double label_unit = 1;
};

/// Bounds and start of the fit, as published.
constexpr double fit_low = 50;
constexpr double fit_high = 500;
constexpr double fit_start = 275;

/// Every pair T₁ ≤ T₂ of the grid in turn, each with noise of its own. The samples of a pair are
/// `pairs` apart, so that the first samples hold every pair.
class BiexponentialSet final : public GeneratedSet {
 public:
  BiexponentialSet(std::int64_t size, const BiexponentialOptions& options, bool regularised,
                   const DataContext& context)
      : GeneratedSet("biexponential", size, 2 * options.points, 2, context),
        options_(options),
        decay_(options.points, options.time_max),
        regularised_(regularised) {
    const std::vector<double> grid = evenly_spaced(options.low, options.high, options.grid);
    for (std::size_t i = 0; i < grid.size(); ++i) {
      for (std::size_t j = i; j < grid.size(); ++j) pairs_.push_back({grid[i], grid[j]});
    }
  }

  AxisScale input_scale() const override {
    std::vector<double> values = decay_.times();
    for (const double time : decay_.times()) values.push_back(options_.time_max + time);
    return {"time / ms, the decay twice", std::move(values)};
  }

 protected:
  void draw(RandomStream& random, std::int64_t index, float* input, float* label) const override {
    const std::array<double, 2>& pair = pairs_[static_cast<std::size_t>(index) % pairs_.size()];
    std::vector<double> noisy = decay_.at(pair);
    const double deviation = 1 / std::sqrt(options_.snr);
    for (double& one : noisy) one += deviation * random.normal();
    std::copy(noisy.begin(), noisy.end(), input);
    const std::vector<double> second = regularised_ ? fitted(noisy, index) : noisy;
    std::copy(second.begin(), second.end(), input + options_.points);
    label[0] = static_cast<float>(pair[0] / options_.label_unit);
    label[1] = static_cast<float>(pair[1] / options_.label_unit);
  }

 private:
  std::vector<double> fitted(const std::vector<double>& noisy, std::int64_t index) const {
    const BiexponentialDecay::Fit fit =
        decay_.fit(noisy, options_.lambda, fit_low, fit_high, {fit_start, fit_start});
    if (!fit.converged) {
      throw Failure({"the fit of two exponentials does not converge",
                     fmt::format("sample {}", index), "a minimum within 500 iterations",
                     fmt::format("T = {}, {}", fit.decay_times[0], fit.decay_times[1])});
    }
    return decay_.at(fit.decay_times);
  }

  BiexponentialOptions options_;
  BiexponentialDecay decay_;
  bool regularised_;
  std::vector<std::array<double, 2>> pairs_{};
};

Binding<BiexponentialOptions> biexponential_binding() {
  using Options = BiexponentialOptions;
  Binding<Options> binding;
  binding
      .add(&Options::points,
           {.name = "points", .doc = "times of a decay", .minimum = 8, .maximum = 8192})
      .add(&Options::time_max,
           {.name = "time_max", .doc = "the last time, in ms", .minimum = 0, .above_minimum = true})
      .add(
          &Options::low,
          {.name = "low", .doc = "shortest decay time, in ms", .minimum = 0, .above_minimum = true})
      .add(
          &Options::high,
          {.name = "high", .doc = "longest decay time, in ms", .minimum = 0, .above_minimum = true})
      .add(&Options::grid, {.name = "grid",
                            .doc = "decay times between low and high; the samples go through all "
                                   "pairs T1 <= T2",
                            .minimum = 1,
                            .maximum = 1000})
      .add(&Options::snr, {.name = "snr",
                           .doc = "the noise has the standard deviation 1/sqrt(snr)",
                           .minimum = 0,
                           .above_minimum = true})
      .add(&Options::lambda,
           {.name = "lambda",
            .doc = "weight of the regularisation in the fit: lambda^2 (p1^2 + p2^2)",
            .minimum = 0})
      .add(&Options::label_unit, {.name = "label_unit",
                                  .doc = "the labels are the decay times divided by this",
                                  .minimum = 0,
                                  .above_minimum = true});
  return binding;
}

std::vector<Field> biexponential_fields() {
  std::vector<Field> fields = generator_fields(20000, biexponential_binding().fields());
  fields.push_back({.name = "second",
                    .type = FieldType::string,
                    .doc = "the second half of an input; regularised: the decay of the regularised "
                           "fit; same: the noisy decay again",
                    .fallback = "regularised",
                    .choices = {"regularised", "same"}});
  return fields;
}

}  // namespace

const SourceKind& source_kind_biexponential() {
  static const SourceKind kind{
      .info = {.name = "biexponential",
               .summary = "noisy decays of two exponentials, drawn from the seed, each followed by "
                          "the decay of a regularised fit to it; labels are the two decay times",
               .formula = "0.6 exp(-t/T1) + 0.4 exp(-t/T2) + noise; fit: minimise ||G(p) - d||^2 + "
                          "lambda^2 ||p||^2, 50 <= p <= 500",
               .source = "Sule, Spencer, Czaja, arXiv 2301.07820",
               .fields = biexponential_fields()},
      .open = [](const Settings& settings,
                 const DataContext& context) -> std::shared_ptr<const DataSet> {
        const BiexponentialOptions options = biexponential_binding().read(settings);
        if ((options.low == options.high) != (options.grid == 1)) {
          throw Error(
              {"the grid does not fit its ends", join_pointer(context.pointer, "grid"),
               options.grid == 1 ? "more than 1 decay time, or low = high"
                                 : "1 decay time, since low = high",
               fmt::format("{} from {} to {} ms", options.grid, options.low, options.high)});
        }
        if (options.low > options.high) {
          throw Error({"decay times do not increase", join_pointer(context.pointer, "low"),
                       fmt::format("less than {}", options.high), fmt::format("{}", options.low)});
        }
        const bool regularised = settings.text("second") == "regularised";
        if (regularised && (options.low < fit_low || options.high > fit_high)) {
          throw Error({"decay times that the regularised fit does not reach",
                       join_pointer(context.pointer, options.low < fit_low ? "low" : "high"),
                       fmt::format("{} to {} ms, or \"second\": \"same\"", fit_low, fit_high),
                       fmt::format("{} to {} ms", options.low, options.high)});
        }
        return kept_if_asked(std::make_shared<BiexponentialSet>(settings.integer("count"), options,
                                                                regularised, context),
                             settings, context);
      },
      .write = write_tensors};
  return kind;
}

}  // namespace descramble
