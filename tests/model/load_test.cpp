// Archives that load, and what is said of those that do not.

#include <fstream>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include "descramble/core/files.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

class LoadsFixtures : public ::testing::TestWithParam<std::string> {};
TEST_P(LoadsFixtures, OrRefusesThemInOneLine) {
  const Fixture& what = fixture(GetParam());
  if (!what.opens()) {
    EXPECT_THAT([&] { what.load(); }, ThrowsError(what.file().filename().string()));
    return;
  }
  const Model model = what.load();
  EXPECT_EQ(model.device(), at::kCPU);
  const ModelDescription description = model.description();
  EXPECT_FALSE(description.class_name.empty());
  EXPECT_GE(description.inputs.size(), what.facts.at("inputs").size());
  if (what.runs()) {
    EXPECT_NO_THROW(model.forward_values(what.inputs()));
  } else {
    EXPECT_THAT([&] { model.forward_values(what.inputs()); },
                ThrowsError("does not take this input"));
  }
}
INSTANTIATE_TEST_SUITE_P(Fixtures, LoadsFixtures,
                         ::testing::ValuesIn(fixture_names([](const Fixture&) { return true; })),
                         by_name);

TEST(Describe, SaysWhatTheArchiveHolds) {
  const ModelDescription mlp = fixture("mlp").load().description();
  EXPECT_EQ(mlp.class_name, "Mlp");
  ASSERT_EQ(mlp.inputs.size(), 1u);
  EXPECT_EQ(mlp.inputs[0].type, "Tensor");
  EXPECT_EQ(mlp.output, "Tensor");
  EXPECT_EQ(mlp.modules, 5);
  EXPECT_EQ(mlp.parameters, 8 * 16 + 16 + 16 * 12 + 12 + 12 * 5 + 5);
  EXPECT_FALSE(mlp.frozen);
  EXPECT_TRUE(fixture("frozen").load().description().frozen);
  EXPECT_FALSE(fixture("returns_input").load().description().frozen);
  EXPECT_EQ(fixture("dict_input").load().description().inputs[0].type, "Dict[str, Tensor]");
  EXPECT_EQ(fixture("mlp").load().dtype(), at::kFloat);
  EXPECT_EQ(fixture("float64").load().dtype(), at::kDouble);
  EXPECT_EQ(fixture("bfloat16").load().dtype(), at::kBFloat16);
  EXPECT_EQ(fixture("half").load().dtype(), at::kHalf);
  EXPECT_EQ(fixture("frozen").load().dtype(), at::kFloat);
}

TEST(Refuses, WhatIsNoArchive) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { load_model(folder / "none.pt"); },
              ThrowsError("no such model file", "none.pt"));
  EXPECT_THAT([&] { load_model(folder.path()); }, ThrowsError("a folder"));
  write_file(folder / "empty.pt", "");
  EXPECT_THAT([&] { load_model(folder / "empty.pt"); }, ThrowsError("empty.pt", "an empty file"));
  write_file(folder / "text.pt", "hello, this is no archive");
  EXPECT_THAT([&] { load_model(folder / "text.pt"); }, ThrowsError("text.pt", "another format"));
  write_file(folder / "short.pt", "PK");
  EXPECT_THAT([&] { load_model(folder / "short.pt"); }, ThrowsError("short.pt"));
  EXPECT_THAT([&] { fixture("state_dict").load(); }, ThrowsError("state_dict.pt", "torch.save"));
}

TEST(Refuses, TruncatedArchives) {
  const TemporaryFolder folder;
  const std::string whole = read_file(fixture("conv_inplace_scripted").file());
  for (const double part : {0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999}) {
    write_file(folder / "cut.pt",
               std::string_view(whole).substr(
                   0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
    EXPECT_THAT([&] { load_model(folder / "cut.pt"); }, ThrowsError("cut.pt")) << part;
  }
  write_file(folder / "cut.pt", std::string_view(whole).substr(0, whole.size() - 1));
  EXPECT_THAT([&] { load_model(folder / "cut.pt"); }, ThrowsError("cut.pt"));
}

TEST(Refuses, DamagedArchives) {
  const TemporaryFolder folder;
  const std::string whole = read_file(fixture("mlp").file());
  int refused = 0;
  for (std::size_t at = 0; at + 64 < whole.size(); at += whole.size() / 60) {
    std::string damaged = whole;
    for (std::size_t i = 0; i < 64; ++i)
      damaged[at + i] = static_cast<char>(damaged[at + i] ^ 0x5a);
    write_file(folder / "damaged.pt", damaged);
    try {
      load_model(folder / "damaged.pt");
    } catch (const Error& error) {
      ++refused;
      EXPECT_THAT(error.what(), HasSubstr("damaged.pt"));
    }
  }
  EXPECT_GT(refused, 10);
}

TEST(Refuses, OperatorsThatAreMissing) {
  EXPECT_THAT([] { fixture("missing_op").load(); },
              ThrowsError("missing_op.pt", "operators that this LibTorch", "descramble_fixture"));
}

TEST(Refuses, ModelsWithoutForward) {
  EXPECT_THAT([] { fixture("no_forward").load(); },
              ThrowsError("no_forward.pt", "'forward'", "'encode'"));
}

TEST(Refuses, DevicesThatAreNotThere) {
  const auto file = fixture("mlp").file();
  EXPECT_THAT([&] { load_model(file, "gpu"); }, ThrowsError("unknown device", "'gpu'"));
  EXPECT_THAT([&] { load_model(file, "meta"); }, ThrowsError("unknown device", "'meta'"));
  if (!at::globalContext().hasCUDA()) {
    EXPECT_THAT([&] { load_model(file, "cuda"); },
                ThrowsError("unknown device", "'cuda'", "'cpu'"));
  }
}

TEST(SavedOnCuda, IsMappedToTheCpu) {
  for (const char* name : {"saved_cuda", "saved_cuda_frozen"}) {
    const Model model = fixture(name).load();
    EXPECT_EQ(model.device(), at::kCPU);
    for (const auto& [parameter, value] : model.parameters())
      EXPECT_TRUE(value.device().is_cpu()) << parameter;
    EXPECT_NO_THROW(model.forward_values(fixture(name).inputs()));
  }
}

TEST(WrongInput, IsAnErrorOfOneLine) {
  const Model mlp = fixture("mlp").load();
  EXPECT_THAT(
      [&] {
        mlp.forward({at::zeros({4, 9})});
      },
      ThrowsError("does not take this input", "mlp.pt", "4x9 float32", "8"));
  EXPECT_THAT(
      [&] {
        mlp.forward({at::zeros({4, 8}, at::kLong)});
      },
      ThrowsError("does not take this input", "4x8 int64"));
  EXPECT_THAT([&] { mlp.forward({}); }, ThrowsError("does not take this input"));
  EXPECT_THAT([&] { mlp.forward_values({c10::IValue(3)}); },
              ThrowsError("does not take this input", "int"));
  const Model dict = fixture("dict_input").load();
  EXPECT_THAT([&] { dict.forward({at::zeros({4, 8})}); }, ThrowsError("does not take this input"));
}

TEST(OutputKeys, SelectTheLogits) {
  const auto inputs = tensors_of(fixture("tuple_output").inputs());
  for (const char* name : {"tuple_output", "tuple_output_traced", "list_output"}) {
    const Model model = fixture(name).load();
    EXPECT_EQ(model.with_output(std::int64_t{1}).forward(inputs).size(1), 2);
    EXPECT_EQ(model.with_output(std::int64_t{0}).forward(inputs).size(1), 3);
    EXPECT_THAT([&] { model.forward(inputs); }, ThrowsError("/model/output"));
    EXPECT_THAT([&] { model.with_output(std::int64_t{2}).forward(inputs); },
                ThrowsError("/model/output", "at 2"));
    EXPECT_THAT([&] { model.with_output(std::int64_t{-1}).forward(inputs); },
                ThrowsError("/model/output", "at -1"));
    EXPECT_THAT([&] { model.with_output(std::string("logits")).forward(inputs); },
                ThrowsError("/model/output", "'logits'"));
  }
  for (const char* name : {"dict_output", "dict_output_traced"}) {
    const Model model = fixture(name).load();
    EXPECT_EQ(model.with_output(std::string("logits")).forward(inputs).size(1), 3);
    EXPECT_THAT([&] { model.with_output(std::string("nothing")).forward(inputs); },
                ThrowsError("/model/output", "'nothing'"));
  }
}

TEST(Dtype, ConvertsACopy) {
  const Model model = fixture("mlp").load();
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const at::Tensor before = model.forward(inputs);
  const Model wide = model.to_dtype(at::kDouble);
  EXPECT_EQ(wide.dtype(), at::kDouble);
  EXPECT_EQ(model.dtype(), at::kFloat);
  EXPECT_TRUE(bit_equal(model.forward(inputs), before));
  const at::Tensor output = wide.forward({inputs[0].to(at::kDouble)});
  EXPECT_EQ(output.scalar_type(), at::kDouble);
  EXPECT_LE(relative_distance(output, before), 1e-5);
}

TEST(Dtype, SharesNothingWithTheOriginalOfTheSameDtype) {
  const Model model = fixture("mlp").load();
  const Model copy = model.to_dtype(at::kFloat);
  const at::NoGradGuard no_grad;
  copy.parameters()[0].second.zero_();
  EXPECT_GT(model.parameters()[0].second.abs().max().item<float>(), 0);
}

TEST(Dtype, IsRefusedWhereTheGraphFixesOne) {
  for (const char* name : {"dtype_constant_scripted", "dtype_constant_traced"}) {
    EXPECT_THAT([&] { fixture(name).load().to_dtype(at::kFloat); },
                ThrowsError("cannot convert the model to float32", "aten::to (float64)"))
        << name;
    EXPECT_NO_THROW(fixture(name).load().to_dtype(at::kDouble))
        << name;  // that is what its graph has
  }
  for (const char* name : {"frozen", "half"}) {
    EXPECT_THAT([&] { fixture(name).load().to_dtype(at::kDouble); },
                ThrowsError("cannot convert the model to float64"))
        << name;
  }
}

TEST(Dtype, Names) {
  for (const char* name : {"float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool"})
    EXPECT_EQ(dtype_name(parse_dtype(name)), name);
  EXPECT_THAT([] { parse_dtype("double"); }, ThrowsError("unknown dtype", "'float64'", "'double'"));
  EXPECT_EQ(shape_text(at::zeros({1, 3})), "1x3 float32");
  EXPECT_EQ(shape_text(at::zeros({})), "scalar float32");
}

TEST(Save, WritesWhatLoads) {
  const TemporaryFolder folder;
  const Model model = fixture("resnet_blocks_scripted").load();
  model.save(folder / "model.pt");
  EXPECT_TRUE(bit_equal(
      load_model(folder / "model.pt").forward_values(fixture("resnet_blocks_scripted").inputs()),
      model.forward_values(fixture("resnet_blocks_scripted").inputs())));
  EXPECT_THROW(model.save(folder / "nowhere" / "model.pt"), Failure);
}

}  // namespace
}  // namespace descramble::test
