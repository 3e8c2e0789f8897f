#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/reading/kinds.h"
#include "reading/fit.h"

namespace descramble {

namespace {

Fit fit_form(const std::string& form, const at::Tensor& y, std::int64_t degree) {
  if (form == "sinusoid") return fit_sinusoid(y);
  if (form == "chebyshev") return fit_chebyshev(y, static_cast<int>(degree));
  return fit_biexponential(y);
}

/// The vector in equal parts, each fitted on its own; R² over all of them.
Fit fit_parts(const std::string& form, const at::Tensor& y, std::int64_t parts,
              std::int64_t degree) {
  if (parts == 1) return fit_form(form, y, degree);
  Fit whole{.fitted = at::zeros_like(y)};
  const std::int64_t length = y.size(0) / parts;
  double residual = 0;
  for (std::int64_t i = 0; i < parts; ++i) {
    const at::Tensor part = y.narrow(0, i * length, length).contiguous();
    const Fit fit = fit_form(form, part, degree);
    whole.fitted.narrow(0, i * length, length).copy_(fit.fitted);
    whole.parameters += fit.parameters;
    residual += (part - fit.fitted).pow(2).sum().item<double>();
    if (!fit.note.empty()) {
      whole.note += fmt::format("{}part {}: {}", whole.note.empty() ? "" : "; ", i + 1, fit.note);
    }
    for (Answer answer : fit.answers) {
      answer.name += fmt::format("_part_{}", i + 1);
      whole.answers.push_back(std::move(answer));
    }
  }
  const double total = (y - y.mean()).pow(2).sum().item<double>();
  whole.r2 = total > 0 ? 1 - residual / total : 0;
  return whole;
}

Series series_of(const at::Tensor& y, const AxisScale& scale, const std::string& label,
                 std::size_t colour, std::size_t dash) {
  Series series{.label = label, .colour = colour, .dash = dash};
  for (std::int64_t i = 0; i < y.size(0); ++i) {
    const auto place = static_cast<std::size_t>(i);
    series.x.push_back(place < scale.values.size() ? scale.values[place] : static_cast<double>(i));
    series.y.push_back(y[i].item<double>());
  }
  return series;
}

Reading read_vectors(const MatrixView& matrix, const MatrixView*, const Settings& settings) {
  const bool right = settings.text("side") == "right";
  const std::string form = settings.text("form");
  const std::int64_t parts = settings.integer("parts");
  const std::int64_t first = settings.integer("from");
  const std::int64_t last = settings.integer("to");
  const std::int64_t degree = settings.integer("degree");
  const auto [u, values, vt] = at::linalg_svd(matrix.values, false);
  const at::Tensor vectors = right ? vt : u.t();  // rows
  const std::int64_t length = vectors.size(1);
  if (last < first || last > vectors.size(0)) {
    throw Error({"no such singular vectors", matrix.title,
                 fmt::format("'from' <= 'to' <= {}", vectors.size(0)),
                 fmt::format("{} to {}", first, last)});
  }
  const std::int64_t least = parts * (form == "chebyshev" ? degree + 3 : 8);
  if (length < least || length % parts != 0) {
    throw Error({"the singular vectors do not suit the fit", matrix.title,
                 fmt::format("at least {} numbers, a multiple of {}", least, parts),
                 fmt::format("{}", length)});
  }
  const AxisScale& scale = right ? matrix.columns : matrix.rows;
  Reading reading;
  double sum = 0;
  for (std::int64_t i = first; i <= last; ++i) {
    at::Tensor y = vectors[i - 1].contiguous();
    if (settings.flag("remove_mean")) y = y - y.mean();
    const Fit fit = fit_parts(form, y, parts, degree);
    sum += fit.r2;
    const std::string name = fmt::format("vector_{}", i);
    if (!fit.note.empty()) reading.notes.push_back(fmt::format("vector {}: {}", i, fit.note));
    reading.answers.push_back(
        {.name = name + "_r2",
         .value = fit.r2,
         .uncertainty = r2_error(fit.r2, static_cast<double>(length), fit.parameters)});
    for (Answer answer : fit.answers) {
      answer.name = name + "_" + answer.name;
      reading.answers.push_back(std::move(answer));
    }
    const std::string side = right ? "right" : "left";
    reading.figures.emplace_back(
        fmt::format("{}_vector_{}", side, i),
        Figure{.title = fmt::format("{}: {} singular vector {}, R² {:.3f}", matrix.title, side, i,
                                    fit.r2),
               .x_title = scale.title.empty() ? "place" : scale.title,
               .y_title = "component",
               .series = {series_of(y, scale, "vector", 0, 0),
                          series_of(fit.fitted, scale, "fit: " + form, 1, 1)}});
  }
  reading.answers.insert(reading.answers.begin(),
                         {.name = "mean_r2", .value = sum / static_cast<double>(last - first + 1)});
  return reading;
}

}  // namespace

const ReadingKind& reading_kind_singular_vectors() {
  static const ReadingKind kind{
      .info = {.name = "singular_vectors",
               .summary = "fits singular vectors to sinusoids, Chebyshev polynomials or two "
                          "exponentials; R2 of each",
               .formula = "a cos(w i) + b sin(w i) + c; sum c_n T_n(x); C1 exp(-a s) - C2 exp(-b "
                          "s) + D",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021); Sule, Spencer, Czaja, "
                         "arXiv 2301.07820; error of R2: Olkin and Finn, Psychological Bulletin "
                         "118 (1995) 155",
               .fields = {{.name = "form",
                           .type = FieldType::string,
                           .doc = "the curve that is fitted",
                           .fallback = "sinusoid",
                           .choices = {"sinusoid", "chebyshev", "biexponential"}},
                          {.name = "side",
                           .type = FieldType::string,
                           .doc = "right: along the columns; left: along the rows",
                           .fallback = "right",
                           .choices = {"right", "left"}},
                          {.name = "from",
                           .type = FieldType::integer,
                           .doc = "first singular vector, from 1",
                           .fallback = 1,
                           .minimum = 1},
                          {.name = "to",
                           .type = FieldType::integer,
                           .doc = "last singular vector",
                           .fallback = 3,
                           .minimum = 1},
                          {.name = "parts",
                           .type = FieldType::integer,
                           .doc = "equal parts of a vector that are fitted one by one",
                           .fallback = 1,
                           .minimum = 1,
                           .maximum = 16},
                          {.name = "degree",
                           .type = FieldType::integer,
                           .doc = "highest degree of the Chebyshev polynomials",
                           .fallback = 4,
                           .minimum = 1,
                           .maximum = 32},
                          {.name = "remove_mean",
                           .type = FieldType::boolean,
                           .doc = "subtract the mean of each vector first",
                           .fallback = false}}},
      .read = read_vectors,
      .check = [](const Settings& settings) {
        if (settings.integer("from") <= settings.integer("to")) return;
        throw Error({"no such singular vectors", "from",
                     fmt::format("at most {}", settings.integer("to")),
                     fmt::format("{}", settings.integer("from"))});
      }};
  return kind;
}

}  // namespace descramble
