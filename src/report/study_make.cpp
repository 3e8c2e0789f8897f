#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/random.h"
#include "descramble/core/safetensors.h"
#include "descramble/plot/raster.h"
#include "descramble/report/study.h"
#include "report/answer_store.h"
#include "report/assets.h"
#include "report/html.h"
#include "report/page_text.h"
#include "report/record.h"
#include "report/study_key.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr double most_tau = 0.3;
constexpr std::int64_t fewest_points = 4;

/// Columns [S, k, C, h, w] side by side, the samples of one below each other.
Raster strip(const at::Tensor& columns) {
  return tiled(columns.transpose(0, 1).flatten(0, 1), columns.size(0), /*line=*/2);
}

std::vector<std::int64_t> shuffled(std::int64_t points, RandomStream& random) {
  for (;;) {
    std::vector<std::int64_t> order = random.permutation(points);
    if (std::abs(kendall_tau(order)) <= most_tau) return order;
  }
}

at::Tensor in_order(const at::Tensor& columns, const std::vector<std::int64_t>& order) {
  at::Tensor result = columns.clone();
  for (std::size_t i = 0; i < order.size(); ++i)
    result[static_cast<std::int64_t>(i)].copy_(columns[order[i]]);
  return result;
}

/// Grey patches that grow brighter from left to right, with a little noise: everybody sees it.
at::Tensor ramp(std::int64_t points, RandomStream& random) {
  at::Tensor columns = random.uniform_tensor({points, 3, 1, 32, 32}, -20, 20);
  for (std::int64_t s = 0; s < points; ++s)
    columns[s] += 30 + 195 * static_cast<double>(s) / static_cast<double>(points - 1);
  return columns.clamp(0, 255).to(at::kByte);
}

/// Makes questions, each with an id of its own for the page. Orders come from the seed. Ids come
/// from what the run has found, too, so that another study has others, and nobody can tell rows by
/// their ids who has not the run.
class Questions {
 public:
  Questions(const StudyOptions& options, const std::string& run)
      : random_(random_stream(options.seed, "study")),
        ids_(random_stream(options.seed, "study/" + run)) {
    key_.seed = options.seed;
    key_.study = id();
  }

  RandomStream& random() { return random_; }
  const StudyKey& key() const { return key_; }
  const json& shown() const { return shown_; }
  const json& practice() const { return practice_; }

  void add(StudyTrial trial, const at::Tensor& coherent, const at::Tensor& other) {
    trial.number = static_cast<std::int64_t>(shown_.size());
    shown_.push_back(question(trial, coherent, other));
    key_.trials.emplace(trial.id, trial);
  }

  /// The page tells the answer to a question for practice.
  void add_practice(const at::Tensor& coherent, const at::Tensor& other) {
    StudyTrial trial;
    json asked = question(trial, coherent, other);
    asked["coherent"] = trial.coherent;
    practice_.push_back(std::move(asked));
  }

 private:
  std::string id() { return fmt::format("{:016x}", ids_.bits()); }

  json question(StudyTrial& trial, const at::Tensor& coherent, const at::Tensor& other) {
    trial.id = id();
    trial.coherent = id();
    trial.other = id();
    json rows = json::array({{{"id", trial.coherent}, {"image", data_uri(strip(coherent))}},
                             {{"id", trial.other}, {"image", data_uri(strip(other))}}});
    // The order of the rows says nothing: ids are random.
    if (trial.other < trial.coherent) std::swap(rows[0], rows[1]);
    return {{"id", trial.id}, {"rows", std::move(rows)}};
  }

  RandomStream random_;
  RandomStream ids_;
  StudyKey key_{};
  json shown_ = json::array();
  json practice_ = json::array();
};

/// The pictures of a random basis of the same tap, as controls. @throws Error if there is none
at::Tensor random_shown(const json& tap, const NamedTensors& tensors, const std::string& prefix) {
  for (const json& basis : tap.at("bases")) {
    const std::string label = basis.at("label");
    if (label.starts_with("random"))
      return tensors.at(prefix + basis.at("shown").get<std::string>());
  }
  throw Error({"no random directions to compare with", tap.at("name").get<std::string>(),
               R"(a basis {"kind": "random"} in the step 'explore')", "none"});
}

void add_step(const json& step, const std::string& prefix, const NamedTensors& tensors,
              const StudyOptions& options, Questions& questions) {
  for (const json& tap : step.at("taps")) {
    at::Tensor controls;
    if (options.control == StudyControl::random) controls = random_shown(tap, tensors, prefix);
    for (const json& basis : tap.at("bases")) {
      const std::string label = basis.at("label");
      if (controls.defined() && label.starts_with("random")) continue;
      const at::Tensor shown = tensors.at(prefix + basis.at("shown").get<std::string>());
      if (shown.size(1) < fewest_points) {
        throw Error({"too few points to shuffle", tap.at("name").get<std::string>(),
                     fmt::format("at least {} on each direction", fewest_points),
                     fmt::format("{}", shown.size(1))});
      }
      for (std::int64_t i = 0; i < shown.size(0); ++i) {
        StudyTrial trial{
            .tap = tap.at("name"),
            .basis = label,
            .component = basis.at("directions")[static_cast<std::size_t>(i)]["component"]};
        if (controls.defined()) {
          questions.add(trial, shown[i], controls[i % controls.size(0)]);
          continue;
        }
        const std::vector<std::int64_t> order = shuffled(shown.size(1), questions.random());
        trial.tau = kendall_tau(order);
        questions.add(trial, shown[i], in_order(shown[i], order));
      }
    }
  }
}

bool is_study_key(const fs::path& file) {
  try {
    read_study_key(file.parent_path());
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// @throws Error if the study there has answers, which --force would remove
void check_unanswered(const fs::path& folder) {
  std::error_code ignored;
  std::string found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "answers", ignored))
    found = entry.path().filename().string();
  if (AnswerStore::is_in(folder)) {
    const AnswerStore store(folder, read_study_key(folder).study, AnswerStore::Access::read);
    if (store.answer_count() > 0) found = fmt::format("{} answers", store.answer_count());
  }
  if (!found.empty())
    throw Error({"a study with answers", folder.string(), "another folder to write", found});
}

std::string study_page(const Questions& questions) {
  const json data = {{"study", questions.key().study},
                     {"practice", questions.practice()},
                     {"trials", questions.shown()}};
  return html_page({.title = "Which strip shows a coherent transition?",
                    .kind = "study",
                    .body = "<main id='study'><noscript>This study needs JavaScript.</noscript>"
                            "</main>\n",
                    .data = data,
                    .scripts = {asset_study_script()},
                    .sends = true});
}

}  // namespace

std::int64_t make_study(const fs::path& run, const fs::path& out, const StudyOptions& options) {
  const Record record = open_records({run}).front();
  if (options.force && is_study_key(out / "key.json")) check_unanswered(out);
  AtomicFolder folder(out, {.force = options.force, .marker = "key.json", .is_ours = is_study_key});
  const NamedTensors tensors = load_safetensors(run / "tensors.safetensors");
  Questions questions(options, sha256_of_path(run / "result.json") +
                                   (options.control == StudyControl::random ? "/random" : ""));
  const json& steps = record.result["steps"];
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].value("kind", "") != "explore") continue;
    if (steps[i].value("images", false) != true) {
      throw Error({"nothing to see", fmt::format("/steps/{}", i), "an exploration of images",
                   "inputs that are no images"});
    }
    add_step(steps[i], fmt::format("steps.{}.", i), tensors, options, questions);
  }
  const auto count = static_cast<std::int64_t>(questions.key().trials.size());
  if (count == 0) throw Error({"nothing to ask", run.string(), "a step 'explore'", "none"});
  constexpr std::int64_t points = 7;
  for (int i = 0; i < 2; ++i) {
    const at::Tensor easy = ramp(points, questions.random());
    questions.add_practice(easy, in_order(easy, shuffled(points, questions.random())));
  }
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, count / 15); ++i) {
    const at::Tensor easy = ramp(points, questions.random());
    questions.add({.basis = attention_check, .component = i}, easy,
                  in_order(easy, shuffled(points, questions.random())));
  }
  write_file(folder.path() / "index.html", study_page(questions));
  write_file(folder.path() / "key.json", study_key_text(questions.key()));
  fs::create_directory(folder.path() / "answers");
  folder.commit();
  return static_cast<std::int64_t>(questions.key().trials.size());
}

}  // namespace descramble
