#include "descramble/results/verify.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/analysis/certificate.h"
#include "descramble/analysis/check_samples.h"
#include "descramble/analysis/insertion.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/core/safetensors.h"
#include "descramble/model/arguments.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/tapped_model.h"
#include "results/result_folder.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// A result folder and its checks.
class Verification {
 public:
  Verification(const fs::path& folder, fs::path model) : folder_(folder), model_(std::move(model)) {
    const fs::path file = folder / "result.json";
    if (!fs::is_directory(folder))
      throw Error(
          {"not a result folder", folder.string(), "a folder", "something else or nothing"});
    if (!fs::exists(file))
      throw Error({"not a result folder", folder.string(), "a result.json in it", "none"});
    result_ = read_json(file);
    if (!is_result_file(file))
      throw Error(
          {"not a result folder", file.string(), "a result of this program", "another JSON file"});
  }

  std::vector<Check> run() {
    hashes();
    if (intact_) {
      tensors_ = load_safetensors(folder_ / "tensors.safetensors");
      rotations();
      exported_model();
      original_model();
    }
    return std::move(checks_);
  }

 private:
  void add(const std::string& what, bool holds, const std::string& detail) {
    checks_.push_back({what, holds ? Check::Outcome::holds : Check::Outcome::fails, detail});
  }
  void skip(const std::string& what, const std::string& detail) {
    checks_.push_back({what, Check::Outcome::skipped, detail});
  }

  void hashes() {
    for (const json& entry : result_.at("files")) {
      const std::string name = entry.at("path");
      if (!fs::exists(folder_ / name)) {
        add(name, false, "missing");
        intact_ = false;
        continue;
      }
      const bool same = sha256_of_path(folder_ / name) == entry.at("sha256");
      add(name, same,
          same ? "sha256 as recorded"
               : "sha256 differs from the recorded one: the file was changed");
      intact_ = intact_ && same;
    }
  }

  const at::Tensor& tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
      throw Error({"tensor missing", (folder_ / "tensors.safetensors").string(), "'" + name + "'",
                   "none of that name"});
    return found->second;
  }

  void rotations() {
    const json& steps = result_.at("steps");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!steps[i].contains("certificate")) continue;  // it rotates nothing
      for (const json& tap : steps[i].at("taps")) {
        const std::string prefix = fmt::format("steps.{}.{}", i, tap.at("name").get<std::string>());
        const at::Tensor& rotation = tensor(prefix + ".rotation");
        const double distance = distance_from_orthogonal(rotation);
        const double limit = 1e-12 * static_cast<double>(rotation.size(0));
        add(prefix + ".rotation", distance <= limit,
            fmt::format("|PtP - I| = {:.2e} (allowed {:.0e})", distance, limit));
      }
      for (const json& side : steps[i].value("folded", json::array())) {
        if (!side.contains("module")) continue;
        folded(fmt::format("steps.{}.{}", i, side.at("tap").get<std::string>()), side.at("side"));
      }
    }
  }

  void folded(const std::string& prefix, const std::string& side) {
    const std::string base =
        side == "right" && tensors_.contains(prefix + ".right.weight") ? prefix + ".right" : prefix;
    const at::Tensor& rotation = tensor(prefix + ".rotation");
    const at::Tensor weight = tensor(base + ".weight").to(at::kDouble);
    const at::Tensor found = tensor(base + ".weight_descrambled");
    const at::Tensor expected = side == "left"
                                    ? rotation.matmul(weight.flatten(1)).reshape(weight.sizes())
                                    : weight.movedim(1, -1).matmul(rotation.t()).movedim(-1, 1);
    const double difference = relative_difference(found, expected);
    const double limit = found.scalar_type() == at::kDouble  ? 1e-12
                         : found.scalar_type() == at::kFloat ? 1e-6
                                                             : 1e-2;
    add(base + ".weight_descrambled", difference <= limit,
        fmt::format("{} to {:.1e} (allowed {:.0e})", side == "left" ? "W' = P W" : "W' = W Pt",
                    difference, limit));
  }

  std::vector<at::Tensor> check_inputs() const {
    std::vector<at::Tensor> inputs{tensor("check.inputs")};
    for (int i = 1; tensors_.contains(fmt::format("check.inputs.{}", i)); ++i)
      inputs.push_back(tensor(fmt::format("check.inputs.{}", i)));
    return inputs;
  }

  /// An archive used as the config says.
  Model as_configured(const fs::path& file) const {
    const json& config = result_.at("config").at("model");
    const Model model =
        with_model_fields(load_model(file, "cpu", config.value("method", "forward")), config);
    const json names = result_.value(json::json_pointer("/check/inputs"), json());
    if (names.is_null()) return model;
    return with_arguments(model, config.value("arguments", json::object()),
                          names.get<std::vector<std::string>>(), config.value("batch_dim", 0),
                          config.value("batched", true), "/model/arguments");
  }

  double check_difference(const Forward& forward) const {
    const std::vector<at::Tensor> inputs = check_inputs();
    const std::int64_t batch =
        result_.value(json::json_pointer("/check/batch_size"), inputs.at(0).size(0));
    return relative_difference(run_in_batches(inputs, batch, forward), tensor("check.outputs"));
  }

  /// The limit for the step: from the model's dtype, its tolerance, or the model's noise floor.
  static double allowed(const json& step, const Model& model) {
    return std::max(allowed_difference(model.dtype()),
                    step.value(json::json_pointer("/certificate/allowed"), 0.0));
  }

  void exported_model() {
    if (!fs::exists(folder_ / "model.pt")) return;
    const Model model = as_configured(folder_ / "model.pt");
    const at::NoGradGuard no_grad;
    const Model start = model.with_policy(StatePolicy::reset);
    const double difference = check_difference(
        [&start](const std::vector<at::Tensor>& inputs) { return start.forward(inputs); });
    double limit = 0;
    for (const json& step : result_.at("steps")) limit = std::max(limit, allowed(step, model));
    add("model.pt on the check inputs", difference <= limit,
        fmt::format("max|f - f'| / max|f| = {:.2e} (allowed {:.0e})", difference, limit));
  }

  /// If the original model is available, the pair is inserted once more.
  void original_model() {
    for (const json& input : result_.at("inputs")) {
      if (input.at("role") != "model") continue;
      const std::string given = input.at("path");
      fs::path path = model_;
      for (const fs::path& place : PathSearch{"configs"}.places(given)) {
        if (path.empty() && fs::exists(place)) path = place;
      }
      if (path.empty()) {
        skip("the original model",
             "not at hand from here (" + given + "): its pair was not inserted again");
        return;
      }
      if (sha256_of_path(path) != input.at("sha256")) {
        if (!model_.empty()) {
          throw Error({"not the model that was analysed", path.string(),
                       "sha256 " + input.at("sha256").get<std::string>(), sha256_of_path(path)});
        }
        skip("the original model",
             path.string() +
                 " is another file than the one analysed: its pair was not inserted again");
        return;
      }
      Model model = as_configured(path);
      const json dtype = result_.at("config").at("dtype");
      if (dtype.is_string()) model = model.to_dtype(parse_dtype(dtype));
      reinsert(model);
    }
  }

  void reinsert(const Model& model) {
    const json& steps = result_.at("steps");
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!steps[i].contains("certificate")) continue;  // it rotates nothing
      for (const json& tap : steps[i].at("taps")) {
        const std::string name = tap.at("name");
        const std::vector<RotatedTap> taps{
            {.space = {.name = name, .axis = parse_axis(tap.at("axis"))},
             .pair = RotationPair(tensor(fmt::format("steps.{}.{}.rotation", i, name)))}};
        const TappedModel tapped = tap_model(model.with_policy(StatePolicy::reset), {name});
        const std::vector<Watch> watches = insert_pairs(tapped, taps);
        const double difference = check_difference(
            [&tapped](const std::vector<at::Tensor>& inputs) { return tapped.forward(inputs); });
        const double limit = allowed(steps[i], model);
        add(fmt::format("pair inserted into the original at '{}'", name), difference <= limit,
            fmt::format("max|f - f'| / max|f| = {:.2e} (allowed {:.0e})", difference, limit));
      }
    }
  }

  fs::path folder_;
  fs::path model_;
  json result_{};
  NamedTensors tensors_{};
  std::vector<Check> checks_{};
  bool intact_ = true;
};

}  // namespace

std::vector<Check> verify_result(const fs::path& folder, const fs::path& model) {
  Verification verification(folder, model);
  try {
    return verification.run();
  } catch (const json::exception& error) {
    throw Error({"result.json is not complete", folder.string(), "the keys of a result",
                 first_line(error.what())});
  }
}

}  // namespace descramble
