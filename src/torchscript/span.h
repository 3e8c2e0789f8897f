#pragma once

#include <vector>

#include <ATen/core/ivalue.h>

namespace descramble {

/// The bytes that a tensor's elements span.
struct Span {
  const char* begin = nullptr;
  const char* end = nullptr;

  bool overlaps(const Span& other) const { return other.begin < end && begin < other.end; }
};

/// Of a tensor without elements, or without memory of its own: nothing.
Span span_of(const at::Tensor& tensor);

/// Those of all tensors in a value: itself, or what lies in lists, dictionaries, tuples and objects
/// that are no modules.
std::vector<Span> spans_in(const c10::IValue& value);

bool overlap(const std::vector<Span>& some, const std::vector<Span>& others);

}  // namespace descramble
