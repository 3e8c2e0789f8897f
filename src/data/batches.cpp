#include "descramble/data/batches.h"

#include <algorithm>
#include <utility>

#include "data/forwarding_set.h"
#include "descramble/core/interrupt.h"

namespace descramble {

namespace {

class ConvertedSet final : public ForwardingSet {
 public:
  ConvertedSet(std::shared_ptr<const DataSet> inner, at::ScalarType dtype)
      : ForwardingSet(std::move(inner)), dtype_(dtype) {}
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    Batch batch = ForwardingSet::gather(indices);
    for (at::Tensor& input : batch.inputs) {
      if (input.is_floating_point()) input = input.to(dtype_);
    }
    if (batch.labels.defined() && batch.labels.is_floating_point())
      batch.labels = batch.labels.to(dtype_);
    return batch;
  }

 private:
  at::ScalarType dtype_;
};

class FirstSamples final : public ForwardingSet {
 public:
  FirstSamples(std::shared_ptr<const DataSet> inner, std::int64_t size)
      : ForwardingSet(std::move(inner)), size_(size) {}
  std::int64_t size() const override { return size_; }

 private:
  std::int64_t size_;
};

void for_each_part(std::int64_t size, std::int64_t batch_size, at::Device device,
                   const std::function<Batch(std::int64_t begin, std::int64_t end)>& take,
                   const VisitBatch& visit) {
  const std::int64_t step = std::max<std::int64_t>(1, batch_size);
  for (std::int64_t begin = 0; begin < size; begin += step) {
    check_interrupt();
    Batch batch = take(begin, std::min(size, begin + step));
    for (at::Tensor& input : batch.inputs) input = input.to(device);
    visit(batch, begin);
  }
}

}  // namespace

void for_each_batch(const Source& source, at::Device device, const VisitBatch& visit) {
  for_each_part(
      source.data->size(), source.batch_size, device,
      [&](std::int64_t begin, std::int64_t end) { return source.data->slice(begin, end); }, visit);
}

void for_each_batch(const Source& source, const std::vector<std::int64_t>& indices,
                    at::Device device, const VisitBatch& visit) {
  for_each_batch(*source.data, indices, source.batch_size, device, visit);
}

void for_each_batch(const DataSet& data, const std::vector<std::int64_t>& indices,
                    std::int64_t batch_size, at::Device device, const VisitBatch& visit) {
  for_each_part(
      std::ssize(indices), batch_size, device,
      [&](std::int64_t begin, std::int64_t end) {
        return data.gather({indices.begin() + begin, indices.begin() + end});
      },
      visit);
}

Source with_dtype(const Source& source, at::ScalarType dtype) {
  return {std::make_shared<ConvertedSet>(source.data, dtype), source.batch_size};
}

Source with_size(const Source& source, std::int64_t size) {
  return {std::make_shared<FirstSamples>(source.data, std::min(size, source.data->size())),
          source.batch_size};
}

}  // namespace descramble
