// Minimises a loss of one's own over the rotations of a layer.
//
//     own_objective MODEL.pt TAP DATA.json RESULT.pt
//
// DATA.json is a data source as in a config, {"kind": "glyphs", "count": 500}.

#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include <ATen/ATen.h>
#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <nlohmann/json.hpp>

namespace {

descramble::Source source_in(const std::string& file) {
  std::ifstream stream(file);
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), nlohmann::json::parse(stream), "/data"),
      {.seed = 1});
}

void minimise_own_loss(const std::string& model_file, const std::string& tap,
                       const std::string& data_file, const std::string& result_file) {
  const descramble::Source data = source_in(data_file);
  const auto model = descramble::load_model(model_file);
  const auto tapped = descramble::tap_model(model, {tap});

  // [snippet]
  // Any differentiable function of the values at the tap, already rotated: here their mean size.
  auto loss = [](const at::Tensor& h) { return h.abs().mean(); };
  auto objective = descramble::at_tap(tapped, tap, data, loss);
  auto best = descramble::minimise(objective, {.max_iterations = 60, .starts = 4});

  // The same function, the rotation folded into the layers beside the tap where that is exact.
  auto exported = descramble::export_model(model, {objective.values().edit(best.point)});
  exported.model.save(result_file);
  // [/snippet]

  std::cout << "loss " << objective.value(at::eye(objective.dimension(), at::kDouble)) << " -> "
            << best.value << " (" << best.reason << ", " << best.iterations << " iterations, "
            << best.starts << " starts)\n";
  for (const descramble::RotationSide& side : exported.sides)
    std::cout << side.side << ": " << (side.module.empty() ? side.why : "into " + side.module)
              << '\n';
  const auto inputs = data.data->slice(0, 2).inputs;
  const at::Tensor before = model.forward(inputs);
  const at::Tensor after = descramble::load_model(result_file).forward(inputs);
  std::cout << "function changed by "
            << ((after - before).abs().max() / before.abs().max()).item<double>() << '\n';
}

}  // namespace

int main(int count, char** values) {
  if (count != 5) {
    std::cerr << "usage: own_objective MODEL.pt TAP DATA.json RESULT.pt\n";
    return 2;
  }
  try {
    minimise_own_loss(values[1], values[2], values[3], values[4]);
  } catch (const std::exception& error) {
    std::cerr << "own_objective: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
