#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>

#include "data/generated_set.h"
#include "descramble/config/binding.h"
#include "descramble/data/biexponential.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

struct LinearOptions {
  std::int64_t inputs = 32;
  std::int64_t outputs = 16;
  double largest = 4;
  double ratio = 0.8;
  std::string signal = "none";
  double alpha = 1;
};

/// M = U diag(largest·ratioⁱ) Vᵀ, U and V Haar. It is the same for all splits of a seed.
at::Tensor linear_map(const LinearOptions& options, std::uint64_t seed) {
  RandomStream random = random_stream(seed, "linear/map");
  const std::int64_t rank = std::min(options.inputs, options.outputs);
  const at::Tensor left = random.haar_tensor(options.outputs).narrow(1, 0, rank);
  const at::Tensor right = random.haar_tensor(options.inputs).narrow(1, 0, rank);
  std::vector<double> values;
  for (std::int64_t i = 0; i < rank; ++i)
    values.push_back(options.largest * std::pow(options.ratio, static_cast<double>(i)));
  const at::Tensor singular = at::from_blob(values.data(), {rank}, at::kDouble);
  return (left * singular).matmul(right.t()).contiguous();
}

class LinearSet final : public GeneratedSet {
 public:
  LinearSet(std::int64_t size, const LinearOptions& options, const DataContext& context)
      : GeneratedSet("linear", size, options.inputs, options.outputs, context),
        options_(options),
        map_(linear_map(options, context.seed)),
        decay_(options.inputs, static_cast<double>(options.inputs - 1)) {}

 protected:
  void draw(RandomStream& random, std::int64_t, float* input, float* label) const override {
    std::vector<double> x(static_cast<std::size_t>(options_.inputs), 0);
    if (options_.signal == "ones") {
      std::fill(x.begin(), x.end(), 1.0);
    } else if (options_.signal == "biexponential") {
      const auto length = static_cast<double>(options_.inputs);
      const double first = length * random.uniform(0.05, 0.5);
      const double second = length * random.uniform(0.05, 0.5);
      x = decay_.at({first, second});
    }
    for (double& one : x) one += options_.alpha * random.normal();
    std::copy(x.begin(), x.end(), input);
    const double* row = map_.data_ptr<double>();
    for (std::int64_t i = 0; i < options_.outputs; ++i, row += options_.inputs) {
      double sum = 0;
      for (std::size_t j = 0; j < x.size(); ++j) sum += row[j] * x[j];
      label[i] = static_cast<float>(sum);
    }
  }

 private:
  LinearOptions options_;
  at::Tensor map_;
  BiexponentialDecay decay_;  ///< over the numbers of an input
};

Binding<LinearOptions> linear_binding() {
  using Options = LinearOptions;
  Binding<Options> binding;
  binding
      .add(&Options::inputs,
           {.name = "inputs", .doc = "numbers of an input", .minimum = 1, .maximum = 4096})
      .add(&Options::outputs,
           {.name = "outputs", .doc = "numbers of a label", .minimum = 1, .maximum = 4096})
      .add(&Options::largest, {.name = "largest",
                               .doc = "largest singular value of the map",
                               .minimum = 0,
                               .above_minimum = true})
      .add(&Options::ratio, {.name = "ratio",
                             .doc = "each singular value is this times the one before",
                             .minimum = 0,
                             .maximum = 1,
                             .above_minimum = true})
      .add(&Options::signal,
           {.name = "signal",
            .doc = "s; none: 0; ones: 1 everywhere; biexponential: 0.6 exp(-t/a) + 0.4 exp(-t/b), "
                   "a and b uniform between 0.05 and 0.5 of the length",
            .choices = {"none", "ones", "biexponential"}})
      .add(&Options::alpha,
           {.name = "alpha", .doc = "standard deviation of the noise beside s", .minimum = 0});
  return binding;
}

}  // namespace

const SourceKind& source_kind_linear() {
  static const SourceKind kind{
      .info = {.name = "linear",
               .summary =
                   "inputs x = s + alpha y with normal y (whitened without a signal), labels "
                   "M x with a random M of given singular values; all from the seed",
               .formula = "x = s + alpha y, label = U diag(largest ratio^i) V' x",
               .source = "Saxe, McClelland, Ganguli, ICLR 2014 (whitened inputs); Sule, Spencer, "
                         "Czaja, arXiv 2301.07820 (signal and noise; their paper has s + y/alpha)",
               .fields = generator_fields(10000, linear_binding().fields())},
      .open = [](const Settings& settings,
                 const DataContext& context) -> std::shared_ptr<const DataSet> {
        return kept_if_asked(std::make_shared<LinearSet>(settings.integer("count"),
                                                         linear_binding().read(settings), context),
                             settings, context);
      },
      .write = write_tensors};
  return kind;
}

}  // namespace descramble
