// Bases of every kind: orthonormal, explained variance (T13), orders, and what is refused.

#include "descramble/basis/basis.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/kinds.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/core/safetensors.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// Rows with variances that differ, some equal, one zero.
at::Tensor rows_of(std::int64_t d, std::int64_t rows = 400) {
  RandomStream random = random_stream(5, "test/basis/rows", static_cast<std::uint64_t>(d));
  at::Tensor scales = at::arange(1, d + 1, at::kDouble).reciprocal();
  scales[d - 1] = 0;
  at::Tensor values = random.normal_tensor({rows, d}) * scales;
  return values.matmul(haar_rotation(d, random)) + 3;
}

Moments moments_of(std::int64_t d, std::int64_t rows = 400) {
  Moments moments;
  moments.add(rows_of(d, rows));
  return moments;
}

/// A config value of every kind, and what it needs to be made for `d`; nobody edits it for a new
/// one.
class Bases : public ::testing::TestWithParam<std::string> {
 protected:
  BasisInput input(std::int64_t d) const {
    RandomStream random = random_stream(5, "test/basis/other", static_cast<std::uint64_t>(d));
    const at::Tensor rotation = haar_rotation(d, random);
    save_safetensors(folder_ / "basis.safetensors", {{"Q", rotation}});
    return {.moments = moments_of(d),
            .tap = "fc1",
            .rotations = {{{2, "fc1"}, rotation}},
            .seed = 7,
            .paths = {folder_.path()},
            .pointer = "/bases/0",
            .for_each_rows = [d](const VisitRows& visit) { visit(rows_of(d)); }};
  }
  /// What is there for fields of these names; fields with a default need none.
  json config() const {
    const json values = {{"draws", 3}, {"step", 2}, {"path", "basis.safetensors"}, {"name", "Q"}};
    json result = {{"kind", GetParam()}};
    for (const Field& field : basis_family().find(GetParam())->fields) {
      if (values.contains(field.name)) result[field.name] = values[field.name];
    }
    return result;
  }

  TemporaryFolder folder_;
};

TEST_P(Bases, AreOrthonormalAndExplainAllOfTheVariance) {
  for (const std::int64_t d : {2, 5, 17, 64}) {
    SCOPED_TRACE(d);
    const BasisInput from = input(d);
    const at::Tensor covariance = from.moments.covariance();
    const at::Tensor principal =
        explained_variance(make_basis({{"kind", "pca"}}, from).draw(0), covariance);
    const BasisDraws made = make_basis(config(), from);
    EXPECT_FALSE(made.label.empty());
    ASSERT_EQ(made.count, config().value("draws", 1));
    for (std::int64_t draw = 0; draw < made.count; ++draw) {
      const Basis basis = made.draw(draw);
      EXPECT_EQ(basis.dimension(), d);
      EXPECT_GE(basis.size(), 1);
      EXPECT_LE(basis.size(), d);
      const at::Tensor gram = basis.directions().t().matmul(basis.directions());
      EXPECT_LT((gram - at::eye(basis.size(), at::kDouble)).norm().item<double>(),
                1e-13 * static_cast<double>(d));
      EXPECT_TRUE(at::equal(basis.mean(), from.moments.mean()));
      // T13: monotone, a whole basis ends at 1, nowhere above the principal components.
      const at::Tensor explained = explained_variance(basis, covariance);
      EXPECT_GE(explained.min().item<double>(), -1e-15);
      EXPECT_LE(explained.sum().item<double>(), 1 + 1e-12);
      if (basis.size() == d) {
        EXPECT_NEAR(explained.sum().item<double>(), 1, 1e-12);
      }
      const at::Tensor largest = std::get<0>(explained.sort(-1, true)).cumsum(0);
      const at::Tensor most = principal.cumsum(0).slice(0, 0, basis.size());
      EXPECT_LE((largest - most).max().item<double>(), 1e-12);
    }
    const BasisDraws again = make_basis(config(), from);
    for (std::int64_t i = 0; i < made.count; ++i)
      EXPECT_TRUE(at::equal(made.draw(i).directions(), again.draw(i).directions()));
  }
}

TEST_P(Bases, StandInOneFamily) {
  EXPECT_NE(basis_family().find(GetParam()), nullptr);
  EXPECT_FALSE(basis_family().find(GetParam())->summary.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Bases, ::testing::ValuesIn(basis_family().names()),
                         [](const auto& tested) { return tested.param; });

TEST(Basis, PrincipalComponentsDiagonaliseTheCovariance) {
  const Moments moments = moments_of(12);
  const Basis pca = make_basis({{"kind", "pca"}}, {.moments = moments}).draw(0);
  const at::Tensor turned =
      pca.directions().t().matmul(moments.covariance()).matmul(pca.directions());
  EXPECT_LT((turned - turned.diagonal().diag()).abs().max().item<double>(), 1e-14);
  EXPECT_LE(turned.diagonal().diff().max().item<double>(), 1e-15);
  EXPECT_EQ(components_for(explained_variance(pca, moments.covariance()), 1 - 1e-9), 11);
}

TEST(Basis, CountsComponentsFromOne) {
  const at::Tensor explained = at::tensor({0.1, 0.5, 0.4}, at::kDouble);
  EXPECT_EQ(components_for(explained, 0.5), 1);
  EXPECT_EQ(components_for(explained, 0.51), 2);
  EXPECT_EQ(components_for(explained, 0.95), 3);
  EXPECT_EQ(components_for(explained.slice(0, 0, 2), 0.8), -1);
}

TEST(Basis, EqualSharesStandByIndex) {
  const at::Tensor explained = at::tensor({0.2, 0.3, 0.2, 0.3}, at::kDouble);
  using Indices = std::vector<std::int64_t>;
  EXPECT_EQ(ordered_components(explained, Order::descending), (Indices{1, 3, 0, 2}));
  EXPECT_EQ(ordered_components(explained, Order::ascending), (Indices{0, 2, 1, 3}));
  EXPECT_EQ(ordered_components(explained, Order::given), (Indices{0, 1, 2, 3}));
  for (const std::string& name : order_names()) EXPECT_EQ(order_name(parse_order(name)), name);
  EXPECT_THAT([] { parse_order("sideways"); }, ThrowsError("'descending'", "'sideways'"));
}

// Of a random basis m of d directions explain m/d on the average.
TEST(Basis, RandomDirectionsExplainTheirShare) {
  constexpr std::int64_t d = 40;
  constexpr int draws = 200;
  const Moments moments = moments_of(d);
  const BasisDraws made =
      make_basis({{"kind", "random"}, {"draws", draws}}, {.moments = moments, .seed = 3});
  std::vector<at::Tensor> cumulative;
  for (std::int64_t draw = 0; draw < made.count; ++draw)
    cumulative.push_back(explained_variance(made.draw(draw), moments.covariance()).cumsum(0));
  const at::Tensor all = at::stack(cumulative);
  const at::Tensor error = all.std(0) / std::sqrt(static_cast<double>(draws));
  for (const std::int64_t m : {1, 4, 10, 20, 30, 39}) {
    const double expected = static_cast<double>(m) / d;
    EXPECT_NEAR(all.mean(0)[m - 1].item<double>(), expected, 3.5 * error[m - 1].item<double>())
        << m;
  }
}

TEST(Basis, RestoresWhatSinglePrecisionRounded) {
  RandomStream random = random_stream(5, "test/basis/float");
  const at::Tensor rounded = haar_rotation(50, random).to(at::kFloat);
  const Basis basis(rounded, at::zeros({50}));
  EXPECT_LT(distance_from_orthogonal(basis.directions()), 1e-13);
  EXPECT_LT((basis.directions() - rounded).abs().max().item<double>(), 1e-6);
}

TEST(Basis, RefusesWhatIsNone) {
  const at::Tensor mean = at::zeros({4}, at::kDouble);
  at::Tensor skew = at::eye(4, at::kDouble);
  skew[1][3] = 0.25;
  EXPECT_THAT([&] { Basis(skew, mean, "/bases/1"); },
              ThrowsError("not orthonormal", "/bases/1", "0.25 off at entry (1, 3)"));
  EXPECT_THAT([&] { Basis(2 * at::eye(4, at::kDouble), mean); }, ThrowsError("3 off", "(0, 0)"));
  EXPECT_THAT([&] { Basis(at::eye(5, at::kDouble), mean, "/bases/1"); },
              ThrowsError("wrong size", "/bases/1", "4 x k", "5 x 5"));
  EXPECT_THAT([&] { Basis(at::zeros({4, 0}), mean); }, ThrowsError("wrong size", "4 x 0"));
  EXPECT_THAT([&] { Basis(at::zeros({4}), mean); }, ThrowsError("wrong size"));
  EXPECT_THAT([&] { Basis(at::full({4, 4}, NAN), mean); }, ThrowsError("not finite"));
  EXPECT_THAT(
      [&] {
        explained_variance(Basis(at::eye(4), mean), at::zeros({4, 4}));
      },
      ThrowsError("no variance"));
  EXPECT_THAT([&] { explained_variance(Basis(at::eye(4), mean), at::eye(3)); },
              ThrowsError("does not fit", "4 x 4", "3 x 3"));
}

TEST(Basis, NamesWhatAKindDoesNotFind) {
  const BasisInput from{.moments = moments_of(4),
                        .tap = "fc1",
                        .rotations = {{{0, "fc2"}, at::eye(4, at::kDouble)}},
                        .pointer = "/bases/2"};
  EXPECT_THAT(
      [&] {
        make_basis({{"kind", "step"}, {"step", 0}}, from);
      },
      ThrowsError("/bases/2", "'fc2' of step 0", "'fc1' of step 0"));
  EXPECT_THAT(
      [&] {
        make_basis({{"kind", "tensor"}, {"path", "no.file"}, {"name", "Q"}}, from);
      },
      ThrowsError("/bases/2/path", "no.file"));
  EXPECT_THAT([&] { make_basis({{"kind", "pcs"}}, from); }, ThrowsError("'pca'", "pcs"));
}

}  // namespace
}  // namespace descramble::test
