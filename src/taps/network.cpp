#include "descramble/model/network.h"

#include <algorithm>

#include "descramble/core/error.h"
#include "descramble/taps/export.h"
#include "descramble/taps/path.h"
#include "descramble/taps/point.h"

namespace descramble {

std::vector<std::pair<std::string, at::Tensor>> Network::buffers() const {
  return {};
}

at::ScalarType Network::dtype() const {
  for (const auto& named : {parameters(), buffers()}) {
    for (const auto& [name, tensor] : named) {
      if (tensor.is_floating_point()) return tensor.scalar_type();
    }
  }
  return at::kFloat;
}

void Network::set_training(bool) const {}

bool Network::is_training() const {
  return false;
}

std::function<void()> Network::keep_modes() const {
  return [this, on = is_training()] { set_training(on); };
}

std::optional<at::Device> Network::device() const {
  return std::nullopt;
}

const c10::FunctionSchema* Network::schema() const {
  return nullptr;
}

std::int64_t Network::moved_devices() const {
  return 0;
}

bool Network::raised(const std::exception&) const {
  return false;
}

bool Network::passes_on(const std::exception& error) const {
  return dynamic_cast<const Exception*>(&error) != nullptr;
}

const std::vector<std::string>& Network::written() const {
  static const std::vector<std::string> nothing;
  return nothing;
}

const std::vector<bool>& Network::written_inputs() const {
  static const std::vector<bool> nothing;
  return nothing;
}

std::map<std::string, std::string> Network::no_points() const {
  return {};
}

bool Network::derives() const {
  return false;
}

std::function<void()> Network::keep_state() const {
  return {};
}

bool Network::shares_written_memory(const std::string&) const {
  return false;
}

std::int64_t Network::forks() const {
  return 0;
}

void Network::refuse(const std::string& what) const {
  throw Error({what, description().class_name, "a backend that knows how (TorchScript does)",
               "one that does not"});
}

std::unique_ptr<SplitProgram> Network::split(const std::string& tap) const {
  refuse("the model cannot be cut at tap '" + tap + "'");
}

Path Network::path(const std::string& from, const std::string& to) const {
  const std::vector<TapPoint> all = points();
  const auto place = [&](const std::string& name) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const TapPoint& point) { return point.name == name; });
    if (found == all.end()) throw Error({"unknown tap '" + name + "'", description().class_name});
    return found;
  };
  if (place(to) < place(from)) {
    throw Error({"no Jacobian between taps '" + from + "' and '" + to + "'",
                 description().class_name, "'" + from + "' to come before '" + to + "', once",
                 "the other order"});
  }
  return {.described = false, .steps = {}, .obstacle = "a network without a graph"};
}

void Network::require_exportable() const {
  refuse("the model cannot be exported");
}

ExportedModel Network::exported(const Model&, const std::vector<RotationEdit>&) const {
  refuse("the model cannot be exported");
}

std::vector<std::string> Network::other_methods() const {
  return {};
}

std::shared_ptr<const Network> Network::with_method(const std::string& method) const {
  refuse("the model has no method '" + method + "'");
}

std::shared_ptr<const Network> Network::to_dtype(at::ScalarType dtype) const {
  refuse("the model cannot be converted to " + dtype_name(dtype));
}

std::shared_ptr<const Network> Network::loaded_like(const std::filesystem::path& file) const {
  refuse("the model cannot be loaded from " + file.filename().string());
}

void Network::save(const std::filesystem::path& file) const {
  refuse("the model cannot be saved to " + file.filename().string());
}

}  // namespace descramble
