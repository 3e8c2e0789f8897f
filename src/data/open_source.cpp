#include <algorithm>
#include <functional>
#include <numeric>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/samples.h"
#include "descramble/core/error.h"
#include "descramble/data/kinds.h"

namespace descramble {

using nlohmann::json;

namespace {

using Shape = std::vector<std::int64_t>;

/// What the fields that every source has make of its samples.
struct Preparation {
  std::int64_t size = 0;
  std::optional<Shape> shape{};
  double scale = 1;
  at::Tensor mean{};  ///< broadcasts against a sample; undefined: none
  at::Tensor std{};
};

class PreparedSet : public DataSet {
 public:
  PreparedSet(std::shared_ptr<const DataSet> source, Preparation preparation)
      : source_(std::move(source)), preparation_(std::move(preparation)) {}

  std::int64_t size() const override { return preparation_.size; }
  bool has_labels() const override { return source_->has_labels(); }
  std::vector<InputFile> files() const override { return source_->files(); }
  std::vector<std::string> class_names() const override { return source_->class_names(); }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size());
    Batch batch = source_->gather(indices);
    for (at::Tensor& input : batch.inputs) input = prepared(std::move(input));
    return batch;
  }

 private:
  at::Tensor prepared(at::Tensor value) const {
    if (preparation_.shape) {
      Shape shape = *preparation_.shape;
      shape.insert(shape.begin(), value.size(0));
      value = value.reshape(shape);
    }
    if (preparation_.scale != 1) value = value.mul(preparation_.scale);
    if (preparation_.mean.defined()) value = value.sub(preparation_.mean.to(value.dtype()));
    if (preparation_.std.defined()) value = value.div(preparation_.std.to(value.dtype()));
    return value;
  }

  std::shared_ptr<const DataSet> source_;
  Preparation preparation_;
};

/// `numbers` as a tensor that broadcasts over the dimensions behind the first of a sample.
at::Tensor by_channel(const std::vector<double>& numbers, const Shape& sample,
                      const std::string& pointer) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  const std::int64_t channels = sample.empty() ? 1 : sample.front();
  if (count != 1 && count != channels) {
    throw Error({"wrong number of values", pointer,
                 channels == 1 ? "1 number"
                               : fmt::format("1 number or {}, one for each channel of [{}]",
                                             channels, fmt::join(sample, ", ")),
                 fmt::format("{} numbers", count)});
  }
  Shape shape(std::max<std::size_t>(sample.size(), 1), 1);
  shape.front() = count;
  at::Tensor result = at::empty(shape, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), result.data_ptr<double>());
  return result;
}

Preparation prepare(const DataSet& source, const json& resolved, const std::string& pointer) {
  Preparation result{.size = source.size()};
  if (result.size < 1)
    throw Error({"the data set is empty", pointer, "at least one sample", "none"});
  if (!resolved.at("limit").is_null()) {
    result.size = std::min(result.size, resolved.at("limit").get<std::int64_t>());
  }
  result.scale = resolved.at("scale");
  if (result.scale == 0)
    throw Error({"scale", join_pointer(pointer, "scale"), "a number other than 0", "0"});

  const bool shaped = !resolved.at("shape").is_null();
  const bool centred = !resolved.at("mean").is_null();
  const bool divided = !resolved.at("std").is_null();
  if (!shaped && !centred && !divided) return result;

  for (const at::Tensor& input : source.slice(0, 1).inputs) {
    Shape sample = input.sizes().slice(1).vec();
    if (shaped) {
      const auto product = [](const Shape& shape) {
        return std::accumulate(shape.begin(), shape.end(), 1.0, std::multiplies<>());
      };
      const Shape shape = resolved.at("shape");
      if (product(shape) != product(sample)) {
        throw Error({"the samples do not fit the shape", join_pointer(pointer, "shape"),
                     fmt::format("{} numbers, a sample being [{}]", product(sample),
                                 fmt::join(sample, ", ")),
                     fmt::format("[{}], {} numbers", fmt::join(shape, ", "), product(shape))});
      }
      result.shape = sample = shape;
    }
    if (centred)
      result.mean = by_channel(resolved.at("mean"), sample, join_pointer(pointer, "mean"));
    if (divided) result.std = by_channel(resolved.at("std"), sample, join_pointer(pointer, "std"));
  }
  return result;
}

}  // namespace

Source open_source(const json& resolved, const DataContext& context) {
  for (const SourceKind& kind : source_kinds()) {
    if (kind.info.name != resolved.at("kind")) continue;
    std::shared_ptr<const DataSet> data = kind.open(resolved, context);
    Preparation preparation = prepare(*data, resolved, context.pointer);
    return {std::make_shared<PreparedSet>(std::move(data), std::move(preparation)),
            resolved.at("batch_size")};
  }
  throw Error({"unknown kind", join_pointer(context.pointer, "kind"),
               "one of " + quoted_list(source_family().names()), resolved.at("kind").dump()});
}

}  // namespace descramble
