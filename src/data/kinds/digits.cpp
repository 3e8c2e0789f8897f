#include <algorithm>
#include <optional>
#include <string_view>

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <fmt/format.h>

#include "data/samples.h"
#include "data/text_table.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

constexpr std::int64_t pixel_count = 64;
constexpr std::int64_t darkest = 16;

class DigitSet : public DataSet {
 public:
  DigitSet(at::Tensor values, at::Tensor labels, InputFile file)
      : values_(std::move(values)), labels_(std::move(labels)), file_(std::move(file)) {}

  std::int64_t size() const override { return values_.size(0); }
  bool has_labels() const override { return true; }
  std::vector<InputFile> files() const override { return {file_}; }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size());
    const at::Tensor index = int64_tensor(indices);
    return {{at::index_select(values_, 0, index)}, at::index_select(labels_, 0, index)};
  }

 private:
  at::Tensor values_;  ///< float32 [N, 64]
  at::Tensor labels_;
  InputFile file_;
};

/// Reads the lines behind the header into `values` (pixels / 16) and `labels`.
class DigitTable {
 public:
  explicit DigitTable(std::filesystem::path file) : file_(std::move(file)) {
    const std::string bytes = read_file(file_);
    for (const std::string_view line : lines_of(bytes)) {
      ++line_;
      if (line_ == 1) {
        read_header(line);
      } else if (!line.empty()) {
        read_row(line);
      }
    }
    if (labels.empty()) {
      throw Error({"no digits in the file", file_.string(),
                   "a header line and at least one line of 64 values and a class",
                   bytes.empty() ? "an empty file" : "a header line only"});
    }
  }

  std::vector<float> values{};
  std::vector<std::int64_t> labels{};

 private:
  static std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> fields;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(',', begin), line.size());
      std::string_view field = line.substr(begin, end - begin);
      while (field.starts_with(' ')) field.remove_prefix(1);
      while (field.ends_with(' ')) field.remove_suffix(1);
      fields.push_back(field);
      begin = end + 1;
    }
    return fields;
  }

  Error wrong(const std::string& expected, std::string_view found) const {
    return Error({"wrong line in the file of digits", fmt::format("{}:{}", file_.string(), line_),
                  expected, fmt::format("'{}'", found.substr(0, 80))});
  }

  void require_columns(const std::vector<std::string_view>& fields) const {
    if (static_cast<std::int64_t>(fields.size()) == pixel_count + 1) return;
    throw Error({"wrong number of columns in the file of digits",
                 fmt::format("{}:{}", file_.string(), line_), "65: 64 values, then the class",
                 std::to_string(fields.size())});
  }

  void read_header(std::string_view line) const {
    const std::vector<std::string_view> fields = split(line);
    require_columns(fields);
    // Without this check the first sample of a file that has no header would be lost.
    if (std::all_of(fields.begin(), fields.end(), integer_of)) throw wrong("a header line", line);
  }

  void read_row(std::string_view line) {
    const std::vector<std::string_view> fields = split(line);
    require_columns(fields);
    for (std::size_t column = 0; column < fields.size() - 1; ++column) {
      const std::optional<std::int64_t> value = integer_of(fields[column]);
      if (!value || *value < 0 || *value > darkest) {
        throw wrong(fmt::format("an integer from 0 to {} in column {}", darkest, column + 1),
                    fields[column]);
      }
      values.push_back(static_cast<float>(*value) / static_cast<float>(darkest));
    }
    const std::optional<std::int64_t> label = integer_of(fields.back());
    if (!label || *label < 0) throw wrong("an integer >= 0 as the class", fields.back());
    labels.push_back(*label);
  }

  std::filesystem::path file_;
  std::int64_t line_ = 0;
};

std::shared_ptr<const DataSet> open_digits(const Settings& settings, const DataContext& context) {
  const std::string given = settings.text("path");
  const InputFile file{"digits", given,
                       context.paths.find(given, join_pointer(context.pointer, "path"))};
  const DigitTable table(file.path);
  const auto count = static_cast<std::int64_t>(table.labels.size());
  at::Tensor values = at::empty({count, pixel_count}, at::kFloat);
  std::copy(table.values.begin(), table.values.end(), values.data_ptr<float>());
  return std::make_shared<DigitSet>(values, int64_tensor(table.labels), file);
}

std::optional<SourceGuess> guess_digits(const std::filesystem::path& path, const DataHints&) {
  const std::string ending = path.extension().string();
  if (ending != ".csv" && ending != ".tra" && ending != ".tes") return std::nullopt;
  return settings_of({{"kind", "digits"}, {"path", path.string()}});
}

}  // namespace

const SourceKind& source_kind_digits() {
  static const SourceKind kind{
      .info = {.name = "digits",
               .summary = "UCI optical digits: a CSV file with a header line, then 64 values from "
                          "0 to 16 and the class in each; samples of 64 in [0, 1]",
               .source = "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, "
                         "UCI Machine Learning Repository, 1998",
               .fields = {{.name = "path",
                           .type = FieldType::path,
                           .doc = "the CSV file (optdigits.tra, optdigits.tes)"}}},
      .open = open_digits,
      .guess = guess_digits};
  return kind;
}

}  // namespace descramble
