// Rotation pairs written into models: over fixtures and taps, what folds, and what stays untouched.

#include "descramble/taps/export.h"

#include <cstdlib>
#include <map>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_qr.h>
#include <torch/script.h>

#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"
#include "taps/names_with_inputs.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

/// A rotation drawn uniformly: Q of normals.
at::Tensor haar(std::int64_t d, std::uint64_t index = 0) {
  const auto [q, r] = at::linalg_qr(random_stream(3, "rotation", index).normal_tensor({d, d}));
  return q * r.diagonal().sign();
}

/// What each point carries in one pass: floating values only.
std::map<std::string, at::Tensor> values_of(const Model& model,
                                            const std::vector<std::string>& selectors,
                                            const std::vector<c10::IValue>& inputs) {
  const TappedModel tapped = tap_model(model, selectors);
  std::set<std::string> fired;
  for (const TapReading& reading : read_taps(model, copies(inputs))) {
    if (reading.fired > 0) fired.insert(reading.point.name);
  }
  std::map<std::string, at::Tensor> values;
  std::vector<Watch> watches;
  for (const TapPoint& point : tapped.points()) {
    const bool of_input = point.name.ends_with(".input") && !fired.contains(point.name);
    if (!fired.contains(of_input ? point.name.substr(0, point.name.size() - 6) : point.name))
      continue;
    watches.push_back(
        tapped.observe(point.name, [&values, name = point.name](const at::Tensor& value) {
          values[name] = value.is_quantized() ? at::Tensor() : value.clone();
        }));
  }
  tapped.forward_values(copies(inputs));
  return values;
}

RotationEdit edit_at(const std::string& tap, const at::Tensor& value, Axis axis,
                     std::uint64_t index = 0) {
  return {tap, axis, value.dim(), haar(axis_size(value, axis), index), value.scalar_type()};
}

bool rotatable(const at::Tensor& value) {
  return value.defined() && value.is_floating_point() && value.scalar_type() != at::kHalf &&
         value.numel() > 0 && value.dim() >= 1;
}

double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kDouble ? 1e-12 : 1e-5;
}

/// Loads with plain LibTorch and runs.
c10::IValue run_archive(const std::filesystem::path& file, const std::vector<c10::IValue>& inputs) {
  torch::jit::Module module = torch::jit::load(file.string(), at::kCPU);
  module.eval();
  return module.forward(copies(inputs));
}

std::set<std::string> module_names(const std::filesystem::path& file) {
  std::set<std::string> names;
  const torch::jit::Module module = torch::jit::load(file.string(), at::kCPU);
  for (const auto& child : module.named_modules()) names.insert(child.name);
  return names;
}

/// Everything that the archive's code calls.
std::string code_of(const std::filesystem::path& file) {
  const torch::jit::Module module = torch::jit::load(file.string(), at::kCPU);
  std::string code;
  std::vector<torch::jit::Module> all{module};
  for (const auto& child : module.named_modules()) all.push_back(child.value);
  for (const auto& part : all) {
    for (const auto& method : part.get_methods()) code += method.graph()->toString();
  }
  return code;
}

const RotationSide& side(const ExportedModel& exported, const std::string& tap,
                         const std::string& which) {
  for (const RotationSide& candidate : exported.sides) {
    if (candidate.tap == tap && candidate.side == which) return candidate;
  }
  throw std::runtime_error("no side");
}

class Exports : public ::testing::TestWithParam<std::string> {
 protected:
  const Fixture& subject() const { return fixture(GetParam()); }
};

TEST_P(Exports, ComputeTheSameAtEveryTapOnEveryAxis) {
  const at::NoGradGuard no_grad;
  const TemporaryFolder folder;
  const Model model = subject().load();
  const auto inputs = subject().inputs();
  const c10::IValue expected = subject().load().forward_values(copies(inputs));
  const auto points = list_taps(model);
  const std::set<std::string> modules = module_names(subject().file());
  std::vector<std::string> outside;  // names of points that must be there afterwards, in order
  const std::filesystem::path file = folder / "model.pt";
  std::uint64_t index = 0;
  for (const auto& [tap, value] : values_of(model, names_with_inputs(model), inputs)) {
    if (!rotatable(value)) continue;
    for (const Axis axis : {Axis::features, Axis::channels, Axis::neurons}) {
      if (axis != Axis::features && value.dim() < 2) continue;
      // Of the other axes and of the points' inputs a sample.
      if ((axis != default_axis(value) && index % 7 != 0) ||
          (tap.ends_with(".input") && index % 3 != 0)) {
        ++index;
        continue;
      }
      SCOPED_TRACE(tap + " " + axis_name(axis));
      const ExportedModel exported = export_model(model, {edit_at(tap, value, axis, index++)});
      exported.model.save(file);
      EXPECT_LE(relative_distance(run_archive(file, inputs), expected),
                tolerance_of(model.dtype()));
      EXPECT_EQ(exported.sides.size(), 2u);
      for (const RotationSide& part : exported.sides) {
        EXPECT_EQ(part.module.empty(), !part.why.empty()) << part.side;
        EXPECT_EQ(part.module.empty(), !part.buffer.empty()) << part.side;
        EXPECT_EQ(part.module.empty(), !part.weight_descrambled.defined()) << part.side;
      }
      if (index % 7 == 0) {
        EXPECT_THAT(code_of(file), ::testing::Not(HasSubstr("descramble::")));
        EXPECT_EQ(module_names(file), modules);
        std::set<std::string> names;
        for (const TapPoint& point : list_taps(load_model(file))) names.insert(point.name);
        for (const TapPoint& point : points) EXPECT_TRUE(names.contains(point.name)) << point.name;
      }
    }
  }
  EXPECT_TRUE(bit_equal(model.forward_values(copies(inputs)), expected))
      << "the model itself was changed";
}

TEST_P(Exports, TakeSeveralEditsAtOnce) {
  const at::NoGradGuard no_grad;
  const TemporaryFolder folder;
  const Model model = subject().load();
  const auto inputs = subject().inputs();
  const c10::IValue expected = subject().load().forward_values(copies(inputs));
  std::vector<RotationEdit> edits;
  std::uint64_t index = 100;
  for (const auto& [tap, value] : values_of(model, {"**"}, inputs)) {
    if (rotatable(value)) edits.push_back(edit_at(tap, value, default_axis(value), index++));
  }
  const ExportedModel exported = export_model(model, edits);
  exported.model.save(folder / "model.pt");
  const double many = 1 + static_cast<double>(edits.size());
  EXPECT_LE(relative_distance(run_archive(folder / "model.pt", inputs), expected),
            many * tolerance_of(model.dtype()));
  EXPECT_EQ(exported.sides.size(), 2 * edits.size());
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Exports, ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.runs() && !f.flag("stateful") && !f.flag("mutates_input") &&
                                  f.facts.value("export", true) && !f.flag("derives") &&
                                  f.name != "bfloat16";
                         })),
                         by_name);

/// One fixture, with what its points carry.
struct Subject {
  explicit Subject(const std::string& name, const std::vector<std::string>& selectors = {"**"})
      : model(fixture(name).load()),
        inputs(fixture(name).inputs()),
        values(values_of(model, selectors, inputs)) {}

  RotationEdit edit(const std::string& tap, std::uint64_t index = 0) const {
    return edit_at(tap, values.at(tap), default_axis(values.at(tap)), index);
  }
  void expect_same(const ExportedModel& exported) const {
    EXPECT_LE(relative_distance(exported.model.forward_values(copies(inputs)),
                                model.forward_values(copies(inputs))),
              1e-5);
  }

  Model model;
  std::vector<c10::IValue> inputs;
  std::map<std::string, at::Tensor> values;
};

at::Tensor parameter(const Model& model, const std::string& name) {
  for (const auto& [known, value] : model.parameters()) {
    if (known == name) return value.detach();
  }
  return {};
}

TEST(Folding, TurnsTheLinearLayerBeforeTheTap) {
  const Subject mlp("mlp");
  const RotationEdit edit = mlp.edit("fc1");
  const ExportedModel exported = export_model(mlp.model, {edit});
  const RotationSide& left = side(exported, "fc1", "left");
  EXPECT_EQ(left.module, "fc1");
  EXPECT_TRUE(bit_equal(left.weight, parameter(mlp.model, "fc1.weight")));
  EXPECT_TRUE(bit_equal(left.weight_descrambled,
                        edit.rotation.matmul(left.weight.to(at::kDouble)).to(at::kFloat)));
  EXPECT_TRUE(bit_equal(parameter(exported.model, "fc1.weight"), left.weight_descrambled));
  EXPECT_TRUE(
      bit_equal(parameter(exported.model, "fc1.bias"),
                edit.rotation.mv(parameter(mlp.model, "fc1.bias").to(at::kDouble)).to(at::kFloat)));
  const RotationSide& right = side(exported, "fc1", "right");
  EXPECT_EQ(right.module, "");
  EXPECT_THAT(right.why, HasSubstr("'act1' is a ReLU"));
  EXPECT_EQ(right.buffer, "descramble_fc1_inverse");
  mlp.expect_same(exported);
}

TEST(Folding, TurnsTheLinearLayerBehindTheTap) {
  const Subject mlp("mlp");
  const RotationEdit edit = mlp.edit("act1");
  const ExportedModel exported = export_model(mlp.model, {edit});
  const RotationSide& right = side(exported, "act1", "right");
  EXPECT_EQ(right.module, "fc2");
  EXPECT_TRUE(bit_equal(right.weight_descrambled,
                        right.weight.to(at::kDouble).matmul(edit.rotation.t()).to(at::kFloat)));
  EXPECT_THAT(side(exported, "act1", "left").why, HasSubstr("'act1' is a ReLU"));
  mlp.expect_same(exported);
}

TEST(Folding, TurnsBothSidesOfOneLayer) {
  const Subject mlp("mlp");
  const std::vector<RotationEdit> edits{mlp.edit("act1", 1), mlp.edit("fc2", 2)};
  const ExportedModel exported = export_model(mlp.model, edits);
  const at::Tensor expected =
      edits[1]
          .rotation.matmul(parameter(mlp.model, "fc2.weight").to(at::kDouble))
          .matmul(edits[0].rotation.t());
  EXPECT_EQ(side(exported, "act1", "right").module, "fc2");
  EXPECT_EQ(side(exported, "fc2", "left").module, "fc2");
  EXPECT_LE(relative_distance(parameter(exported.model, "fc2.weight"), expected), 1e-6);
  mlp.expect_same(exported);
}

TEST(Folding, TurnsConvolutions) {
  const Subject net("conv_inplace_scripted");
  const RotationEdit edit = net.edit("features.3");
  const ExportedModel exported = export_model(net.model, {edit});
  const RotationSide& left = side(exported, "features.3", "left");
  EXPECT_EQ(left.module, "features.3");
  EXPECT_EQ(left.weight_descrambled.sizes(), left.weight.sizes());
  EXPECT_LE(relative_distance(left.weight_descrambled.flatten(1),
                              edit.rotation.matmul(left.weight.to(at::kDouble).flatten(1))),
            1e-6);
  net.expect_same(exported);
}

TEST(Folding, TurnsTheConvolutionBehindTheTap) {
  const Subject net("cat_blocks");
  const ExportedModel exported = export_model(net.model, {net.edit("features.1")});
  EXPECT_EQ(side(exported, "features.1", "right").module, "features.2");
  EXPECT_EQ(side(exported, "features.1", "left").module, "");
  net.expect_same(exported);
}

TEST(Folding, StaysExplicitWhereItMust) {
  const struct {
    const char* fixture;
    const char* tap;
    const char* which;
    const char* why;
  } cases[] = {{"grouped_conv", "grouped", "left", "groups"},
               {"grouped_conv", "act", "right", "groups"},
               {"grouped_conv", "depthwise", "left", "groups"},
               {"tied_weights", "fc1", "left", "tied"},
               {"tied_weights", "act", "right", "tied"},
               {"reused", "fc", "left", "more than once"},
               {"reused_traced", "fc", "left", "more than once"},
               {"lenet_functional_scripted", "relu_2", "left", "no layer"},
               {"inplace_relu_functional", "fc1", "right", "no layer"},
               {"skip", "act", "right", "no layer"},
               {"quantized", "fc1", "left", "quantised"},
               {"conv_variants", "transposed", "left", "ConvTranspose2d"},
               {"cat_blocks", "features.1.cat", "left", "no layer"},
               {"module_list", "relu_2", "right", "more than once"},
               {"shared_module", "alias", "left", "tied"},
               {"frozen", "conv2d", "left", "no layer"}};
  for (const auto& one : cases) {
    SCOPED_TRACE(testing::Message() << one.fixture << " " << one.tap);
    const Subject net(one.fixture);
    const ExportedModel exported = export_model(net.model, {net.edit(one.tap)});
    const RotationSide& part = side(exported, one.tap, one.which);
    EXPECT_EQ(part.module, "");
    EXPECT_THAT(part.why, HasSubstr(one.why));
    EXPECT_NE(part.buffer, "");
    net.expect_same(exported);
  }
}

/// The exported model's other instances: parameters and code as they were, values as they were.
void expect_untouched(const Subject& net, const ExportedModel& exported, const std::string& path,
                      const std::vector<std::string>& taps) {
  for (const auto& [name, value] : net.model.parameters()) {
    if (name.starts_with(path + ".")) {
      EXPECT_TRUE(bit_equal(parameter(exported.model, name), value.detach())) << name;
    }
  }
  const auto values = values_of(exported.model, taps, net.inputs);
  for (const std::string& tap : taps)
    EXPECT_LE(relative_distance(values.at(tap), net.values.at(tap)), 1e-5) << tap;
}

TEST(Siblings, AreUntouchedInTwoInstances) {
  for (const char* name : {"two_instances", "two_instances_traced"}) {
    const Subject net(name);
    const ExportedModel exported = export_model(
        net.model, {net.edit("stack.0.act", 1), net.edit("stack.0.fc", 2), net.edit("stack.0", 3)});
    net.expect_same(exported);
    expect_untouched(net, exported, "first", {"first", "first.fc", "first.act"});
    expect_untouched(net, exported, "stack.2", {"stack.2", "stack.2.fc", "stack.2.act"});
    std::set<std::string> points;
    for (const TapPoint& point : list_taps(exported.model)) points.insert(point.name);
    EXPECT_TRUE(points.contains("stack.0.linear"));   // the pair is there …
    EXPECT_FALSE(points.contains("stack.2.linear"));  // … and only there
    EXPECT_FALSE(points.contains("first.linear"));
  }
}

TEST(Siblings, AreUntouchedInResNetBlocks) {
  for (const char* name : {"resnet_blocks_scripted", "resnet_blocks_traced"}) {
    const Subject net(name);
    const TemporaryFolder folder;
    const ExportedModel exported = export_model(
        net.model,
        {net.edit("layer1.0.conv1", 1), net.edit("layer1.0", 2), net.edit("layer1.0.relu_1", 3)});
    net.expect_same(exported);
    expect_untouched(net, exported, "layer1.1", {"layer1.1.conv1", "layer1.1", "layer1"});
    exported.model.save(folder / "model.pt");
    EXPECT_LE(relative_distance(run_archive(folder / "model.pt", net.inputs),
                                net.model.forward_values(net.inputs)),
              1e-5);
    const torch::jit::Module loaded = torch::jit::load((folder / "model.pt").string());
    const auto block = loaded.attr("layer1").toModule().attr("1").toModule();
    for (const auto& attribute : block.named_attributes(true))
      EXPECT_THAT(attribute.name, ::testing::Not(HasSubstr("descramble")));
    EXPECT_THAT(block.get_method("forward").graph()->toString(),
                ::testing::Not(HasSubstr("descramble")));
  }
}

TEST(Siblings, OneCallOfABlockThatIsCalledTwice) {
  for (const char* name : {"reused_block", "reused_block_traced"}) {
    const Subject net(name);
    for (const char* tap : {"block.0", "block.0_1", "block.1", "block.1_1", "block", "block_1"}) {
      SCOPED_TRACE(tap);
      const ExportedModel exported = export_model(net.model, {net.edit(tap)});
      net.expect_same(exported);
      // The pair's own product stands in the one call only.
      int products = 0;
      for (const TapPoint& point : list_taps(exported.model))
        products += point.type == "aten::linear";
      EXPECT_EQ(products, std::string(tap).starts_with("block.") ? 0 : 2);
    }
    EXPECT_TRUE(bit_equal(net.model.forward_values(net.inputs),
                          fixture(name).load().forward_values(net.inputs)));
  }
}

TEST(ExportErrors, NameTheTap) {
  const Subject mlp("mlp");
  EXPECT_THAT(
      [&] {
        export_model(mlp.model, {mlp.edit("fc1"), mlp.edit("fc1")});
      },
      ThrowsError("fc1", "twice"));
  RotationEdit unknown = mlp.edit("fc1");
  unknown.tap = "fc9";
  EXPECT_THAT([&] { export_model(mlp.model, {unknown}); },
              ThrowsError("unknown tap 'fc9'", "'fc1'"));
}

TEST(ExportDtype, FollowsTheModel) {
  const Subject net("float64");
  const ExportedModel exported = export_model(net.model, {net.edit("act1")});
  EXPECT_EQ(exported.model.dtype(), at::kDouble);
  EXPECT_LE(relative_distance(exported.model.forward_values(net.inputs),
                              net.model.forward_values(net.inputs)),
            1e-12);
}

TEST(ExportAgain, AddsAnotherPair) {
  const TemporaryFolder folder;
  const Subject net("resnet_blocks_scripted");
  export_model(net.model, {net.edit("layer1.0")}).model.save(folder / "once.pt");
  const ExportedModel twice =
      export_model(load_model(folder / "once.pt"), {net.edit("layer1.0", 5)});
  twice.model.save(folder / "twice.pt");
  EXPECT_LE(relative_distance(run_archive(folder / "twice.pt", net.inputs),
                              net.model.forward_values(net.inputs)),
            1e-5);
}

/// Exports with pairs at some points, for programs that know nothing of this library.
std::vector<std::pair<std::string, std::vector<std::string>>> exported_elsewhere() {
  return {{"mlp", {"fc1", "act1"}},
          {"float64", {"fc1", "act2"}},
          {"resnet_blocks_scripted", {"layer1.0", "layer2.1.conv1"}},
          {"reused_block", {"block.0_1"}},
          {"mutated_view", {"slice_1", "relu"}},
          {"if_branch", {"first", "head"}},
          {"attention_traced", {"blocks.0.mlp.1", "blocks.1"}}};
}

void export_to(const std::filesystem::path& folder, const std::string& name,
               const std::vector<std::string>& taps) {
  const Subject net(name);
  std::vector<RotationEdit> edits;
  for (const std::string& tap : taps) edits.push_back(net.edit(tap, edits.size()));
  export_model(net.model, edits).model.save(folder / (name + ".pt"));
}

TEST(PythonTorch, LoadsAndAgrees) {
  const std::string python = DESCRAMBLE_PYTHON;
  if (python.empty()) GTEST_SKIP() << "not run: DESCRAMBLE_PYTHON names no Python with torch";
  const TemporaryFolder folder;
  for (const auto& [name, taps] : exported_elsewhere()) export_to(folder.path(), name, taps);
  const std::string command = "'" + python +
                              "' '" DESCRAMBLE_SOURCE_DIR
                              "/tests/taps/compare_archives.py' '" DESCRAMBLE_FIXTURES "' '" +
                              folder.path().string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

#ifdef DESCRAMBLE_TORCH_ONLY
TEST(TorchOnly, LoadsAndAgrees) {
  const TemporaryFolder folder;
  for (const auto& [name, taps] : exported_elsewhere()) {
    export_to(folder.path(), name, taps);
    const bool wide = name == "float64";
    std::string command =
        std::string(DESCRAMBLE_TORCH_ONLY) + " '" + fixture(name).file().string() + "' '" +
        (folder / (name + ".pt")).string() + (wide ? "' 1e-12 float64" : "' 1e-5 float32");
    for (const auto& input : fixture(name).facts.at("inputs")) {
      std::string shape;
      for (const auto& size : input.at("shape"))
        shape += (shape.empty() ? "" : "x") + std::to_string(size.get<int>());
      command += " " + shape;
    }
    EXPECT_EQ(std::system((command + " > /dev/null").c_str()), 0) << command;
  }
}
#endif

}  // namespace
}  // namespace descramble::test
