// Descrambles a layer of a model from a program of your own.
//
//     embed MODEL.pt DESCRAMBLED.pt
//
// MODEL.pt is a classifier of 1 x 28 x 28 pictures with a layer fc1, such as models/glyph_mlp.pt.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>

#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <nlohmann/json.hpp>

namespace {

/// Drawn digits from seed 1: the same ones as in configs/first.json.
descramble::Source drawn_digits(std::int64_t count) {
  const nlohmann::json config = {{"kind", "glyphs"}, {"count", count}};
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), config, "/data"), {.seed = 1});
}

void descramble_first_layer(const std::string& model_file, const std::string& result_file) {
  const descramble::Source digits = drawn_digits(2000);

  // [snippet]
  auto model = descramble::load_model(model_file);
  auto tapped = descramble::tap_model(model, {"fc1"});

  // One pass over the data. Memory does not grow with the number of samples.
  descramble::Moments moments;
  auto watch = tapped.observe("fc1", [&](const at::Tensor& h) { moments.add(h); });
  for (std::int64_t begin = 0; begin < digits.data->size(); begin += digits.batch_size) {
    tapped.forward(
        digits.data->slice(begin, std::min(begin + digits.batch_size, digits.data->size())).inputs);
  }

  // The rotation that makes the layer's output smoothest, in closed form.
  const descramble::Smoothness objective(descramble::Stencil::fourier_second, moments.covariance());
  const auto solution = descramble::minimise(objective, {.kind = "exact"});
  const auto identity = descramble::RotationPair::identity(objective.dimension());
  std::cout << "smoothness " << objective.value(identity.matrix()) << " -> " << solution.value
            << '\n';

  // The same function, with the rotation folded into fc1 where that is exact.
  const auto exported =
      descramble::export_model(model, {{.tap = "fc1", .rotation = solution.point}});
  exported.model.save(result_file);
  // [/snippet]

  const auto inputs = digits.data->slice(0, 8).inputs;
  const at::Tensor before = model.forward(inputs);
  const at::Tensor after = descramble::load_model(result_file).forward(inputs);
  double difference = 0;
  double largest = 0;
  for (std::int64_t i = 0; i < before.numel(); ++i) {
    const double logit = before.data_ptr<float>()[i];
    difference = std::max(difference, std::abs(after.data_ptr<float>()[i] - logit));
    largest = std::max(largest, std::abs(logit));
  }
  std::cout << "function changed by " << difference / largest << '\n';
}

}  // namespace

int main(int count, char** values) {
  if (count != 3) {
    std::cerr << "usage: embed MODEL.pt DESCRAMBLED.pt\n";
    return 2;
  }
  // A setting of the whole process, so the library leaves it to the host: freed activations are
  // kept for the next batch instead of going back to the kernel each time. A host that has an
  // allocator of its own (jemalloc, tcmalloc), or needs its memory back for something else, leaves
  // it out.
  descramble::keep_freed_memory();
  try {
    descramble_first_layer(values[1], values[2]);
  } catch (const std::exception& error) {
    std::cerr << "embed: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
