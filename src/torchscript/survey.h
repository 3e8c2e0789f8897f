#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/jit/api/module.h>

#include "torchscript/torchscript.h"
#include "torchscript/walk.h"

namespace descramble {

/// What a walk over a model tells about the calls of the method that runs.
struct Survey {
  std::map<std::string, MetPoint> points{};
  /// (module, method) → the chains of calls by which it is reached.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> contexts{};
  /// Module object → how often it is called.
  std::map<const void*, int> calls{};
  /// Path of an attribute ("fc1.weight") → how often the program reads it.
  std::map<std::string, int> reads{};
  /// Path of a module → where it is called.
  std::map<std::string, std::vector<CallSite>> sites{};
};

Survey survey_of(const TorchScript& script);

/// The first `length` calls of a chain as a text: two chains with the same calls have the same one.
std::string context_of(const std::vector<CallSite>& chain, std::size_t length);

/// The module object at each path.
std::map<std::string, const void*> objects_by_path(const torch::jit::Module& module);

}  // namespace descramble
