#include <ostream>

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "data/tensor_file.h"
#include "descramble/core/error.h"
#include "descramble/core/safetensors.h"
#include "descramble/plot/figure.h"
#include "results/matrix_picture.h"

namespace descramble {

namespace {

Figure lines_of(const std::string& name, const at::Tensor& vector) {
  Series series{.label = name};
  for (std::int64_t i = 0; i < vector.size(0); ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(vector[i].item<double>());
  }
  return {.title = name, .x_title = "place", .y_title = "entry", .series = {std::move(series)}};
}

}  // namespace

int show_command(const ShowOptions& options, std::ostream& out) {
  std::filesystem::path file = options.file;
  if (std::filesystem::is_directory(file)) file /= "tensors.safetensors";
  const NamedTensors tensors = load_safetensors(file);
  if (options.name.empty()) {
    if (!options.out.empty())
      throw Error({"nothing to draw", "name", "the name of a tensor", "none"});
    for (const auto& [name, tensor] : tensors)
      out << fmt::format("{:<40}  [{}]\n", name, fmt::join(tensor.sizes(), ", "));
    return 0;
  }
  at::Tensor values = find_tensor(tensors, options.name, file).to(at::kDouble).contiguous();
  check_output_file(options.out, ".svg", options.force);
  if (values.dim() > 2) values = values.flatten(1).contiguous();
  if (values.dim() < 1 || values.numel() == 0) {
    throw Error({"nothing to draw", options.name, "a vector or a matrix",
                 fmt::format("[{}]", fmt::join(values.sizes(), ", "))});
  }
  if (!at::isfinite(values).all().item<bool>())
    throw Error({"cannot draw", options.name, "finite numbers", "NaN or inf"});
  if (values.dim() == 1) {
    write_svg(lines_of(options.name, values), options.out);
  } else {
    write_svg(matrix_picture({.title = options.name, .values = values}), options.out);
  }
  out << fmt::format("{}  [{}] in {}\n", options.name, fmt::join(values.sizes(), ", "),
                     options.out.string());
  return 0;
}

}  // namespace descramble
