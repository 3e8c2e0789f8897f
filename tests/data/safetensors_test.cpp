#include "descramble/core/safetensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// Five samples: "image" float32 [5, 3, 2], "wide" float64 [5, 4], "token" int32 [5, 6] …
class Tensors : public ::testing::Test {
 protected:
  Tensors() {
    save_safetensors(folder_ / "x.safetensors",
                     {{"image", at::arange(30, at::kFloat).reshape({5, 3, 2})},
                      {"wide", at::arange(20, at::kDouble).reshape({5, 4})},
                      {"token", at::arange(30, at::kInt).reshape({5, 6})},
                      {"pixel", at::arange(20, at::kByte).reshape({5, 2, 2})},
                      {"flag", at::arange(5, at::kByte).gt(2)},
                      {"class", at::arange(5, at::kShort)},
                      {"target", at::arange(10, at::kFloat).reshape({5, 2})},
                      {"four", at::arange(4, at::kFloat)},
                      {"negative", at::arange(5, at::kLong).sub(2)},
                      {"none", at::arange(0, at::kFloat)},
                      {"scalar", at::arange(1, at::kFloat).squeeze(0)}});
  }
  std::string path() const { return (folder_ / "x.safetensors").string(); }
  Source open_with(const json& fields) const {
    json value = {{"kind", "safetensors"}, {"path", path()}};
    value.update(fields);
    return open(value);
  }
  Batch all(const json& fields) const {
    const Source source = open_with(fields);
    return source.data->slice(0, source.data->size());
  }
  TemporaryFolder folder_;
};

TEST_F(Tensors, InputsKeepTheirDtypes) {
  const Batch batch =
      all({{"inputs", {"image", "token", "wide", "flag", "pixel"}}, {"labels", "class"}});
  const at::ScalarType dtypes[] = {at::kFloat, at::kInt, at::kDouble, at::kBool, at::kByte};
  ASSERT_EQ(batch.inputs.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(batch.inputs[i].scalar_type(), dtypes[i]);
    EXPECT_EQ(batch.inputs[i].size(0), 5);
  }
  EXPECT_TRUE(bit_equal(batch.inputs[1], at::arange(30, at::kInt).reshape({5, 6})));
  EXPECT_TRUE(bit_equal(batch.labels, at::arange(5, at::kLong)));
}

TEST_F(Tensors, HoldTheInvariants) {
  for (const json& inputs : {json("image"), json({"token", "image"}), json({"flag"})}) {
    for (const json& labels : {json(), json("class")}) {
      expect_invariants(*open_with({{"inputs", inputs}, {"labels", labels}}).data);
      expect_invariants(*open_with({{"inputs", inputs}, {"labels", labels}, {"limit", 3}}).data);
    }
  }
}

TEST_F(Tensors, LabelsMayBeTargets) {
  const Batch batch = all({{"inputs", "image"}, {"labels", "target"}});
  EXPECT_TRUE(bit_equal(batch.labels, at::arange(10, at::kFloat).reshape({5, 2})));
  EXPECT_EQ(open_with({{"inputs", "image"}, {"labels", "target"}})
                .data->gather({4, 1})
                .labels[0][1]
                .item<float>(),
            9);
}

TEST_F(Tensors, AFolderIsAResultFolder) {
  std::filesystem::create_directories(folder_ / "run");
  save_safetensors(
      folder_ / "run" / "tensors.safetensors",
      {{"steps.0.fc1.values", at::rand({4, 3})}, {"steps.0.labels", at::arange(4, at::kLong)}});
  const Source source = open({{"kind", "safetensors"},
                              {"path", (folder_ / "run").string()},
                              {"inputs", "steps.0.fc1.values"},
                              {"labels", "steps.0.labels"}});
  expect_invariants(*source.data);
  ASSERT_EQ(source.data->files().size(), 1U);
  EXPECT_EQ(source.data->files()[0].path, folder_ / "run" / "tensors.safetensors");
}

// ---- Preparation
// ---------------------------------------------------------------------------------

TEST_F(Tensors, CommonFieldsAreForEveryFloatingPointInput) {
  const Batch raw = all({{"inputs", {"image", "token", "wide"}}});
  const Batch batch =
      all({{"inputs", {"image", "token", "wide"}}, {"scale", 2}, {"mean", {1}}, {"std", {4}}});
  EXPECT_TRUE(bit_equal(batch.inputs[0], raw.inputs[0].mul(2).sub(1).div(4)));
  EXPECT_TRUE(bit_equal(batch.inputs[1], raw.inputs[1]));
  EXPECT_TRUE(bit_equal(batch.inputs[2], raw.inputs[2].mul(2).sub(1).div(4)));
}

/// Each subset of three inputs has an entry of its own, in both orders of the entries.
TEST_F(Tensors, EntriesAreForTheirInputOnly) {
  const std::vector<std::string> names = {"image", "token", "wide"};
  const json own = {{{"input", "image"}, {"mean", {1, 2, 3}}},
                    {{"input", "token"}, {"shape", {2, 3}}, {"std", {2, 4}}},
                    {{"input", "wide"}, {"shape", {2, 2}}, {"scale", 3}}};
  const Batch raw = all({{"inputs", names}});
  at::Tensor means = at::arange(1, 4, at::kFloat).reshape({1, 3, 1});
  at::Tensor stds = at::arange(2, 5, 2, at::kFloat).reshape({1, 2, 1});
  const std::vector<at::Tensor> prepared = {
      raw.inputs[0].sub(means), raw.inputs[1].reshape({5, 2, 3}).to(at::kFloat).div(stds),
      raw.inputs[2].reshape({5, 2, 2}).mul(3)};
  const std::vector<at::Tensor> common = {raw.inputs[0].sub(7), raw.inputs[1],
                                          raw.inputs[2].sub(7)};
  for (unsigned subset = 0; subset < 7; ++subset) {
    for (const bool backwards : {false, true}) {
      json entries = json::array();
      for (std::size_t i = 0; i < 3; ++i) {
        if ((subset >> i & 1U) == 0) continue;
        entries.insert(backwards ? entries.begin() : entries.end(), own[i]);
      }
      const bool all_floats_have_one = (subset & 5U) == 5U;
      json fields = {{"inputs", names}, {"prepare", entries}};
      if (!all_floats_have_one) fields["mean"] = {7};
      const Batch batch = all(fields);
      for (std::size_t i = 0; i < 3; ++i) {
        const bool has_entry = (subset >> i & 1U) != 0;
        SCOPED_TRACE(std::to_string(subset) + " " + names[i]);
        EXPECT_TRUE(bit_equal(batch.inputs[i], has_entry             ? prepared[i]
                                               : all_floats_have_one ? raw.inputs[i]
                                                                     : common[i]));
      }
    }
  }
}

TEST_F(Tensors, IntegersBecomeFloatsOnlyWhenScaled) {
  for (const char* name : {"token", "pixel"}) {
    const auto dtype = [&](json entry) {
      entry["input"] = name;
      return all({{"inputs", name}, {"prepare", json::array({entry})}}).inputs[0].scalar_type();
    };
    const at::ScalarType own = all({{"inputs", name}}).inputs[0].scalar_type();
    EXPECT_EQ(dtype(json::object()), own);
    EXPECT_EQ(dtype({{"shape", json::array({1, name == std::string("token") ? 6 : 4})}}), own);
    EXPECT_EQ(dtype({{"scale", 1}}), at::kFloat);
    EXPECT_EQ(dtype({{"mean", {0}}}), at::kFloat);
    EXPECT_EQ(dtype({{"std", {1}}}), at::kFloat);
  }
}

TEST_F(Tensors, RefuseImpossiblePreparations) {
  const auto refused = [&](const json& fields, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
      EXPECT_THAT([&] { open_with(fields); }, ThrowsError(part)) << fields;
  };
  const auto entry = [](const json& value) {
    return json{{"inputs", {"image", "token"}}, {"prepare", json::array({value})}};
  };
  refused(entry({{"input", "imago"}}), {"no such input", "/data/prepare/0/input", "'image'"});
  refused(entry({{"scale", 2}}), {"missing key 'input'", "/data/prepare/0"});
  refused(entry({{"input", "image"}, {"scale", 0}}), {"/data/prepare/0/scale", "other than 0"});
  refused(entry({{"input", "image"}, {"mean", {1, 2}}}), {"/data/prepare/0/mean", "1 number or 3"});
  refused(entry({{"input", "token"}, {"shape", {5}}}), {"/data/prepare/0/shape", "6 numbers"});
  refused({{"inputs", "image"}, {"prepare", {{{"input", "image"}}, {{"input", "image"}}}}},
          {"twice", "/data/prepare/1/input"});
  refused({{"inputs", "token"}, {"scale", 2}}, {"apply to no input", "'prepare'"});
  refused({{"inputs", {"image", "wide"}}, {"mean", {1, 2, 3}}}, {"/data/mean", "1 number or 4"});
}

// ---- Wrong files
// ---------------------------------------------------------------------------------

TEST_F(Tensors, RefuseWrongNamesAndShapes) {
  const auto refused = [&](const json& inputs, const json& labels,
                           const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      EXPECT_THAT(
          [&] {
            open_with({{"inputs", inputs}, {"labels", labels}});
          },
          ThrowsError(part, path()))
          << inputs << labels;
    }
  };
  refused("imag", nullptr, {"no tensor 'imag'", "'image'"});
  refused("image", "clas", {"no tensor 'clas'", "'class'"});
  refused({"image", "four"}, nullptr,
          {"differ in number", "'four'", "5, as 'image' has", "found 4"});
  refused("image", "four", {"differ in number", "'four'"});
  refused("none", nullptr, {"no samples", "'none'"});
  refused("scalar", nullptr, {"no samples", "'scalar'"});
  refused("image", "token", {"not labels", "'token'", "[N]", "[5, 6]"});
  refused("image", "flag", {"not labels", "'flag'", "Bool"});
  refused("image", "negative", {"not labels", "classes >= 0", "found -2"});
}

TEST_F(Tensors, RefuseDamagedFiles) {
  write(folder_ / "bad", "not tensors");
  EXPECT_THAT(
      [&] {
        open({{"kind", "safetensors"}, {"path", (folder_ / "bad").string()}, {"inputs", "x"}});
      },
      ThrowsError("not a safetensors file", (folder_ / "bad").string()));
  EXPECT_THAT(
      [&] {
        open({{"kind", "safetensors"}, {"path", folder_.path().string()}, {"inputs", "x"}});
      },
      ThrowsError((folder_ / "tensors.safetensors").string()));
}

}  // namespace
}  // namespace descramble::test
