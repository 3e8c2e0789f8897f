#pragma once

#include "descramble/core/kind.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// A kind of data source: its fields, and how it is opened once they are resolved.
struct SourceKind {
  KindInfo info{};
  std::shared_ptr<const DataSet> (*open)(const nlohmann::json& resolved,
                                         const DataContext& context) = nullptr;
};

/// Every kind in src/data/builtin.def.
const std::vector<SourceKind>& source_kinds();
const KindFamily& source_family();

}  // namespace descramble
