#include <algorithm>
#include <array>
#include <cctype>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "data/image.h"
#include "data/label_table.h"
#include "data/samples.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"

namespace descramble {

namespace fs = std::filesystem;

namespace {

/// The properties that show that a file has changed.
struct FileMark {
  std::uintmax_t size = 0;
  fs::file_time_type written{};

  bool operator==(const FileMark&) const = default;
};

FileMark mark_of(const fs::path& file) {
  std::error_code code;
  FileMark mark{fs::file_size(file, code), {}};
  if (!code) mark.written = fs::last_write_time(file, code);
  return code ? FileMark{} : mark;
}

struct LabelledPath {
  fs::path path{};
  std::int64_t label = 0;
  FileMark mark{};  ///< when the folder was opened, and hashed
};

/// How a decoded picture becomes a sample; 0: the picture does not change.
struct Framing {
  std::int64_t resize = 0;
  std::int64_t crop = 0;
};

Image load(const fs::path& file, const Framing& framing) {
  Image image = read_image(file);
  if (framing.resize > 0) image = resize_shorter_side(image, framing.resize);
  if (framing.crop > 0) {
    if (std::min(image.height, image.width) < framing.crop) {
      throw Error({framing.resize > 0 ? "'resize' makes the image smaller than 'crop'"
                                      : "image smaller than 'crop' (set 'resize' to enlarge it)",
                   file.string(), fmt::format("at least {0} high, {0} wide", framing.crop),
                   size_text(image)});
    }
    image = crop_center(image, framing.crop);
  }
  return image;
}

class ImageSet : public DataSet {
 public:
  ImageSet(std::vector<LabelledPath> samples, std::vector<std::string> class_names, Framing framing,
           std::vector<InputFile> files, std::vector<std::string> warnings)
      : samples_(std::move(samples)),
        class_names_(std::move(class_names)),
        framing_(framing),
        files_(std::move(files)),
        warnings_(std::move(warnings)),
        first_(load(samples_.front().path, framing_)) {
    first_.pixels.clear();
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  bool has_labels() const override { return true; }
  std::vector<InputFile> files() const override { return files_; }
  std::vector<std::string> class_names() const override { return class_names_; }
  std::vector<std::string> warnings() const override { return warnings_; }

  Batch gather(const std::vector<std::int64_t>& indices) const override {
    check_indices(indices, size());
    const auto count = static_cast<std::int64_t>(indices.size());
    at::Tensor inputs = at::empty({count, 3, first_.height, first_.width}, at::kFloat);
    at::Tensor labels = at::empty({count}, at::kLong);
    auto* values = inputs.data_ptr<float>();
    auto* classes = labels.data_ptr<std::int64_t>();
    const std::int64_t area = first_.height * first_.width;
    for_each_sample(count, 1, [&](std::int64_t i) {
      const LabelledPath& sample =
          samples_[static_cast<std::size_t>(indices[static_cast<std::size_t>(i)])];
      if (mark_of(sample.path) != sample.mark) {
        throw Error({"the image has changed since the folder was opened", sample.path.string(),
                     "the file that the result names by its hash", "another size or date"});
      }
      const Image image = load(sample.path, framing_);
      if (image.height != first_.height || image.width != first_.width) {
        throw Error({"images differ in size (set 'crop')", sample.path.string(),
                     fmt::format("{}, as {}", size_text(first_), samples_.front().path.string()),
                     size_text(image)});
      }
      float* target = values + i * 3 * area;
      for (std::int64_t pixel = 0; pixel < area; ++pixel) {
        for (std::int64_t channel = 0; channel < 3; ++channel) {
          target[channel * area + pixel] =
              static_cast<float>(image.pixels[static_cast<std::size_t>(pixel * 3 + channel)]) /
              255.0F;
        }
      }
      classes[i] = sample.label;
    });
    return {{inputs}, labels};
  }

 private:
  std::vector<LabelledPath> samples_;
  std::vector<std::string> class_names_;
  Framing framing_;
  std::vector<InputFile> files_;
  std::vector<std::string> warnings_;
  Image first_;  ///< without its pixels: the size of every sample
};

bool is_image_name(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 5> known{".jpg", ".jpeg", ".jpe", ".png", ".webp"};
  return std::find(known.begin(), known.end(), ending) != known.end();
}

/// Names in a folder that are not hidden, sorted by their bytes.
template <typename Wanted>
std::vector<std::string> sorted_names(const fs::path& folder, Wanted wanted) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with('.') && wanted(*entry, ignored)) names.push_back(name);
  }
  if (code)
    throw Error({"cannot read the folder", folder.string(), "a readable folder", code.message()});
  std::sort(names.begin(), names.end());
  return names;
}

/// Names of classes in their order: by number if all are numbers, so that 2 comes before 10.
/// Whether that is another order than that of their bytes.
bool sort_class_names(std::vector<std::string>& names) {
  const auto is_number = [](const std::string& name) {
    return name.size() <= 18 && name.find_first_not_of("0123456789") == std::string::npos;
  };
  if (!std::all_of(names.begin(), names.end(), is_number)) return false;
  const std::vector<std::string> by_bytes = names;
  std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::stoll(a) < std::stoll(b);
  });
  return names != by_bytes;
}

/// "3 files are no images and are skipped: a.txt, b.gif, c"; empty: none are.
std::string skipped_text(const std::vector<std::string>& skipped) {
  if (skipped.empty()) return "";
  constexpr std::size_t shown = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(shown, skipped.size()); ++i)
    names += (i == 0 ? "" : ", ") + skipped[i];
  if (skipped.size() > shown) names += ", ...";
  return fmt::format("{} file{} no JPEG, PNG or WebP and {} skipped: {}", skipped.size(),
                     skipped.size() == 1 ? " is" : "s are", skipped.size() == 1 ? "is" : "are",
                     names);
}

std::string orientation_text(const std::vector<LabelledPath>& samples) {
  const auto turned = std::count_if(samples.begin(), samples.end(), [](const LabelledPath& sample) {
    return orientation(sample.path) != 1;
  });
  if (turned == 0) return "";
  return fmt::format("{} of {} images have an EXIF orientation, which is not applied", turned,
                     samples.size());
}

std::vector<LabelledPath> from_table(const fs::path& folder, const fs::path& table) {
  std::vector<LabelledPath> samples;
  for (const LabelledFile& row : read_label_table(table)) {
    const fs::path path = folder / row.file;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      throw Error({"an image in the table of labels is missing",
                   fmt::format("{}:{}", table.string(), row.line), path.string(), "no such file"});
    }
    samples.push_back({path, row.label, mark_of(path)});
  }
  if (samples.empty())
    throw Error({"no images in the table of labels", table.string(), "at least one line", "none"});
  return samples;
}

std::vector<LabelledPath> from_class_folders(const fs::path& folder,
                                             const std::vector<std::string>& classes,
                                             std::vector<std::string>& skipped) {
  if (classes.empty()) {
    throw Error({"no class folders", folder.string(), "one folder a class, or 'labels'",
                 "no folder in it"});
  }
  std::vector<LabelledPath> samples;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const fs::path place = folder / classes[label];
    const std::vector<std::string> names =
        sorted_names(place, [&](const fs::directory_entry& entry, std::error_code& code) {
          if (entry.is_directory(code)) return false;
          if (is_image_name(entry.path())) return true;
          skipped.push_back(entry.path().lexically_relative(folder).string());
          return false;
        });
    if (names.empty()) {
      throw Error({"no images in the class folder", place.string(),
                   "at least one .jpg, .jpeg, .jpe, .png or .webp", "none"});
    }
    for (const std::string& name : names)
      samples.push_back({place / name, static_cast<std::int64_t>(label), mark_of(place / name)});
  }
  return samples;
}

std::shared_ptr<const DataSet> open_images(const Settings& settings, const DataContext& context) {
  std::vector<InputFile> files;
  const auto find = [&](const std::string& key, const std::string& role) {
    const std::string given = settings.text(key);
    files.push_back({role, given, context.paths.find(given, join_pointer(context.pointer, key))});
    return files.back().path;
  };
  const fs::path folder = find("path", "images");
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error({"not a folder of images", folder.string(), "a folder", "a file"});
  }
  std::vector<std::string> classes;
  std::vector<LabelledPath> samples;
  std::vector<std::string> warnings;
  if (!settings.find_text("labels")) {
    classes = sorted_names(folder, [](const fs::directory_entry& entry, std::error_code& code) {
      return entry.is_directory(code);
    });
    if (sort_class_names(classes)) {
      warnings.push_back(
          fmt::format("the class folders of {} are numbers: they are classes in numeric order",
                      folder.filename().string()));
    }
    std::vector<std::string> skipped;
    samples = from_class_folders(folder, classes, skipped);
    std::sort(skipped.begin(), skipped.end());
    warnings.push_back(skipped_text(skipped));
  } else {
    samples = from_table(folder, find("labels", "labels"));
  }
  warnings.push_back(orientation_text(samples));
  std::erase(warnings, "");
  const auto side = [&settings](const char* key) { return settings.find_integer(key).value_or(0); };
  return std::make_shared<ImageSet>(std::move(samples), std::move(classes),
                                    Framing{side("resize"), side("crop")}, std::move(files),
                                    std::move(warnings));
}

/// Folders of images, or a folder of images with a table of labels. The preparation of the images
/// on which a network was trained is not known; the guess for 3 colours is torchvision's usual one.
std::optional<SourceGuess> guess_images(const fs::path& path, const DataHints& hints) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return std::nullopt;
  bool found = false;
  std::vector<fs::path> tables;
  for (auto entry = fs::recursive_directory_iterator(path); entry != fs::end(entry); ++entry) {
    if (entry.depth() > 0) entry.disable_recursion_pending();
    found = found || (!entry->is_directory() && is_image_name(entry->path()));
    if (entry.depth() == 0 && entry->path().extension() == ".csv" && !entry->is_directory())
      tables.push_back(entry->path());
  }
  if (!found) return std::nullopt;
  const std::int64_t side = hints.side > 0 ? hints.side : 224;
  SettingValues result = {{"kind", "images"},
                          {"path", path.string()},
                          {"resize", side * 8 / 7},
                          {"crop", side},
                          {"batch_size", 32},
                          {"mean", std::vector<double>{0.485, 0.456, 0.406}},
                          {"std", std::vector<double>{0.229, 0.224, 0.225}}};
  std::sort(tables.begin(), tables.end());
  if (!tables.empty()) result.emplace_back("labels", tables.front().string());
  return settings_of(result);
}

}  // namespace

const SourceKind& source_kind_images() {
  static const SourceKind kind{
      .info = {.name = "images",
               .summary =
                   "JPEG, PNG and WebP files, decoded as they are needed to samples of 3 x H x W "
                   "(RGB) in [0, 1]; grey "
                   "and CMYK become RGB, the EXIF orientation is not applied",
               .fields = {{.name = "path",
                           .type = FieldType::path,
                           .doc = "the folder of the images; without 'labels' it holds one folder "
                                  "a class, whose sorted names are the classes 0, 1, ...; names "
                                  "that are all numbers are sorted as numbers"},
                          {.name = "labels",
                           .type = FieldType::path,
                           .doc = "a CSV file with the header file,label: names inside the folder, "
                                  "classes as integers; "
                                  "null: one folder a class",
                           .fallback = nullptr},
                          {.name = "resize",
                           .type = FieldType::integer,
                           .doc = "scale the shorter side to this many pixels, as torchvision's "
                                  "Resize; null: not",
                           .fallback = nullptr,
                           .minimum = 1,
                           .maximum = 65535},
                          {.name = "crop",
                           .type = FieldType::integer,
                           .doc = "then cut out the middle, this many pixels high and wide, as "
                                  "torchvision's CenterCrop; "
                                  "null: not",
                           .fallback = nullptr,
                           .minimum = 1,
                           .maximum = 65535}}},
      .open = open_images,
      .guess = guess_images};
  return kind;
}

}  // namespace descramble
