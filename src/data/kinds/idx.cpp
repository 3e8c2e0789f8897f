#include <algorithm>

#include <ATen/ops/index_select.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/idx_file.h"
#include "data/samples.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace {

class IdxSet : public DataSet {
 public:
  IdxSet(at::Tensor images, at::Tensor labels, std::vector<InputFile> files)
      : images_(std::move(images)), labels_(std::move(labels)), files_(std::move(files)) {}

  std::int64_t size() const override { return images_.size(0); }
  bool has_labels() const override { return labels_.defined(); }
  std::vector<InputFile> files() const override { return files_; }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size());
    const at::Tensor index = int64_tensor(indices);
    Batch batch{{at::index_select(images_, 0, index).to(at::kFloat).div_(255)}};
    if (has_labels()) batch.labels = at::index_select(labels_, 0, index).to(at::kLong);
    return batch;
  }

 private:
  at::Tensor images_;  ///< uint8
  at::Tensor labels_;  ///< uint8, or undefined
  std::vector<InputFile> files_;
};

std::shared_ptr<const DataSet> open_idx(const Settings& settings, const DataContext& context) {
  std::vector<InputFile> files;
  const auto read = [&](const std::string& role) {
    const std::string given = settings.text(role);
    files.push_back({role, given, context.paths.find(given, join_pointer(context.pointer, role))});
    return read_idx(files.back().path);
  };
  at::Tensor images = read("images");
  if (images.dim() < 2) {
    throw Error({"not a file of images", files.back().path.string(), "at least 2 dimensions",
                 "1, as files of labels have"});
  }
  if (images.dim() == 3) images = images.unsqueeze(1);
  at::Tensor labels;
  if (settings.find_text("labels")) {
    labels = read("labels");
    if (labels.dim() != 1) {
      throw Error({"not a file of labels", files.back().path.string(), "1 dimension",
                   fmt::format("{}", fmt::join(labels.sizes(), " x "))});
    }
    if (labels.size(0) != images.size(0)) {
      throw Error({"images and labels differ in number", context.pointer,
                   fmt::format("{} labels, one for each image in {}", images.size(0),
                               files[0].path.string()),
                   fmt::format("{} in {}", labels.size(0), files[1].path.string())});
    }
  }
  return std::make_shared<IdxSet>(images, labels, files);
}

namespace fs = std::filesystem;

/// "train-images-idx3-ubyte" and the file of its labels, if there is one.
Settings pair_of(const fs::path& images) {
  std::string name = images.filename().string();
  for (const auto& [from, to] : {std::pair{"images", "labels"}, {"idx3", "idx1"}}) {
    const std::size_t at = name.find(from);
    if (at != std::string::npos) name.replace(at, std::string_view(from).size(), to);
  }
  const fs::path labels = images.parent_path() / name;
  SettingValues result = {{"kind", "idx"}, {"images", images.string()}};
  std::error_code ignored;
  if (labels != images && fs::is_regular_file(labels, ignored))
    result.emplace_back("labels", labels.string());
  return settings_of(result);
}

bool names_idx(const fs::path& file) {
  return file.filename().string().find("-idx") != std::string::npos;
}

std::optional<SourceGuess> guess_idx(const fs::path& path, const DataHints&) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored))
    return names_idx(path) ? std::optional(pair_of(path)) : std::nullopt;
  std::vector<fs::path> images;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (names_idx(entry.path()) && name.find("images") != std::string::npos)
      images.push_back(entry.path());
  }
  std::sort(images.begin(), images.end());
  if (images.empty()) return std::nullopt;
  const auto trains = [](const fs::path& file) {
    return file.filename().string().find("train") != std::string::npos;
  };
  const auto train = std::find_if(images.begin(), images.end(), trains);
  const auto test = std::find_if_not(images.begin(), images.end(), trains);
  if (train == images.end() || test == images.end()) return pair_of(images.front());
  return settings_of({{"train", pair_of(*train)}, {"test", pair_of(*test)}});
}

}  // namespace

const SourceKind& source_kind_idx() {
  static const SourceKind kind{
      .info = {.name = "idx",
               .summary = "IDX files of unsigned bytes as MNIST has them, gzipped or not: N x H x "
                          "W gives samples of "
                          "1 x H x W in [0, 1], any other shape samples of that shape",
               .fields = {{.name = "images",
                           .type = FieldType::path,
                           .doc = "the IDX file of the inputs"},
                          {.name = "labels",
                           .type = FieldType::path,
                           .doc = "the IDX file of the classes; null: there are none",
                           .fallback = nullptr}}},
      .open = open_idx,
      .guess = guess_idx};
  return kind;
}

}  // namespace descramble
