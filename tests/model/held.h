#pragma once

#include <map>
#include <string>

#include <ATen/core/ivalue.h>

#include "descramble/model/model.h"
#include "torchscript/torchscript.h"
#include "torchscript/writes.h"

namespace descramble::test {

/// Everything that a module holds, by path.
inline void collect_held(const c10::IValue& object, const std::string& path,
                         std::map<std::string, c10::IValue>& held) {
  const auto& type = object.toObjectRef().type();
  for (std::size_t i = 0; i < type->numAttributes(); ++i) {
    const c10::IValue& value = object.toObjectRef().getSlot(i);
    const std::string child = join_path(path, type->getAttributeName(i));
    if (value.isModule())
      collect_held(value, child, held);
    else
      held[child] = value;
  }
}

inline std::map<std::string, c10::IValue> held_by(const Model& model) {
  std::map<std::string, c10::IValue> held;
  collect_held(torchscript_of(model).module._ivalue(), "", held);
  return held;
}

}  // namespace descramble::test
