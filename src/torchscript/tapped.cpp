#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "descramble/taps/point.h"
#include "torchscript/operator.h"
#include "torchscript/program.h"
#include "torchscript/torchscript.h"
#include "torchscript/walked.h"

namespace descramble {

namespace {

/// What stands behind one tap node: the call of `fire` with the point's number.
class FiringSlot final : public TapSlot {
 public:
  FiringSlot(std::shared_ptr<const Fire> fire, std::size_t point)
      : id(remember_slot(this)), fire_(std::move(fire)), point_(point) {}
  ~FiringSlot() override { forget_slot(id); }
  FiringSlot(const FiringSlot&) = delete;
  FiringSlot& operator=(const FiringSlot&) = delete;

  at::Tensor fire(const at::Tensor& value) override { return (*fire_)(point_, value); }

  const std::int64_t id;

 private:
  std::shared_ptr<const Fire> fire_;
  std::size_t point_;
};

/// The module's program with tap nodes in it.
class TappedGraph final : public TapProgram {
 public:
  TappedGraph(const TorchScript& script, const std::set<std::string>& names, Fire fire)
      : method_(script.run_method()), fire_(std::make_shared<const Fire>(std::move(fire))) {
    auto graph = unmarked_copy(script.walked(), [&](const MetPoint& met, torch::jit::Value* value,
                                                    torch::jit::Node* place) {
      if (!names.contains(met.point.name)) return value;
      slots_.push_back(std::make_unique<FiringSlot>(fire_, slots_.size()));
      points_.push_back(met.point);
      return insert_tap(value, slots_.back()->id, place);
    });
    program_ = std::make_unique<Program>("tapped", std::move(graph));
  }

  const std::vector<TapPoint>& points() const override { return points_; }
  c10::IValue run(const std::vector<c10::IValue>& inputs) const override {
    return program_->run(forward_stack(method_, inputs));
  }

 private:
  torch::jit::Method method_;
  std::shared_ptr<const Fire> fire_;
  std::vector<std::unique_ptr<FiringSlot>> slots_{};
  std::vector<TapPoint> points_{};
  std::unique_ptr<Program> program_{};
};

}  // namespace

std::unique_ptr<TapProgram> TorchScript::tapped(const std::set<std::string>& names,
                                                Fire fire) const {
  return std::make_unique<TappedGraph>(*this, names, std::move(fire));
}

}  // namespace descramble
