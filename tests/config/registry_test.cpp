#include "descramble/config/registry.h"

#include <nlohmann/json.hpp>

#include "throws.h"

namespace descramble::test {
namespace {

struct ShapeKind {
  KindInfo info{};
  double (*area)(const Settings& settings) = nullptr;
};

const Registry<ShapeKind>& shape_registry() {
  static const Registry<ShapeKind> registry(
      "shape",
      {{.info = {.name = "square",
                 .fields = {{.name = "side", .type = FieldType::number, .fallback = 3}}},
        .area =
            [](const Settings& settings) {
              return settings.number("side") * settings.number("side");
            }},
       {.info = {.name = "point"}, .area = [](const Settings&) { return 0.0; }}},
      {{.name = "colour", .type = FieldType::string, .fallback = "red"}});
  return registry;
}

TEST(Registry, KeepsTheOrderOfItsKinds) {
  ASSERT_EQ(shape_registry().kinds().size(), 2U);
  EXPECT_EQ(shape_registry().kinds()[1].info.name, "point");
  EXPECT_EQ(shape_registry().family().title, "shape");
  EXPECT_THAT(shape_registry().family().names(), ::testing::ElementsAre("square", "point"));
  ASSERT_EQ(shape_registry().family().common.size(), 1U);
  EXPECT_EQ(shape_registry().family().common[0].name, "colour");
}

TEST(Registry, FindsAKindByName) {
  EXPECT_EQ(shape_registry().find("circle"), nullptr);
  EXPECT_EQ(shape_registry().find("square"), &shape_registry().at("square"));
  EXPECT_THAT([] { shape_registry().at("circle"); },
              ThrowsError("unknown kind", "shape", "'square', 'point'", "'circle'"));
}

TEST(Registry, ResolvesAValueToAKindAndItsSettings) {
  const auto [kind, settings] = shape_registry().resolve({{"kind", "square"}}, "/shape");
  EXPECT_EQ(&kind, shape_registry().find("square"));
  EXPECT_EQ(settings.text("colour"), "red");
  EXPECT_EQ(kind.area(settings), 9);
}

TEST(Registry, RefusesWhatTheFamilyRefuses) {
  EXPECT_THAT(
      [] {
        shape_registry().resolve({{"kind", "circle"}}, "/shape");
      },
      ThrowsError("unknown kind", "/shape/kind", "shape, one of 'square', 'point'"));
  EXPECT_THAT(
      [] {
        shape_registry().resolve({{"kind", "point"}, {"side", 1}}, "/shape");
      },
      ThrowsError("unknown key 'side'", "/shape/side"));
}

}  // namespace
}  // namespace descramble::test
