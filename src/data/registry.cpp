#include "descramble/config/registry.h"

#include "data/preparation.h"
#include "descramble/data/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const SourceKind& source_kind_##name();
#include "data/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

std::vector<Field> common_fields() {
  std::vector<Field> fields = {
      {.name = "limit",
       .type = FieldType::integer,
       .doc = "use at most this many samples, the first ones; null: all",
       .fallback = nullptr,
       .minimum = 1},
      {.name = "batch_size",
       .type = FieldType::integer,
       .doc = "samples that are read and run at once; null: 1, for a model that takes one sample "
              "('batched' false)",
       .fallback = 256,
       .minimum = 1,
       .nullable = true}};
  for (Field& field : preparation_fields(1)) fields.push_back(std::move(field));
  return fields;
}

const Registry<SourceKind>& source_registry() {
  static const Registry<SourceKind> registry = [] {
    std::vector<SourceKind> kinds = {
#define DESCRAMBLE_KIND(name) source_kind_##name(),
#include "data/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("data", std::move(kinds), common_fields());
  }();
  return registry;
}

}  // namespace

const std::vector<SourceKind>& source_kinds() {
  return source_registry().kinds();
}

const KindFamily& source_family() {
  return source_registry().family();
}

}  // namespace descramble
