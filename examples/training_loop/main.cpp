// Trains a TorchScript model on drawn digits and watches a layer of it.
//
//     training_loop MODEL.pt TAP PROBES.jsonl [EPOCHS]

#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

namespace {

descramble::Source drawn_digits(std::int64_t count, const std::string& split) {
  const nlohmann::json config = {{"kind", "glyphs"}, {"count", count}};
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), config, "/data"),
      {.seed = 1, .split = split});
}

void train(const std::string& model_file, const std::string& tap, const std::string& probes_file,
           int epochs) {
  const descramble::Source digits = drawn_digits(2000, "train");
  const descramble::Source held_out = drawn_digits(500, "test");
  const auto model = descramble::load_model(model_file);

  // [snippet]
  // The parameters share their memory with the model.
  std::vector<torch::Tensor> parameters;
  for (const auto& [name, parameter] : model.parameters()) parameters.push_back(parameter);
  torch::optim::AdamW optimizer(parameters, 1e-3);

  descramble::Probes probes(model,
                            {.taps = {tap},
                             .every = 10,
                             .measure = {"spectrum", "smoothness", "jacobian_l1"},
                             .samples = 200},
                            held_out, descramble::json_lines_sink(probes_file));
  probes.at_step(0, 0);  // before the first step
  model.set_training(true);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    probes.begin_epoch();
    for (std::int64_t begin = 0; begin < digits.data->size(); begin += 100) {
      const auto batch = digits.data->slice(begin, begin + 100);
      optimizer.zero_grad();
      const auto logits = model.forward(batch.inputs);
      torch::nn::functional::cross_entropy(logits, batch.labels).backward();
      optimizer.step();
      probes.step();
    }
    for (const std::string& line : probes.new_lines()) std::cout << line << '\n';
  }
  std::cout << "probes: " << descramble::cost_text(probes.cost()) << '\n';
  // [/snippet]

  model.set_training(false);
  const auto subject = descramble::open_subject(model, digits, held_out);
  std::cout << "held-out accuracy " << descramble::evaluate(subject).top1() << '\n';
}

}  // namespace

int main(int count, char** values) {
  if (count < 4 || count > 5) {
    std::cerr << "usage: training_loop MODEL.pt TAP PROBES.jsonl [EPOCHS]\n";
    return 2;
  }
  try {
    train(values[1], values[2], values[3], count > 4 ? std::stoi(values[4]) : 3);
  } catch (const std::exception& error) {
    std::cerr << "training_loop: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
