#include "descramble/data/deer.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "data/generated_set.h"
#include "descramble/config/binding.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

enum class Part { trace, clean, noise };

class DeerSet final : public GeneratedSet {
 public:
  DeerSet(std::int64_t size, DeerSimulator simulator, Part part, const DataContext& context)
      : GeneratedSet("deer", size, static_cast<std::int64_t>(simulator.times().size()),
                     static_cast<std::int64_t>(simulator.distances().size()), context),
        simulator_(std::move(simulator)),
        part_(part) {}

  AxisScale input_scale() const override { return {"time / µs", simulator_.times()}; }
  AxisScale label_scale() const override { return {"distance / Å", simulator_.distances()}; }

 protected:
  void draw(RandomStream& random, std::int64_t, float* input, float* label) const override {
    const DeerSimulator::Trace trace = simulator_.draw(random);
    for (std::size_t i = 0; i < trace.clean.size(); ++i) {
      const double noisy = std::clamp(trace.clean[i] + trace.noise[i], 0.0, 1.0);
      input[i] = static_cast<float>(part_ == Part::trace   ? noisy
                                    : part_ == Part::clean ? trace.clean[i]
                                                           : trace.noise[i]);
    }
    std::copy(trace.distribution.begin(), trace.distribution.end(), label);
  }

 private:
  DeerSimulator simulator_;
  Part part_;
};

Binding<DeerOptions> deer_binding() {
  Binding<DeerOptions> binding;
  binding
      .add(&DeerOptions::points, {.name = "points",
                                  .doc = "points of the trace and of the distribution",
                                  .minimum = 8,
                                  .maximum = 2048})
      .add(&DeerOptions::time_max, {.name = "time_max",
                                    .doc = "length of the trace in µs",
                                    .minimum = 0,
                                    .above_minimum = true})
      .add(&DeerOptions::gaussians, {.name = "gaussians",
                                     .doc = "a distance distribution has 1 to this many, at most "
                                            "as many as fit between the distances",
                                     .minimum = 1})
      .add(&DeerOptions::noise, {.name = "noise",
                                 .doc = "largest standard deviation of the noise, relative to the "
                                        "modulation depth",
                                 .minimum = 0})
      .add(&DeerOptions::depth_min,
           {.name = "depth_min", .doc = "smallest modulation depth", .minimum = 0, .maximum = 1})
      .add(&DeerOptions::depth_max,
           {.name = "depth_max", .doc = "largest modulation depth", .minimum = 0, .maximum = 1})
      .add(
          &DeerOptions::background_max,
          {.name = "background_max", .doc = "largest rate of the background, per µs", .minimum = 0})
      .add(&DeerOptions::dimension_min, {.name = "dimension_min",
                                         .doc = "smallest dimension of the background",
                                         .minimum = 0,
                                         .above_minimum = true})
      .add(&DeerOptions::dimension_max, {.name = "dimension_max",
                                         .doc = "largest dimension of the background",
                                         .minimum = 0,
                                         .above_minimum = true});
  return binding;
}

std::vector<Field> deer_fields() {
  std::vector<Field> fields = generator_fields(10000, deer_binding().fields());
  fields.push_back({.name = "times",
                    .type = FieldType::numbers,
                    .doc = "times in µs, increasing from 0, instead of points and time_max; null: "
                           "evenly spaced",
                    .fallback = nullptr,
                    .minimum = 0});
  for (const char* name : {"distance_min", "distance_max"}) {
    fields.push_back({.name = name,
                      .type = FieldType::number,
                      .doc = "end of the distances in Å; null: what the time grid resolves",
                      .fallback = nullptr,
                      .minimum = 0,
                      .above_minimum = true});
  }
  fields.push_back({.name = "part",
                    .type = FieldType::string,
                    .doc = "trace: with noise, cut to [0, 1]; clean: without noise; noise: the "
                           "noise alone",
                    .fallback = "trace",
                    .choices = {"trace", "clean", "noise"}});
  return fields;
}

std::shared_ptr<const DataSet> open_deer(const Settings& settings, const DataContext& context) {
  DeerOptions options = deer_binding().read(settings);
  if (const auto times = settings.find_numbers("times")) {
    if (times->empty())
      throw Error({"no times", join_pointer(context.pointer, "times"), "8 or more, or null", "[]"});
    options.times = *times;
  }
  options.distance_min = settings.find_number("distance_min");
  options.distance_max = settings.find_number("distance_max");
  for (const auto& [low, high, name] :
       {std::tuple{options.depth_min, options.depth_max, "depth_min"},
        {options.dimension_min, options.dimension_max, "dimension_min"}}) {
    if (low <= high) continue;
    throw Error({"a range without numbers", join_pointer(context.pointer, name),
                 fmt::format("at most {}", high), fmt::format("{}", low)});
  }
  const std::string part = settings.text("part");
  return with_complaint(
      [&](Complaint& complaint) { complaint.where = context.pointer + "/" + complaint.where; },
      [&]() -> std::shared_ptr<const DataSet> {
        return kept_if_asked(
            std::make_shared<DeerSet>(settings.integer("count"), DeerSimulator(options),
                                      part == "trace"   ? Part::trace
                                      : part == "clean" ? Part::clean
                                                        : Part::noise,
                                      context),
            settings, context);
      });
}

}  // namespace

const SourceKind& source_kind_deer() {
  static const SourceKind kind{
      .info = {.name = "deer",
               .summary = "DEER traces of two electron spins, drawn from the seed: inputs are "
                          "traces over time, labels the distance distributions (per nm)",
               .formula = "(1 - m + m int p(r) g(r, t) dr) exp(-(k t)^(n/3)) + noise",
               .source = "Worswick, Spencer, Jeschke, Kuprov, Science Advances 4 (2018) eaat5218",
               .fields = deer_fields()},
      .open = open_deer,
      .write = write_tensors};
  return kind;
}

}  // namespace descramble
