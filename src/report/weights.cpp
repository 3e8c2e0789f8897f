#include <fmt/format.h>

#include "descramble/core/safetensors.h"
#include "descramble/plot/figure.h"
#include "report/figure_element.h"
#include "report/sections.h"
#include "results/figure_data.h"
#include "results/matrix_picture.h"

namespace descramble {

namespace {

constexpr std::string_view after = ".weight_descrambled";

MatrixView view_of(const std::string& title, const at::Tensor& weight) {
  return {.title = title, .values = weight.dim() > 2 ? weight.flatten(1) : weight};
}

}  // namespace

std::string weights_of_step(const Record& record, std::size_t run, std::size_t step,
                            nlohmann::json& shown) {
  const std::string file = "tensors.safetensors";
  const std::string prefix = fmt::format("steps.{}.", step);
  const std::string kind = record.result["steps"][step].value("kind", "");
  if (kind != "descramble" || !can_draw()) return "";
  if (!record.has(file)) return "";
  const NamedTensors tensors = load_safetensors(record.folder / file);
  std::string figures;
  for (const auto& [name, weight] : tensors) {
    if (!name.starts_with(prefix) || !name.ends_with(after)) continue;
    const std::string tap = name.substr(prefix.size(), name.size() - prefix.size() - after.size());
    const auto before = tensors.find(prefix + tap + ".weight");
    if (before == tensors.end() || weight.dim() < 2) continue;
    Panels panels;
    panels.pictures.push_back(matrix_picture(view_of("as trained", before->second)));
    panels.pictures.push_back(matrix_picture(view_of("descrambled", weight)));
    figures += figure_element({.name = prefix + tap + ".weights",
                               .svg = svg_text(panels),
                               .caption = "Weights at " + tap + ", with one scale of colours",
                               .alternative = "Weights at " + tap + " as trained and descrambled",
                               .data = figure_data(panels)},
                              run, shown);
  }
  return figures;
}

}  // namespace descramble
