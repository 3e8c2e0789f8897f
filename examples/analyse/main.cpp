// Explains layers of a model from a program of your own, with data in memory.
//
//     analyse MODEL.pt DATA.safetensors RESULT.pt
//
// MODEL.pt has layers fc1, act1 and act2, such as models/glyph_mlp.pt; DATA.safetensors has the
// tensors `images` and `labels`.

#include <exception>
#include <iostream>
#include <string>

#include <descramble/descramble.h>

namespace {

void analyse(const std::string& model_file, const std::string& data, const std::string& result) {
  const auto tensors = descramble::load_safetensors(data);

  // [snippet]
  const auto model = descramble::load_model(model_file);
  const auto subject = descramble::open_subject(
      model, descramble::tensor_set(tensors.at("images"), tensors.at("labels")));

  // How much of the accuracy is left as principal components, or neurons, are ablated.
  const auto complete = descramble::measure_completeness(subject, {.taps = {"fc1"}});
  const descramble::TapCompleteness& fc1 = complete.taps[0];
  for (const descramble::Curve& curve : fc1.curves)
    std::cout << fc1.bases[curve.basis].label << ", " << descramble::order_name(curve.order)
              << ": area " << *descramble::area_under(curve, fc1.space.dimension) << '\n';

  // The rotation that makes the layer's output smoothest.
  const auto smooth = descramble::descramble_layers(subject, {.taps = {"fc1"}});
  std::cout << "roughness " << smooth[0].value.before << " -> " << smooth[0].value.after << '\n';

  // The rotation in which each unit of act2 depends on few directions of act1.
  const auto sparse = descramble::descramble_chain(
      subject, {.taps = {"act1", "act2"}, .learn = {"act1"}, .samples = 200});
  std::cout << "sum of |J| " << sparse.value.before << " -> " << sparse.value.after << '\n';

  // The same function in the new bases, measured: plain TorchScript.
  const auto exported = descramble::export_checked(
      subject, {edit_of(smooth[0].rotated), edit_of(sparse.learned[0].rotated)}, result);
  std::cout << "function changed by " << exported.difference << '\n';
  // [/snippet]
}

}  // namespace

int main(int count, char** values) try {
  if (count != 4) throw descramble::Error("usage: analyse MODEL.pt DATA.safetensors RESULT.pt");
  analyse(values[1], values[2], values[3]);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "analyse: " << error.what() << '\n';
  return 1;
}
