#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "app/app.hpp"
#include "app/version.hpp"
#include "core/machine_refusal.hpp"
#include "data/settings.hpp"

namespace invaria::app {
namespace {

constexpr const char* kDescription =
    "Invaria: a benchmark of amortised invariance learning for contrastive self-supervision (arXiv:2302.12712).\n"
    "Pretrains encoders over MPI ranks, sweeps downstream tasks, logs learned invariances and accuracies to HDF5.\n\n"
    "  mpirun -n 2 invaria run suites/quickstart.json --output results/quickstart\n"
    "  invaria report results/quickstart";

constexpr const char* kExitCodes =
    "Exit codes: 0 all jobs finished, 1 some job failed (verify: INVALID; compare: a regression), 2 the input is "
    "wrong, 3 the machine "
    "refused, 4 a bug,\n"
    "75 stopped on request: the same command continues.";

std::vector<std::string> resize_names() {
  std::vector<std::string> names;
  for (const auto& [mode, name] : config::EnumNames<data::ResizeMode>::kNames) names.emplace_back(name);
  return names;
}

/// The folders of INVARIA_DATA, behind those of --data.
void add_environment_folders(std::vector<std::filesystem::path>& folders) {
  const char* variable = std::getenv("INVARIA_DATA");
  if (variable == nullptr) return;
  std::string rest = variable;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    if (colon != 0) folders.emplace_back(rest.substr(0, colon));
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
}

void add_data_option(CLI::App& command, std::vector<std::filesystem::path>& folders) {
  command
      .add_option("--data", folders,
                  "folder that holds a folder, tar or zip per data set, named as in its manifest; also INVARIA_DATA, "
                  "colon-separated")
      ->allow_extra_args(false);
}

void add_suite_options(CLI::App& command, SuiteOptions& options) {
  command.add_option("suite", options.suite, "suite file (JSON); `invaria schema` describes it")->required();
  add_data_option(command, options.data_folders);
  command
      .add_option("--set", options.overrides,
                  "json.path=value: override one setting, e.g. --set repeats=1 --set encoders.0.pretraining.steps=80")
      ->allow_extra_args(false);
}

void add_encoder_options(CLI::App& command, EncoderOptions& options) {
  command.add_option("results", options.results, "directory of a run, or its results.h5")->required();
  command.add_option("--encoder", options.encoder, "name of an encoder in the suite")->required();
  command.add_option("--encoder-seed", options.seed, "its seed, if it was pretrained with several; else the first");
  command.add_option("--invariance", options.invariance,
                     "the i of a conditioned encoder, in the order of the axes, e.g. 1,0");
  command
      .add_option("--statistics", options.bn_statistics,
                  "BatchNorm statistics: as-swept (as the run's sweep read them), running, or re-estimated at i on the "
                  "pretraining samples")
      ->check(CLI::IsMember({"as-swept", "running", "re-estimated"}))
      ->capture_default_str();
  add_data_option(command, options.data_folders);
}

void add_watchdog_option(CLI::App& app, double& limit_s) {
  app.add_option(
         "--watchdog", limit_s,
         "seconds after which a rank that is silent, or late where others wait, is named and all stop with exit "
         "75, resumable; 0: never")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
}

void add_device_option(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "cpu, cuda, or auto: a GPU if there is one")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
}

/// `data` and its own subcommands.
struct DataCommand {
  DataOptions options;
  CLI::App* list = nullptr;
  CLI::App* verify = nullptr;
  CLI::App* pack = nullptr;

  void add_to(CLI::App& program) {
    CLI::App* data = program.add_subcommand("data", "the data sets that are known: list, verify and pack them");
    data->require_subcommand(1);
    list = data->add_subcommand("list", "all data sets, where they were found, and how to get the others");
    verify = data->add_subcommand(
        "verify", "decode every file, compare counts and checksums, read every pack; prints VALID or INVALID");
    pack = data->add_subcommand("pack", "write a data set into one file a split, which loading then uses in its place");
    for (CLI::App* command : {list, verify, pack}) add_data_option(*command, options.folders);
    for (CLI::App* command : {verify, pack}) command->add_option("name", options.name, "the data set")->required();
    pack->add_option("--output", options.output, "folder for <name>.pack; else the first of --data");
    pack->add_option("--pixels", options.pixels,
                     "decoded pictures of this side, for suites of that `size`; else the files as they are, for any")
        ->check(CLI::Range(4, 1024));
    pack->add_option("--resize", options.resize, "with --pixels: the `resize` of those suites")
        ->check(CLI::IsMember(resize_names()))
        ->capture_default_str();
  }

  ExitCode run() const {
    if (list->parsed()) return data_list_command(options);
    if (verify->parsed()) return data_verify_command(options);
    return data_pack_command(options);
  }
};

/// Print an error the way the terminal and the batch log want it: what, then nothing else.
ExitCode guarded(const std::function<ExitCode()>& command) {
  try {
    return command();
  } catch (const ConfigError& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return ExitCode::kConfig;
  } catch (const EnvironmentError& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return ExitCode::kEnvironment;
  } catch (const std::exception& error) {
    if (const std::string refusal = machine_refusal(error); !refusal.empty()) {
      fmt::print(stderr, "error: {}\n", refusal);
      return ExitCode::kEnvironment;
    }
    fmt::print(stderr, "internal error: {}\nThis is a bug; please report it with the command and the suite.\n",
               error.what());
    return ExitCode::kPrecondition;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{kDescription};
  program.footer(kExitCodes);
  program.require_subcommand(1);
  program.set_version_flag("--version", [] { return version_text(); });

  RunOptions run;
  CLI::App* run_app = program.add_subcommand(
      "run", "pretrain and sweep a suite, alone or under mpirun or srun; continues where an earlier run stopped");
  add_suite_options(*run_app, run.suite);
  add_device_option(*run_app, run.device);
  run_app->add_option("--output", run.output, "directory of the run; made if missing")->required();
  run_app
      ->add_option("--stop-after", run.stop_after_s,
                   "seconds after which to stop as on a signal: checkpoint, exit 75, resumable")
      ->check(CLI::Range(1e-3, 1e9));
  add_watchdog_option(*run_app, run.watchdog_s);
  run_app->add_option("--stage", run.stage, "what to do: pretrain every encoder, sweep with pretrained ones, or all")
      ->check(CLI::IsMember({"all", "pretrain", "sweep"}))
      ->capture_default_str();
  run_app
      ->add_option("--share", run.share,
                   "with --stage sweep: only share K of N, beside the others' runs in the same directory; a last "
                   "--stage sweep without it merges")
      ->option_text("K/N");

  CheckOptions check;
  CLI::App* check_app =
      program.add_subcommand("check", "find everything that is wrong with a suite and its data before any work");
  add_suite_options(*check_app, check.suite);
  CLI::Option* decode = check_app->add_flag("--decode", check.decode, "decode every file too");
  check_app
      ->add_flag("--without-data", check.without_data,
                 "look for no data: what the manifests say of them is believed, before anything is downloaded")
      ->excludes(decode);

  PlanOptions plan;
  CLI::App* plan_app =
      program.add_subcommand("plan", "what a run will do: encoders, jobs, memory, and time on this machine");
  add_suite_options(*plan_app, plan.suite);
  add_device_option(*plan_app, plan.device);
  plan_app
      ->add_option("--ranks", plan.ranks, "ranks to plan for, where plan runs alone; under mpirun, the ranks there are")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  plan_app->add_flag("--without-data", plan.without_data,
                     "look for no data: count samples and classes as the manifests do, before anything is downloaded");
  plan_app->add_flag("--json", plan.json, "print one JSON object, for programs");
  plan_app->add_flag(
      "--scaling", plan.scaling,
      "also what a pretraining step takes on 8 to 1,024 ranks: what it computes is measured here, on one "
      "rank, what it says to others follows from latency and bandwidth");
  plan_app->add_option("--latency", plan.latency_us, "of a message between ranks, in microseconds (--scaling)")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  plan_app->add_option("--bandwidth", plan.bandwidth_GBs, "of each rank's link, in GB/s (--scaling)")
      ->check(CLI::Range(1e-3, 1e5))
      ->capture_default_str();

  ReportOptions report;
  CLI::App* report_app = program.add_subcommand(
      "report", "the tables of one or several runs, merged by suite: printed, or written as a page or as files");
  report_app->add_option("results", report.results, "directories of runs, or their results.h5")->required();
  report_app->add_option("--html", report.html, "write one page with tables and charts; needs no network")
      ->option_text("FILE");
  report_app->add_option("--markdown", report.markdown, "write the tables as Markdown")->option_text("FILE");
  report_app->add_option("--latex", report.latex, "write the tables as LaTeX floats, for the package booktabs")
      ->option_text("FILE");
  report_app->add_option("--csv", report.csv, "write each table as DIR/<table>.csv")->option_text("DIR");
  report_app->add_option("--tensorboard", report.tensorboard, "write curves as TensorBoard event files")
      ->option_text("DIR");

  CompareOptions compare;
  CLI::App* compare_app = program.add_subcommand(
      "compare", "two runs paired by job: differences with intervals and permutation tests; exit 1 on a regression");
  compare_app->add_option("A", compare.before, "directory of a run, or its results.h5: what was")->required();
  compare_app->add_option("B", compare.after, "the same: what is")->required();
  compare_app
      ->add_option("--threshold", compare.threshold,
                   "a mean loss of more test points (percent) on a task is a regression")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();

  WatchOptions watch;
  CLI::App* watch_app = program.add_subcommand(
      "watch",
      "how far a run is, from its files, until it ends; exits with the run's "
      "code. A run that was killed has no end: it waits for the next. Of a chain of batch jobs it waits for "
      "the first, and for the next after a stop. Ctrl-C leaves the run alone");
  watch_app->add_option("output", watch.output, "directory of the run")->required();
  watch_app->add_option("--every", watch.every_s, "seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  watch_app->add_flag("--once", watch.once, "look once and leave with 0 if the run goes on");

  MeasureOptions measure;
  CLI::App* measure_app = program.add_subcommand(
      "measure",
      "how alike an encoder's features stay under known transformations of pictures, at corners and along i; adds "
      "/invariance to a run's results; alone or under mpirun or srun");
  measure_app->add_option("output", measure.output, "directory of a finished run")->required();
  add_data_option(*measure_app, measure.data_folders);
  add_device_option(*measure_app, measure.device);
  add_watchdog_option(*measure_app, measure.watchdog_s);
  measure_app
      ->add_option("--set", measure.overrides,
                   "key=value: override a setting of the suite's section measure, e.g. --set images=200")
      ->allow_extra_args(false);

  VerifyOptions verify;
  CLI::App* verify_app = program.add_subcommand(
      "verify", "recompute job ids, summary, split and checkpoint hashes; prints VALID or INVALID: why");
  verify_app->add_option("results", verify.results, "directory of a run, or its results.h5")->required();
  add_data_option(*verify_app, verify.data_folders);

  std::filesystem::path doctor_output = ".";
  std::vector<std::filesystem::path> doctor_data;
  CLI::App* doctor_app =
      program.add_subcommand("doctor", "check this machine: MPI, GPUs, libraries, threads, file system, data");
  doctor_app->add_option("--output", doctor_output, "directory whose file system is tried")->capture_default_str();
  add_data_option(*doctor_app, doctor_data);

  EncoderOptions exported;
  std::filesystem::path export_output;
  CLI::App* export_app = program.add_subcommand(
      "export", "write an encoder at one i as a plain ResNet or ViT: safetensors, under torchvision's or timm's names");
  add_encoder_options(*export_app, exported);
  export_app->add_option("--output", export_output, "safetensors file to write")->required();

  FeaturesOptions features;
  CLI::App* features_app =
      program.add_subcommand("features", "write an encoder's features of a data set at one i: HDF5");
  add_encoder_options(*features_app, features.encoder);
  add_device_option(*features_app, features.device);
  features_app->add_option("--of", features.data, "data set: one of the suite's, or another that a manifest names")
      ->required();
  features_app->add_option("--split", features.splits, "splits to write; all if none is named")
      ->allow_extra_args(false);
  features_app->add_option("--output", features.output, "HDF5 file to write")->required();

  BenchOptions bench;
  CLI::App* bench_app = program.add_subcommand(
      "bench",
      "rates of the program's stages beside what limits them on this machine, and beside other programs that do the "
      "same; a stage whose result is wrong has no rate. \"mpirun -n 2 invaria bench scale\" measures what ranks do "
      "together");
  bench_app->add_option("stage", bench.stages,
                        "stages, or groups of them (image, sound, train, readout, scale); if none is named all but "
                        "scale, and bfloat16 where it is slower");
  bench_app->add_flag("--list", bench.list, "say what stages there are, and measure nothing");
  bench_app
      ->add_option("--peers", bench.python,
                   "a Python that has the other programs (scripts/setup --peers makes one): they run in turn with "
                   "ours, on the same data")
      ->option_text("PYTHON");
  bench_app->add_option("--json", bench.json, "write every pair's rates")->option_text("FILE");
  bench_app->add_option("--pairs", bench.pairs, "times that each side runs")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  bench_app->add_option("--seconds", bench.seconds, "that a side of a pair runs at least")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  bench_app->add_option("--threads", bench.threads, "of both sides")->check(CLI::Range(1, 1024))->capture_default_str();
  bench_app
      ->add_option("--device", bench.device,
                   "that views, losses and steps are made on; on cuda without peers, and only these")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();

  DataCommand data;
  data.add_to(program);

  CLI::App* schema_app = program.add_subcommand("schema", "print the JSON schema of a suite file");

  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? 0 : static_cast<int>(ExitCode::kConfig);
  }
  for (auto* folders : {&run.suite.data_folders, &check.suite.data_folders, &plan.suite.data_folders,
                        &measure.data_folders, &verify.data_folders, &doctor_data, &exported.data_folders,
                        &features.encoder.data_folders, &data.options.folders}) {
    add_environment_folders(*folders);
  }
  const ExitCode code = guarded([&] {
    if (run_app->parsed()) return run_command(run, &argc, &argv);
    if (check_app->parsed()) return check_command(check);
    if (plan_app->parsed()) return plan_command(plan, &argc, &argv);
    if (measure_app->parsed()) return measure_command(measure, &argc, &argv);
    if (report_app->parsed()) return report_command(report);
    if (compare_app->parsed()) return compare_command(compare);
    if (watch_app->parsed()) return watch_command(watch);
    if (bench_app->parsed()) return bench_command(bench, &argc, &argv);
    if (verify_app->parsed()) return verify_command(verify);
    if (doctor_app->parsed()) return doctor_command(doctor_output, doctor_data, &argc, &argv);
    if (export_app->parsed()) return export_command(exported, export_output);
    if (features_app->parsed()) return features_command(features);
    if (data.list->parsed() || data.verify->parsed() || data.pack->parsed()) return data.run();
    require(schema_app->parsed(), "no subcommand was parsed");
    return schema_command();
  });
  return static_cast<int>(code);
}

}  // namespace invaria::app
