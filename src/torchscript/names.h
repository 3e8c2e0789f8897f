#pragma once

#include <string>
#include <string_view>

#include <ATen/core/jit_type.h>
#include <ATen/core/qualified_name.h>

namespace descramble {

/// Whether the class is one of torch.nn's (whose own operations are no points).
bool is_torch_nn(const c10::TypePtr& type);

std::string class_name(const c10::TypePtr& type);

/// `forward`, or `forward1`, `forward2`, … as tracing names the further calls of one module, or
/// `forward__0`, … as scripting names its overloads.
bool is_forward(const std::string& method);

/// A script function's name; torch.nn.functional marks some of its own with a leading underscore.
std::string function_name(const c10::QualifiedName& name);

constexpr std::string_view variant_mark = "_descrambled_";

/// The name of a copy of `method` that one call of it is given. A walk sees it under the name of
/// the original, so that tap names stay what they were.
std::string variant_name(const std::string& method, int number);
std::string original_name(const std::string& method);

}  // namespace descramble
