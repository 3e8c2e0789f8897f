#include "descramble/basis/chart.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/matrix_exp.h>
#include <ATen/ops/tril_indices.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

struct ChartName {
  Chart chart;
  const char* name;
  const char* range;
};

constexpr ChartName entries[] = {
    {Chart::cayley, "cayley",
     "all rotations that a path connects with the first base point: the base moves along"},
    {Chart::exponential, "exponential",
     "all rotations that a path connects with the base point; not one to one"},
    {Chart::static_cayley, "static_cayley",
     "rotations that differ from the base point by no half turn: no eigenvalue -1"}};

const ChartName& entry_of(Chart chart) {
  for (const ChartName& entry : entries) {
    if (entry.chart == chart) return entry;
  }
  return entries[0];
}

}  // namespace

std::string chart_name(Chart chart) {
  return entry_of(chart).name;
}

std::string chart_range(Chart chart) {
  return entry_of(chart).range;
}

std::vector<std::string> chart_names() {
  std::vector<std::string> names;
  for (const ChartName& entry : entries) names.emplace_back(entry.name);
  return names;
}

Chart parse_chart(const std::string& name) {
  for (const ChartName& entry : entries) {
    if (name == entry.name) return entry.chart;
  }
  throw Error({"unknown chart", "", "one of " + quoted_list(chart_names()), "'" + name + "'"});
}

at::Tensor skew_matrix(const at::Tensor& parameters, std::int64_t d) {
  if (parameters.dim() != 1 || parameters.size(0) != d * (d - 1) / 2) {
    throw Error({"wrong number of parameters", "chart", fmt::format("{}", d * (d - 1) / 2),
                 fmt::format("{}", parameters.numel())});
  }
  const at::Tensor index = at::tril_indices(d, d, -1, at::kLong);
  const at::Tensor flat = (index[0] * d + index[1]).to(parameters.device());
  const at::Tensor lower =
      at::zeros({d * d}, parameters.options()).index_put({flat}, parameters).view({d, d});
  return lower - lower.t();
}

at::Tensor cayley(const at::Tensor& skew) {
  const at::Tensor identity = at::eye(skew.size(0), skew.options());
  return at::linalg_solve(identity - 0.5 * skew, identity + 0.5 * skew);
}

at::Tensor rotation_of(Chart chart, const at::Tensor& skew, const at::Tensor& base) {
  return (chart == Chart::exponential ? at::matrix_exp(skew) : cayley(skew)).matmul(base);
}

}  // namespace descramble
