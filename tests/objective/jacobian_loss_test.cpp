// The route by double backward against the cached stack.

#include "descramble/objective/jacobian_loss.h"

#include <nlohmann/json.hpp>

#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/model/kinds.h"
#include "descramble/objective/jacobian_l1.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

Model network(const char* sigma) {
  const json config = {{"kind", "sequential"},
                       {"input", {6}},
                       {"layers",
                        {{{"kind", "linear"}, {"name", "a"}, {"out", 7}},
                         {{"kind", sigma}, {"name", "r"}},
                         {{"kind", "linear"}, {"name", "b"}, {"out", 5}},
                         {{"kind", sigma}, {"name", "s"}},
                         {{"kind", "linear"}, {"name", "c"}, {"out", 4}}}}};
  return open_model(resolve_kind(model_family(), config, "/model"), {.seed = 4})
      .model.to_dtype(at::kDouble);
}

TEST(JacobianLoss, IsTheCachedObjectiveWhereThatExists) {
  const auto l1 = [](const at::Tensor& j) { return j.abs().sum({1, 2}).mean(); };
  for (const char* sigma : {"relu", "tanh"}) {
    const Model model = network(sigma);
    const at::Tensor inputs = random_stream(2, "test/loss").normal_tensor({20, 6});
    for (const auto& [from, to] : {std::pair{"a", "b"}, {"r", "s"}, {"a", "c"}}) {
      SCOPED_TRACE(testing::Message() << sigma << ", " << from << " to " << to);
      const LayerJacobian layer(model, from, to, {inputs});
      const JacobianL1 cached({.taps = {from, to}, .layers = {{from, to, layer({inputs}).blocks}}},
                              {true, false});
      const JacobianLoss plain(model, from, to, {inputs}, l1);
      for (std::uint64_t i = 0; i < 3; ++i) {
        const at::Tensor p = haar(cached.dimension(), i);
        const Evaluation expected = cached.evaluate(p);
        const Evaluation found = plain.evaluate(p);
        EXPECT_NEAR(found.value, expected.value, 1e-12 * expected.value);
        // As if the entries of P were free, the inserted pair is no identity: along the group alone
        // do the two gradients mean the same.
        const auto along = [&](const at::Tensor& g) {
          const at::Tensor product = g.matmul(p.t());
          return product - product.t();
        };
        EXPECT_LE(difference(along(found.gradient), along(expected.gradient)),
                  1e-10 * largest(expected.gradient));
      }
    }
  }
}

TEST(JacobianLoss, SaysWhatIsWrong) {
  const Model model = network("relu");
  const at::Tensor inputs = at::ones({3, 6}, at::kDouble);
  const auto sum = [](const at::Tensor& j) { return j.sum(); };
  EXPECT_THAT([&] { JacobianLoss(model, "b", "a", {inputs}, sum); }, ThrowsError("come before"));
  const JacobianLoss several(model, "a", "b", {inputs}, [](const at::Tensor& j) { return j; });
  EXPECT_THAT([&] { several.value(at::eye(7, at::kDouble)); }, ThrowsError("no number", "'a'"));
  const JacobianLoss cut(model, "a", "b", {inputs},
                         [](const at::Tensor& j) { return j.detach().sum(); });
  EXPECT_THAT([&] { cut.value(at::eye(7, at::kDouble)); }, ThrowsError("no gradient", "'a'"));
}

}  // namespace
}  // namespace descramble::test
