#include <nlohmann/json.hpp>

#include "descramble/data/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const SourceKind& source_kind_##name();
#include "data/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<SourceKind>& source_kinds() {
  static const std::vector<SourceKind> kinds = {
#define DESCRAMBLE_KIND(name) source_kind_##name(),
#include "data/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& source_family() {
  static const KindFamily family = [] {
    KindFamily result{
        .title = "data",
        .common = {
            {.name = "limit",
             .type = FieldType::integer,
             .doc = "use at most this many samples, the first ones; null: all",
             .fallback = nullptr,
             .minimum = 1},
            {.name = "batch_size",
             .type = FieldType::integer,
             .doc = "samples that are read and run at once",
             .fallback = 256,
             .minimum = 1},
            {.name = "shape",
             .type = FieldType::integers,
             .doc =
                 "reshape each sample to this, with as many numbers as it has; null: as it comes",
             .fallback = nullptr,
             .minimum = 1},
            {.name = "scale",
             .type = FieldType::number,
             .doc = "multiply each value by this, before mean and std",
             .fallback = 1},
            {.name = "mean",
             .type = FieldType::numbers,
             .doc = "subtract this: one number, or one for each channel (a sample's first "
                    "dimension); null: none",
             .fallback = nullptr},
            {.name = "std",
             .type = FieldType::numbers,
             .doc = "then divide by this: one number, or one for each channel; null: 1",
             .fallback = nullptr,
             .minimum = 0,
             .above_minimum = true}}};
    for (const SourceKind& kind : source_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

}  // namespace descramble
