#include <ostream>

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/safetensors.h"
#include "descramble/plot/figure.h"

namespace descramble {

namespace {

at::Tensor named(const NamedTensors& tensors, const std::string& name, const std::string& file) {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [one, tensor] : tensors) known.push_back(one);
  throw Error(
      {"no such tensor", file, "one of " + quoted_list(nearest(name, known)), "'" + name + "'"});
}

Figure lines_of(const std::string& name, const at::Tensor& vector) {
  Series series{.label = name};
  for (std::int64_t i = 0; i < vector.size(0); ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(vector[i].item<double>());
  }
  return {.title = name, .x_title = "place", .y_title = "entry", .series = {std::move(series)}};
}

Picture picture_of(const std::string& name, const at::Tensor& matrix) {
  const auto* data = matrix.data_ptr<double>();
  return {.title = name,
          .x_title = "column",
          .y_title = "row",
          .label = "entry",
          .rows = static_cast<std::size_t>(matrix.size(0)),
          .columns = static_cast<std::size_t>(matrix.size(1)),
          .values = std::vector<double>(data, data + matrix.numel()),
          .centred = matrix.min().item<double>() < 0};
}

}  // namespace

int show_command(const ShowOptions& options, std::ostream& out) {
  std::filesystem::path file = options.file;
  if (std::filesystem::is_directory(file)) file /= "tensors.safetensors";
  const NamedTensors tensors = load_safetensors(file);
  if (options.name.empty()) {
    for (const auto& [name, tensor] : tensors)
      out << fmt::format("{:<40}  [{}]\n", name, fmt::join(tensor.sizes(), ", "));
    return 0;
  }
  if (options.out.extension() != ".svg") {
    throw Error({"nowhere to draw", "--out", "a file that ends in .svg",
                 options.out.empty() ? "none" : options.out.string()});
  }
  if (std::filesystem::exists(options.out) && !options.force)
    throw Error({"the file exists", options.out.string(), "a new file, or --force", "a file"});
  at::Tensor values = named(tensors, options.name, file.string()).to(at::kDouble).contiguous();
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
    write_svg(picture_of(options.name, values), options.out);
  }
  out << fmt::format("{}  [{}] in {}\n", options.name, fmt::join(values.sizes(), ", "),
                     options.out.string());
  return 0;
}

}  // namespace descramble
