#include "torchscript/span.h"

#include <algorithm>

namespace descramble {

Span span_of(const at::Tensor& tensor) {
  const bool strided = tensor.defined() && tensor.layout() == c10::kStrided &&
                       tensor.has_storage() && tensor.numel() > 0;
  if (!strided || tensor.storage().data() == nullptr) return {};
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  const auto* begin = static_cast<const char*>(tensor.data_ptr());
  return {begin, begin + (last + 1) * static_cast<std::int64_t>(tensor.element_size())};
}

namespace {

void add_spans(const c10::IValue& value, std::vector<Span>& spans) {
  if (value.isTensor()) {
    const Span span = span_of(value.toTensor());
    if (span.begin != nullptr) spans.push_back(span);
  } else if (value.isList()) {
    for (const c10::IValue& part : value.toListRef()) add_spans(part, spans);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) add_spans(entry.value(), spans);
  } else if (value.isTuple()) {
    for (const c10::IValue& part : value.toTupleRef().elements()) add_spans(part, spans);
  } else if (value.isObject() && !value.isModule()) {
    for (const c10::IValue& part : value.toObjectRef().slots()) add_spans(part, spans);
  }
}

}  // namespace

std::vector<Span> spans_in(const c10::IValue& value) {
  std::vector<Span> spans;
  add_spans(value, spans);
  return spans;
}

bool overlap(const std::vector<Span>& some, const std::vector<Span>& others) {
  return std::any_of(some.begin(), some.end(), [&](const Span& one) {
    return std::any_of(others.begin(), others.end(),
                       [&](const Span& other) { return one.overlaps(other); });
  });
}

}  // namespace descramble
