#include "descramble/cli/run.h"

#include <algorithm>
#include <iostream>
#include <new>
#include <set>

#include <CLI/CLI.hpp>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/version.h>
#include <unistd.h>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/version.h"

namespace descramble {

namespace {

constexpr int wrong_use = 2;
constexpr const char* input_help =
    "[NAME=]SHAPE[:DTYPE[=VALUES]] for a tensor, for example 1,3,224,224 or "
    "lengths=3:int64=5,4,2; [NAME=]VALUE for another argument, for example sr=16000; one for "
    "each; runs the model once";

Progress::Style style_for(const std::ostream& out, bool quiet) {
  if (quiet) return Progress::Style::quiet;
  return &out == &std::cout && ::isatty(STDOUT_FILENO) != 0 ? Progress::Style::bar
                                                            : Progress::Style::lines;
}

/// CLI11's message says what and where; ours is one line with a pointer to the help.
int refuse(const CLI::ParseError& error, std::ostream& err) {
  err << "descramble: " << first_line(error.what()) << " (see descramble --help)\n";
  return wrong_use;
}

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("config", options.config, "the config, a JSON file")->required();
  command.add_option("--out", options.out, "the result folder, which must not exist yet")
      ->required();
  command
      .add_option("--set", options.assignments,
                  "POINTER=VALUE, for example --set /seed=2; may be repeated")
      ->expected(1)
      ->take_all();
  command.add_flag("--force", options.force, "replace an earlier result folder");
  command.add_flag("--quiet", options.quiet, "print nothing but errors");
}

/// Each warning of LibTorch (most are deprecations) is printed once, among the messages of a run;
/// stderr is for errors, and JSON on stdout stays JSON.
class LibtorchWarnings final : public c10::WarningHandler {
 public:
#if TORCH_VERSION_MAJOR >= 2
  using Guard = c10::WarningUtils::WarningHandlerGuard;
  void process(const c10::Warning& warning) override {
    take(warning.msg());
  }
#else
  using Guard = c10::Warning::WarningHandlerGuard;
  void process(const c10::SourceLocation&, const std::string& text, bool) override {
    take(text);
  }
#endif
  void tell(Progress& progress) {
    progress_ = &progress;
  }

 private:
  void take(const std::string& text) {
    const std::string line = first_line(text);
    if (progress_ != nullptr && told_.insert(line).second)
      progress_->say(fmt::format("{:<18}LibTorch: {}", "warning", line));
  }

  Progress* progress_ = nullptr;
  std::set<std::string> told_{};
};

/// The command line: every subcommand with what it is given.
struct CommandLine {
  CLI::App app{"Finds the rotation that makes a layer of a trained network readable.",
               "descramble"};
  TapsOptions taps{};
  InitOptions init{};
  RunOptions check{};
  RunOptions experiment{};
  RunOptions training{};
  std::filesystem::path folder{};
  std::filesystem::path original{};
  DataOptions data{};
  bool data_quiet = false;
  ShowOptions show{};
  CompareOptions compare{};
  ReportOptions report{};
  StudyMakeOptions study{};
  StudyServeOptions study_serve{};
  StudyScoreOptions study_score{};
  CLI::App* study_app = nullptr;
  std::string kind{};
  bool as_schema = false;
  std::string shell{};

  CommandLine() {
    app.set_version_flag("--version",
                         fmt::format("descramble {} (LibTorch {})", version(), libtorch_version()));
    app.require_subcommand(1);
    add_model_commands();
    add_experiment_commands();
    add_data_command();
    CLI::App& kinds = add("kinds",
                          "List what may stand in a config: models, data, steps, objectives, "
                          "solvers");
    kinds.add_option("name", kind, "one kind, with its fields");
    kinds.add_flag("--schema", as_schema, "the JSON Schema of a config");
    add("completion", "Print a script that completes this command's words in a shell")
        .add_option("shell", shell, "the shell")
        ->required()
        ->check(CLI::IsMember({"bash", "fish", "zsh"}));
    add("man", "Print the page of the manual, for man -l -");
    app.footer(
        "Exit codes: 0 done, 1 a failure while running, 2 wrong use, 130 interrupted (nothing was "
        "written).");
  }

  bool parsed(const std::string& command) const { return app.got_subcommand(command); }
  bool quiet() const { return experiment.quiet || training.quiet || data_quiet; }

 private:
  /// CLI11 takes −1 for the largest number.
  static std::string is_seed(const std::string& text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    // 2⁶⁴ − 1 has twenty digits.
    const bool fits = text.size() < 20 || (text.size() == 20 && text <= "18446744073709551615");
    return digits && fits ? std::string()
                          : "expected an integer from 0 to 2^64 - 1, found '" + text + "'";
  }

  CLI::App& add(const std::string& name, const std::string& what) {
    return *app.add_subcommand(name, what);
  }

  void add_model_commands() {
    CLI::App& taps_app = add("taps", "List the tap points of a TorchScript model");
    taps_app.add_option("model", taps.model, "a TorchScript archive")->required();
    taps_app.add_option("--input", taps.inputs, input_help)->expected(1)->take_all();
    taps_app.add_option("--method", taps.method, "the method that runs")->capture_default_str();
    taps_app.add_flag("--json", taps.as_json, "as JSON");

    CLI::App& init_app = add("init", "Print a config to start from, for a model of your own");
    init_app.add_option("model", init.model, "a TorchScript archive")->required();
    init_app.add_option(
        "--data", init.data,
        "a safetensors file, a folder of images, IDX files or a CSV file of digits");
    init_app.add_option("--input", init.inputs, input_help)->expected(1)->take_all();
    init_app.add_option("--method", init.method, "the method that runs")->capture_default_str();
  }

  void add_experiment_commands() {
    CLI::App& check_app = add("check", "Check a config and print it with every default");
    check_app.add_option("config", check.config, "the config, a JSON file")->required();
    check_app.add_option("--set", check.assignments, "POINTER=VALUE; may be repeated")
        ->expected(1)
        ->take_all();

    add_run_options(add("run", "Run an experiment and write its result folder"), experiment);
    add_run_options(add("train", "Train a small reference network"), training);

    CLI::App& verify_app = add("verify", "Recompute what a result folder certifies");
    verify_app.add_option("folder", folder, "a result folder")->required();
    verify_app.add_option("--model", original,
                          "the original model, if it is not where the config named it");

    CLI::App& show_app = add("show", "Draw a tensor of a result folder or a safetensors file");
    show_app.add_option("file", show.file, "a result folder or a safetensors file")->required();
    show_app.add_option("name", show.name, "the tensor; without it all are listed");
    show_app.add_option("--out", show.out, "the picture to write, an SVG file");
    show_app.add_flag("--force", show.force, "replace the picture");

    CLI::App& compare_app =
        add("compare", "Compare a number that steps 'read' of several runs give");
    compare_app.add_option("folders", compare.folders, "result folders")->required();
    compare_app.add_option("--answer", compare.answer, "the number; without it all are listed");
    compare_app.add_option("--out", compare.out, "a picture to write, an SVG file");
    compare_app.add_flag("--force", compare.force, "replace the picture");

    CLI::App& report_app = add("report", "Write one page about result folders, for a browser");
    report_app.add_option("folders", report.folders, "result folders")->required();
    report_app.add_option("--out", report.out, "the page to write, an HTML file")->required();
    report_app.add_flag("--force", report.force, "replace the page");
    add_study_commands();
  }

  void add_study_commands() {
    study_app = &add("study", "Ask people what they see in explored directions of images");
    study_app->require_subcommand(1);
    CLI::App* make = study_app->add_subcommand("make", "Make the page of a study from a run");
    make->add_option("run", study.run, "a result folder with a step 'explore'")->required();
    make->add_option("--out", study.out, "the folder to write, which must not exist yet")
        ->required();
    make->add_option("--control", study.control,
                     "the other row: the same points shuffled, or a random direction in order")
        ->check(CLI::IsMember({"shuffled", "random"}))
        ->capture_default_str();
    make->add_option("--seed", study.seed, "seed")->check(is_seed)->capture_default_str();
    make->add_flag("--force", study.force, "replace a folder that this command wrote");
    CLI::App* serve =
        study_app->add_subcommand("serve", "Serve the page of a study and take its answers");
    serve->add_option("folder", study_serve.folder, "the folder that 'make' wrote")->required();
    serve->add_option("--port", study_serve.port, "the port; 0: any free one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    serve
        ->add_option("--address", study_serve.address,
                     "the address to listen at; the default one is reached from this machine alone")
        ->capture_default_str();
    serve->add_option("--host", study_serve.host,
                      "NAME or NAME:PORT that the link has, where it is not the address");
    CLI::App* score = study_app->add_subcommand("score", "Score the answers of a study");
    score->add_option("folder", study_score.folder, "the folder that 'make' wrote")->required();
    score
        ->add_option("--exclude", study_score.excluded,
                     "a participant whose answers do not count; may be repeated")
        ->expected(1)
        ->take_all();
  }

  void add_data_command() {
    CLI::App& data_app = add("data", "Write a generated data set");
    data_app
        .add_option("name", data.kind,
                    "its kind: glyphs, deer, biexponential, bandpass, linear, oscillation")
        ->required();
    data_app.add_option("--out", data.out, "the folder to write, which must not exist yet")
        ->required();
    data_app.add_option("--train", data.train, "training samples")
        ->check(CLI::Range(1, 10000000))
        ->capture_default_str();
    data_app.add_option("--test", data.test, "test samples")
        ->check(CLI::Range(1, 10000000))
        ->capture_default_str();
    data_app.add_option("--seed", data.seed, "seed")->check(is_seed)->capture_default_str();
    data_app
        .add_option("--set", data.assignments,
                    "POINTER=VALUE for a field of the kind, for example --set /noise=0; may be "
                    "repeated")
        ->expected(1)
        ->take_all();
    data_app.add_flag("--force", data.force, "replace an earlier folder of this command");
    data_app.add_flag("--quiet", data_quiet, "print nothing but errors");
  }
};

/// The command at that place, and the one behind it where it has commands of its own.
/// @throws Error for one that does not exist
void require_known(const CLI::App& app, const std::vector<std::string>& args, std::size_t place) {
  if (place >= args.size() || args[place].starts_with("-")) return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
    if (command->get_name() != args[place]) continue;
    if (!command->get_subcommands({}).empty()) require_known(*command, args, place + 1);
    return;
  }
  throw Error({"unknown command", place == 0 ? "" : "descramble " + args[place - 1],
               "one of " + quoted_list(names), "'" + args[place] + "'"});
}

int dispatch(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  CommandLine line;
  CLI::App& app = line.app;
  require_known(app, args, 0);
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    out << (chosen.empty() ? app.help() : chosen.front()->help("descramble"));
    return 0;
  } catch (const CLI::CallForVersion& call) {
    out << call.what() << '\n';
    return 0;
  } catch (const CLI::ParseError& error) {
    return refuse(error, err);
  }

  if (line.parsed("man")) {
    out << manual_page(command_tree(app));
    return 0;
  }
  if (line.parsed("completion")) {
    const CommandNode program = command_tree(app);
    out << (line.shell == "bash"   ? bash_completion(program)
            : line.shell == "fish" ? fish_completion(program)
                                   : zsh_completion(program));
    return 0;
  }

  LibtorchWarnings warnings;
  const LibtorchWarnings::Guard handler(&warnings);
  if (line.parsed("taps")) return list_command(line.taps, out);
  if (line.parsed("init")) return init_command(line.init, out, err);
  if (line.parsed("check")) return check_command(line.check, out);
  if (line.parsed("verify")) return verify_command(line.folder, line.original, out, err);
  if (line.parsed("show")) return show_command(line.show, out);
  if (line.parsed("study")) {
    if (line.study_app->got_subcommand("make")) return study_make_command(line.study, out);
    if (line.study_app->got_subcommand("serve"))
      return study_serve_command(line.study_serve, out, err);
    return study_score_command(line.study_score, out);
  }
  if (line.parsed("report")) return report_command(line.report, out);
  if (line.parsed("compare")) return compare_command(line.compare, out);
  if (line.parsed("kinds")) return kinds_command(line.kind, line.as_schema, out);
  const InterruptScope interrupts;
  Progress progress(out, style_for(out, line.quiet()));
  warnings.tell(progress);
  if (line.parsed("run")) return run_command(line.experiment, progress);
  if (line.parsed("train")) return train_command(line.training, progress);
  return data_command(line.data, progress);
}

}  // namespace

int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  const auto say = [&err](const std::string& line) {
    err << "descramble: " << printable(line) << '\n';
  };
  try {
    return dispatch(args, out, err);
  } catch (const Error& error) {
    say(error.what());
    return wrong_use;
  } catch (const Failure& failure) {
    say(failure.what());
    return 1;
  } catch (const Interrupted&) {
    say("interrupted: nothing was written");
    return 130;
  } catch (const std::bad_alloc&) {
    say("out of memory");
    return 1;
  } catch (const std::exception& error) {
    const std::string line = first_line(error.what());
    // LibTorch's allocators, for the CPU and for a GPU, report it with different messages.
    const bool memory = line.find("can't allocate memory") != std::string::npos ||
                        line.find("out of memory") != std::string::npos;
    say(memory ? "out of memory" : line);
    return 1;
  }
}

}  // namespace descramble
