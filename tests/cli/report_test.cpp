// The page about result folders: complete, escaped, and refused where a folder is no result.

#include <fmt/format.h>

#include "cli/command.h"
#include "descramble/core/files.h"

namespace descramble::test {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Report : public CommandTest {
 protected:
  /// A run with a step of most kinds; the result is at `name`.
  void make(const std::string& name, int count = 120) {
    const json config = {
        {"name", name},
        {"threads", 1},
        {"model", {{"kind", "torchscript"}, {"path", source("models/glyph_mlp.pt").string()}}},
        {"data", {{"kind", "glyphs"}, {"count", count}}},
        {"steps",
         {{{"kind", "evaluate"}},
          {{"kind", "descramble"}, {"tap", "fc1"}, {"objective", {{"kind", "smoothness"}}}},
          {{"kind", "completeness"},
           {"taps", "fc2"},
           {"bases", {{{"kind", "pca"}}, {{"kind", "neurons"}}}},
           {"grid", {{"kind", "linear"}, {"points", 4}}}},
          {{"kind", "jacobian"}, {"from", "fc1"}, {"to", "fc2"}, {"samples", 20}},
          {{"kind", "explore"}, {"taps", "fc3"}, {"directions", 2}},
          {{"kind", "read"},
           {"matrix", {{"kind", "weight"}, {"layer", "fc1"}, {"left", 1}}},
           {"controls", "raw"},
           {"readings", {{{"kind", "spectrum"}}}}}}}};
    const Outcome outcome = run_config(config, {"--force"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    fs::rename(at("out"), at(name));
  }

  /// Another content of a file, with its hash, as if the run had written it.
  void rewrite(const std::string& folder, const std::string& file, const std::string& content) {
    write(at(folder) / file, content);
    json result = json::parse(read(at(folder) / "result.json"));
    for (json& one : result["files"]) {
      if (one["path"] == file) one["sha256"] = sha256_of_path(at(folder) / file);
    }
    write(at(folder) / "result.json", result.dump());
  }

  std::string page(std::vector<std::string> folders) {
    folders.insert(folders.begin(), "report");
    for (std::size_t i = 1; i < folders.size(); ++i) folders[i] = at(folders[i]).string();
    folders.insert(folders.end(), {"--out", at("page.html").string(), "--force"});
    const Outcome outcome = command(folders);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? read(at("page.html")) : "";
  }
};

TEST_F(Report, TellsWhatTheFolderHolds) {
  make("one");
  const std::string text = page({"one"});
  const json result = json::parse(read(at("one/result.json")));
  EXPECT_THAT(text, HasSubstr("default-src 'none'"));
  EXPECT_THAT(text, HasSubstr("MiB of memory"));
  EXPECT_THAT(text, HasSubstr("The function stayed the same"));
  EXPECT_THAT(text, HasSubstr(fmt::format("{:.6g}",
                                          result["steps"][1]["objective"]["after"].get<double>())));
  EXPECT_THAT(text, HasSubstr("Weights at fc1 as trained and descrambled"));
  EXPECT_THAT(text, HasSubstr("download='curves.csv'"));
  // The exploration stands before every other step.
  EXPECT_LT(text.find("id='run-0-step-4'"), text.find("id='run-0-step-0'"));
  for (int step = 0; step < 6; ++step)
    EXPECT_THAT(text, HasSubstr(fmt::format("id='run-0-step-{}'", step)));
  EXPECT_THAT(text, Not(HasSubstr("fields differ")));
  EXPECT_EQ(page({"one"}), text) << "same folders, same bytes";
}

TEST_F(Report, DrawsTheNetworkAndTellsOfEachLayer) {
  make("one");
  const std::string text = page({"one"});
  const json network = json::parse(read(at("one/result.json")))["network"];
  ASSERT_EQ(network.size(), 8U);
  const std::size_t map = text.find("aria-label='Map of the network");
  ASSERT_NE(map, std::string::npos);
  for (const json& point : network)
    EXPECT_NE(text.find(">" + point["name"].get<std::string>() + "<", map), std::string::npos);
  // fc1, fc2 and fc3 are points 2, 4 and 6; steps name them, and no others.
  for (int point = 0; point < 8; ++point) {
    const std::string link = fmt::format("href='#run-0-layer-{}'", point);
    const bool named = point == 2 || point == 4 || point == 6;
    EXPECT_EQ(text.find(link) != std::string::npos, named) << point;
    EXPECT_EQ(text.find(fmt::format("id='run-0-layer-{}'", point)) != std::string::npos, named);
  }
  EXPECT_THAT(text, HasSubstr("fc2: completeness, jacobian</summary>"));
}

TEST_F(Report, HasTheNumbersOfEachFigure) {
  make("one");
  const std::string text = page({"one"});
  const json figures = json::parse(read(at("one/figures.json")))["figures"];
  std::size_t svgs = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(at("one"))) {
    if (entry.path().extension() != ".svg") continue;
    ++svgs;
    const std::string name = entry.path().stem().string();
    EXPECT_TRUE(figures.contains(name)) << name;
    EXPECT_THAT(text, HasSubstr("\"name\":\"" + name + "\""));
  }
  EXPECT_EQ(figures.size(), svgs);
  // The pair of weights is drawn by the report itself, from the tensors.
  EXPECT_THAT(text, HasSubstr("\"name\":\"steps.1.fc1.weights\""));
  EXPECT_THAT(text, HasSubstr(fmt::format("data-figure='{}'", svgs)));
}

TEST_F(Report, RefusesDamagedNumbers) {
  make("one");
  const std::string kept = read(at("one/result.json"));
  const json figures = json::parse(read(at("one/figures.json")));
  const auto is_refused = [&](const std::string& what) {
    SCOPED_TRACE(what);
    const Outcome outcome =
        command({"report", at("one").string(), "--out", at("new.html").string()});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(at("one").string()));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(at("new.html")));
    write(at("one/result.json"), kept);
  };
  const auto refused_figure = [&](const std::string& name, const json& patch) {
    json damaged = figures;
    damaged["figures"][name].merge_patch(patch);
    rewrite("one", "figures.json", damaged.dump());
    is_refused(name + " " + patch.dump());
  };
  const json panel = figures["figures"]["steps.3.jacobian_mean"]["panels"][0];
  const auto refused_panel = [&](const json& patch) {
    json damaged = panel;
    damaged.merge_patch(patch);
    refused_figure("steps.3.jacobian_mean", {{"panels", {damaged}}});
  };
  for (const json& rows : {json(1000000000), json(-1), json(0), json(1e18), json("a"), json()})
    refused_panel({{"rows", rows}});
  refused_panel({{"rows", 1000000000000000000}, {"columns", 0}, {"values", ""}});
  refused_panel({{"values", "no numbers"}});
  refused_panel({{"place", nullptr}});
  refused_panel({{"of", {1}}});
  refused_panel({{"x_range", {1, 2, 3}}});
  const std::string curves = "steps.2.fc2.accuracy";
  json series = figures["figures"][curves]["series"][0];
  for (const json& patch :
       {json{{"low", json::array()}}, json{{"high", nullptr}}, json{{"y", {1}}},
        json{{"x", nullptr}}, json{{"label", 7}}, json{{"colour", -1}}, json{{"x", {"a"}}}}) {
    json damaged = series;
    damaged.merge_patch(patch);
    refused_figure(curves, {{"series", {damaged}}});
  }
  refused_figure(curves, {{"kind", "other"}});
  refused_figure(curves, {{"references", {{{"label", 1}}}}});
  const std::string strips = "steps.4.fc3.pca";
  refused_figure(strips, {{"tops", {1}}});
  refused_figure(strips, {{"lefts", {1}}});
  for (const char* text : {"{", "[]", "null", "7", R"({"figures": 7})"}) {
    rewrite("one", "figures.json", text);
    is_refused(text);
  }
  rewrite("one", "figures.json", figures.dump());
  const json result = json::parse(kept);
  for (const auto& [key, value] : {std::pair{"network", json{1, 2}},
                                   {"files", json{json::object()}},
                                   {"files", json(5)},
                                   {"steps", json{1}}}) {
    json damaged = result;
    damaged[key] = value;
    write(at("one/result.json"), damaged.dump());
    is_refused(std::string(key) + value.dump());
  }
  json damaged = result;
  damaged["steps"][2]["taps"] = 5;
  write(at("one/result.json"), damaged.dump());
  is_refused("taps");
}

TEST_F(Report, ReplacesItsOwnPagesAlone) {
  make("one");
  page({"one"});
  page({"one"});
  write(at("page.html"), "<html>a page of somebody's own</html>");
  const Outcome outcome =
      command({"report", at("one").string(), "--out", at("page.html").string(), "--force"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("another file is there"));
  EXPECT_EQ(read(at("page.html")), "<html>a page of somebody's own</html>");
}

TEST_F(Report, ComparesRuns) {
  make("one");
  make("two", 130);
  const std::string text = page({"one", "two"});
  EXPECT_THAT(text, HasSubstr("/data/count"));
  EXPECT_THAT(text, HasSubstr("2 fields differ between the configs"));
  const json one = json::parse(read(at("one/result.json")));
  const json two = json::parse(read(at("two/result.json")));
  const auto loss = [](const json& result) {
    return fmt::format("<td class='number'>{:.6g}</td>", result["steps"][0]["loss"].get<double>());
  };
  ASSERT_NE(loss(one), loss(two));
  EXPECT_THAT(text, HasSubstr("<td>evaluate, loss</td>" + loss(one) + loss(two)));
  EXPECT_THAT(text, HasSubstr("<td>completeness, fc2, pca, descending, area</td>"));
  EXPECT_THAT(text, Not(HasSubstr("of different models")));
}

// Names in a result are a stranger's text.
TEST_F(Report, TakesNoTextForHtml) {
  make("one");
  const std::string nasty = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"";
  json result = json::parse(read(at("one/result.json")));
  result["name"] = nasty;
  result["steps"][1]["taps"][0]["name"] = nasty;
  result["steps"][1]["warnings"] = {nasty};
  result["config"]["name"] = nasty;
  result["inputs"][0]["path"] = nasty;
  write(at("one/result.json"), result.dump());
  std::string curves = read(at("one/curves.csv"));
  curves.replace(curves.find("fc2"), 3, "</script><script>alert(3)</script>");
  rewrite("one", "curves.csv", curves);
  const std::string text = page({"one"});
  EXPECT_THAT(text, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(text, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(text, HasSubstr("&lt;script&gt;alert(1)"));
}

TEST_F(Report, RefusesWhatIsNoResult) {
  make("one");
  const auto refused = [&](std::vector<std::string> args, const std::string& what) {
    args.insert(args.begin(), "report");
    const Outcome outcome = command(args);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(at("new.html")));
  };
  const std::string one = at("one").string();
  const std::string out = at("new.html").string();
  refused({at("none").string(), "--out", out}, "not a result folder");
  refused({"", "--out", out}, "no result folder");
  refused({one, one, "--out", out}, "named twice");
  refused({one, "--out", at("new.txt").string()}, ".html");
  refused({one, "--out", at("no/new.html").string()}, "no such folder");
  write(at("kept.html"), "mine");
  refused({one, "--out", at("kept.html").string()}, "--force");
  EXPECT_EQ(read(at("kept.html")), "mine");
  json result = json::parse(read(at("one/result.json")));
  result["schema_version"] = 99;
  write(at("one/result.json"), result.dump());
  refused({one, "--out", out}, "another version");
  write(at("one/result.json"), "[]");
  refused({one, "--out", out}, "not the result of a run");
}

// What is gone is told at its place; the rest is shown.
TEST_F(Report, ShowsTheRestWhereFilesAreGone) {
  make("one");
  EXPECT_THAT(page({"one"}), Not(HasSubstr("not found from here")));
  json result = json::parse(read(at("one/result.json")));
  result["inputs"][0]["path"] = at("gone.pt").string();
  write(at("one/result.json"), result.dump());
  fs::remove(at("one/curves.csv"));
  fs::remove(at("one/tensors.safetensors"));
  const std::string text = page({"one"});
  EXPECT_THAT(text, HasSubstr("gone.pt"));
  EXPECT_THAT(text, HasSubstr(", not found from here"));
  EXPECT_THAT(text, HasSubstr("Missing: curves.csv"));
  EXPECT_THAT(text, HasSubstr("Missing: tensors.safetensors"));
  EXPECT_THAT(text, HasSubstr("id='run-0-step-4'"));
  // A file that is not what the run wrote is none of its results.
  write(at("one/steps.2.fc2.accuracy.svg"), "no picture");
  const std::string changed = page({"one"});
  EXPECT_THAT(changed, HasSubstr("Changed: steps.2.fc2.accuracy.svg"));
  EXPECT_THAT(changed, Not(HasSubstr("no picture")));
}

}  // namespace

}  // namespace descramble::test
