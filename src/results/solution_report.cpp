#include "results/solution_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace descramble {

using nlohmann::json;

namespace {

double in_sense(bool maximised, double value) {
  return maximised ? -value : value;
}

}  // namespace

json solver_json(const Solution& solution, bool maximised) {
  json outcomes = json::array();
  for (const StartOutcome& outcome : solution.outcomes) {
    outcomes.push_back(
        {{"from", outcome.from},
         {"value", in_sense(maximised, outcome.value)},
         {"reason", outcome.reason},
         {"iterations", outcome.iterations},
         {"shared_rows",
          outcome.point.defined() ? json(shared_rows(outcome.point, solution.point)) : json()}});
  }
  return {{"kind", solution.solver},
          {"reason", solution.reason},
          {"iterations", solution.iterations},
          {"starts", solution.starts},
          {"outcomes", std::move(outcomes)}};
}

std::string solver_line(const Solution& solution, bool maximised) {
  std::string line = fmt::format("{}, {} iteration{}", solution.solver, solution.iterations,
                                 solution.iterations == 1 ? "" : "s");
  if (solution.outcomes.size() < 2) return line;
  line += fmt::format(", best of {} starts:", solution.outcomes.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(solution.outcomes.size(), 8); ++i)
    line += fmt::format(" {:.6g}", in_sense(maximised, solution.outcomes[i].value));
  if (solution.outcomes.size() > 8) line += " ...";
  if (!solution.outcomes[0].point.defined()) return line;
  line += fmt::format("; of their {} directions the best one's:", solution.point.size(0));
  for (std::size_t i = 0; i < std::min<std::size_t>(solution.outcomes.size(), 8); ++i)
    line += fmt::format(" {}", shared_rows(solution.outcomes[i].point, solution.point));
  return line;
}

json solvers_json(const json& taps) {
  const auto rank = [](const std::string& reason) {
    const std::vector<std::string> order{"exact", "converged", "line_search", "max_iterations",
                                         "interrupted"};
    return std::find(order.begin(), order.end(), reason) - order.begin();
  };
  json result;
  for (const json& tap : taps) {
    const json& solver = tap.at("solver");
    if (result.is_null()) {
      result = {{"kind", solver.at("kind")},
                {"reason", solver.at("reason")},
                {"iterations", solver.at("iterations")},
                {"starts", solver.at("starts")}};
      continue;
    }
    if (rank(solver.at("reason")) > rank(result.at("reason"))) result["reason"] = solver["reason"];
    for (const char* key : {"iterations", "starts"})
      result[key] = std::max(result[key].get<std::int64_t>(), solver[key].get<std::int64_t>());
  }
  return result;
}

}  // namespace descramble
