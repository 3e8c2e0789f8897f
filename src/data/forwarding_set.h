#pragma once

#include <memory>
#include <utility>

#include "descramble/data/data_set.h"

namespace descramble {

/// Forwards every call to another data set. A derived class overrides only the functions that it
/// changes.
class ForwardingSet : public DataSet {
 public:
  explicit ForwardingSet(std::shared_ptr<const DataSet> inner) : inner_(std::move(inner)) {}
  std::int64_t size() const override { return inner_->size(); }
  bool has_labels() const override { return inner_->has_labels(); }
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    return inner_->gather(indices);
  }
  std::vector<InputFile> files() const override { return inner_->files(); }
  std::vector<std::string> warnings() const override { return inner_->warnings(); }
  std::vector<std::string> class_names() const override { return inner_->class_names(); }
  std::vector<std::string> input_names() const override { return inner_->input_names(); }
  AxisScale input_scale() const override { return inner_->input_scale(); }
  AxisScale label_scale() const override { return inner_->label_scale(); }
  at::Tensor unprepared(const at::Tensor& input) const override {
    return inner_->unprepared(input);
  }

 private:
  std::shared_ptr<const DataSet> inner_;
};

}  // namespace descramble
