#include "data/generated_set.h"

#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "data/forwarding_set.h"
#include "data/held_tensors.h"
#include "data/samples.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/json.h"
#include "descramble/core/safetensors.h"

namespace descramble {

GeneratedSet::GeneratedSet(const std::string& name, std::int64_t size, std::int64_t inputs,
                           std::int64_t labels, const DataContext& context)
    : size_(size),
      inputs_(inputs),
      labels_(labels),
      seed_(context.seed),
      stream_(name + "/" + context.split) {}

Batch GeneratedSet::gather(const std::vector<std::int64_t>& indices) const {
  check_indices(indices, size_);
  const auto count = static_cast<std::int64_t>(indices.size());
  at::Tensor inputs = at::empty({count, inputs_}, at::kFloat);
  at::Tensor labels = labels_ > 0 ? at::empty({count, labels_}, at::kFloat) : at::Tensor();
  float* input = inputs.data_ptr<float>();
  float* label = labels_ > 0 ? labels.data_ptr<float>() : nullptr;
  for_each_sample(count, 16, [&](std::int64_t i) {
    const std::int64_t index = indices[static_cast<std::size_t>(i)];
    RandomStream random = random_stream(seed_, stream_, static_cast<std::uint64_t>(index));
    draw(random, index, input + i * inputs_, label + i * labels_);
  });
  for (const at::Tensor& drawn : {inputs, labels}) {
    if (!drawn.defined() || at::isfinite(drawn).all().item<bool>()) continue;
    throw Error({"samples that are not finite", stream_,
                 "settings that keep every number within the range of float32", "NaN or inf"});
  }
  return {{std::move(inputs)}, std::move(labels)};
}

std::vector<Field> generator_fields(int count, const std::vector<Field>& own) {
  std::vector<Field> fields{
      {.name = "count",
       .type = FieldType::integer,
       .doc = "how many; the first ones stay the same when it grows",
       .fallback = count,
       .minimum = 1},
      {.name = "keep",
       .type = FieldType::boolean,
       .doc = "draw all samples once and hold them in memory; false: draw each sample anew "
              "whenever it is read",
       .fallback = false}};
  fields.insert(fields.end(), own.begin(), own.end());
  return fields;
}

namespace {

/// Room for `size` samples like those of a batch. It is written part by part, so that a set in
/// memory is there only once.
at::Tensor room_for(std::int64_t size, const at::Tensor& batch) {
  std::vector<std::int64_t> shape = batch.sizes().vec();
  shape.front() = size;
  return at::empty(shape, batch.options());
}

/// The first `size` samples of a set, drawn in parts that an interrupt ends.
Batch drawn(const DataSet& data, std::int64_t size) {
  constexpr std::int64_t part = 1024;
  Batch all;
  for (std::int64_t begin = 0; begin < size; begin += part) {
    check_interrupt();
    const Batch batch = data.slice(begin, std::min(begin + part, size));
    if (begin == 0) {
      all.inputs.push_back(room_for(size, batch.inputs.front()));
      if (batch.labels.defined()) all.labels = room_for(size, batch.labels);
    }
    const std::int64_t count = batch.inputs.front().size(0);
    all.inputs.front().narrow(0, begin, count).copy_(batch.inputs.front());
    if (all.labels.defined()) all.labels.narrow(0, begin, count).copy_(batch.labels);
  }
  return all;
}

/// A generator's samples in memory; the rest of the set is the generator's.
class KeptSet final : public ForwardingSet {
 public:
  KeptSet(const std::shared_ptr<const DataSet>& data, std::int64_t size)
      : ForwardingSet(data), held_(data->input_names(), drawn(*data, size), {}) {}

  std::int64_t size() const override { return held_.size(); }
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    return held_.gather(indices);
  }

 private:
  HeldTensors held_;
};

}  // namespace

std::shared_ptr<const DataSet> kept_if_asked(std::shared_ptr<const GeneratedSet> data,
                                             const Settings& settings, const DataContext& context) {
  if (!settings.flag("keep")) return data;
  // No more than the source uses.
  const std::int64_t limit = settings.find_integer("limit").value_or(data->size());
  const std::int64_t size = std::min(limit, data->size());
  constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
  const std::int64_t needed = size * data->sample_bytes() / mebibyte;
  if (needed > context.memory_mb) {
    throw Error(
        {"too many samples to keep", join_pointer(context.pointer, "keep"),
         fmt::format("at most the {} MiB of /memory_mb, or false", context.memory_mb),
         fmt::format("{} samples of {} bytes, {} MiB", size, data->sample_bytes(), needed)});
  }
  return std::make_shared<KeptSet>(data, size);
}

namespace {

void put_tensor(const at::Tensor& tensor, const PutBytes& put) {
  const at::Tensor plain = tensor.contiguous();
  put({static_cast<const char*>(plain.data_ptr()), plain.nbytes()});
}

/// One tensor of all samples.
StreamedTensor stream_samples(const DataSet& data, const std::string& name,
                              at::Tensor (*part)(const Batch& batch)) {
  constexpr std::int64_t batch = 1024;
  const at::Tensor one = part(data.slice(0, 1));
  std::vector<std::int64_t> shape = one.sizes().vec();
  shape[0] = data.size();
  return {name, one.scalar_type(), std::move(shape), [&data, part](const PutBytes& put) {
            for (std::int64_t begin = 0; begin < data.size(); begin += batch) {
              check_interrupt();
              put_tensor(part(data.slice(begin, std::min(begin + batch, data.size()))), put);
            }
          }};
}

void add_scale(const std::string& name, const AxisScale& scale, std::vector<StreamedTensor>& to) {
  if (scale.values.empty()) return;
  to.push_back(
      {name,
       at::kDouble,
       {static_cast<std::int64_t>(scale.values.size())},
       [values = scale.values](const PutBytes& put) {
         put({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
       }});
}

}  // namespace

WrittenFiles write_tensors(const DataSet& data, const std::filesystem::path& folder,
                           const std::string& split) {
  std::vector<StreamedTensor> tensors;
  std::map<std::string, std::string> titles;
  add_scale("input_scale", data.input_scale(), tensors);
  add_scale("label_scale", data.label_scale(), tensors);
  if (!data.input_scale().title.empty()) titles["input_scale"] = data.input_scale().title;
  if (!data.label_scale().title.empty()) titles["label_scale"] = data.label_scale().title;
  tensors.push_back(
      stream_samples(data, "inputs", [](const Batch& batch) { return batch.inputs.at(0); }));
  if (data.has_labels()) {
    tensors.push_back(
        stream_samples(data, "labels", [](const Batch& batch) { return batch.labels; }));
  }
  const std::string name = split + ".safetensors";
  save_safetensors(folder / name, tensors, titles);
  return {{"tensors", name}};
}

std::vector<double> evenly_spaced(double first, double last, std::int64_t n) {
  std::vector<double> result(static_cast<std::size_t>(n), first);
  for (std::size_t i = 1; i < result.size(); ++i)
    result[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(n - 1);
  return result;
}

}  // namespace descramble
