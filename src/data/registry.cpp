#include <nlohmann/json.hpp>

#include "data/preparation.h"
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
    KindFamily result{.title = "data",
                      .common = {{.name = "limit",
                                  .type = FieldType::integer,
                                  .doc = "use at most this many samples, the first ones; null: all",
                                  .fallback = nullptr,
                                  .minimum = 1},
                                 {.name = "batch_size",
                                  .type = FieldType::integer,
                                  .doc = "samples that are read and run at once; null: 1, for a model that "
                                         "takes one sample ('batched' false)",
                                  .fallback = 256,
                                  .minimum = 1,
                                  .nullable = true}}};
    for (Field& field : preparation_fields(1)) result.common.push_back(std::move(field));
    for (const SourceKind& kind : source_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

}  // namespace descramble
