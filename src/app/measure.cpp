#include "suite/measure.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <memory>
#include <optional>

#include "app/all_ranks.hpp"
#include "app/app.hpp"
#include "app/device.hpp"
#include "app/loaded_suite.hpp"
#include "app/results.hpp"
#include "comm/agree.hpp"
#include "core/progress.hpp"
#include "core/shutdown.hpp"
#include "core/timer.hpp"
#include "io/directory_lock.hpp"
#include "suite/load.hpp"

namespace invaria::app {
namespace {

/// A finished run, and its suite with the overrides of the command line in its section `measure`.
struct MeasuredRun {
  std::filesystem::path output;
  io::RunInfo info;
  suite::Suite suite;
  suite::Plan plan;
  suite::Suite data_alone;  ///< a suite of the one data set that measuring reads
  suite::DataFolders folders;
  suite::Manifests manifests;
};

/// @throws ConfigError with all problems of settings and data in one list
MeasuredRun find_run(const MeasureOptions& options) {
  MeasuredRun run;
  if (!std::filesystem::is_directory(options.output))
    throw_config("{}: no directory; measuring needs a run's, with its checkpoints", options.output.string());
  run.output = options.output;
  const std::filesystem::path file = results_file(options.output);
  run.info = io::read_results(file).info;
  run.suite = suite_of_record(run.info.settings, file.string());
  run.plan = suite::make_plan(run.suite);

  if (augment::media_of(run.suite.axes) == config::Media::kSounds)
    throw_config("{}: a run of sounds; what is measured are pictures", file.string());

  config::json::value settings = config::write(run.suite.measure);
  for (const std::string& assignment : options.overrides) config::apply_override(settings, assignment);
  config::Problems problems;
  run.suite.measure = config::parse<downstream::MeasureSettings>(settings, "measure", problems);
  std::vector<std::string> names;
  for (const data::DatasetSettings& data : run.suite.data) names.push_back(data.name);
  const std::string& wanted = run.suite.measure.data;
  if (std::find(names.begin(), names.end(), wanted) == names.end()) {
    problems.add("measure.data", "\"" + wanted + "\"", "a data set of the run's suite",
                 wanted.empty() ? fmt::format("--set data={}", names.front()) : config::name_hint(wanted, names));
    problems.throw_if_any(file.string());
  }
  run.data_alone.data = {run.suite.dataset(wanted)};
  run.data_alone.measure = run.suite.measure;
  run.folders = {{}, options.data_folders};
  run.manifests = suite::find_manifests(run.data_alone, run.folders, problems);
  suite::check_data(run.data_alone, run.manifests, run.folders, data::CheckDepth::kListing, problems);
  problems.throw_if_any(file.string());
  return run;
}

ExitCode measure_on_all_ranks(const MeasureOptions& options, const comm::Communicator& comm) {
  MeasuredRun run;
  comm::together(comm, [&] { run = find_run(options); });
  at::set_num_threads(choose_threads(comm));
  const c10::Device device = choose_device(options.device, comm);
  std::optional<io::DirectoryLock> lock;  // until the results are written
  comm::on_root(comm, [&] { lock.emplace(run.output); });

  const std::unique_ptr<comm::Watchdog> watchdog = watch_over(comm, options.watchdog_s, [](const std::string&) {});
  const Timer timer;
  const suite::Datasets datasets = suite::load_datasets(run.data_alone, run.manifests, run.folders, comm);
  const suite::RunEnd end = suite::measure(run.suite, run.plan, datasets,
                                           {comm, device, run.output, run.folders, nullptr, shutdown_requested});
  if (end == suite::RunEnd::kStopped) {
    if (comm.is_root()) fmt::print("stopped after {}; the same command continues\n", format_duration(timer.seconds()));
    return ExitCode::kStopped;
  }
  comm::on_root(comm, [&] {
    run.info.wall_s = 0.0;  // added up anew
    const io::Results results = write_merged_results(run.suite, run.plan, run.output, run.info);
    fmt::print("{} in {}: {} curves of similarity under /invariance; `invaria report` shows their means\n",
               (run.output / "results.h5").string(), format_duration(timer.seconds()),
               results.content.similarities.size());
  });
  return ExitCode::kOk;
}

}  // namespace

ExitCode measure_command(const MeasureOptions& options, int* argc, char*** argv) {
  return on_all_ranks(argc, argv, [&](const comm::Communicator& comm) { return measure_on_all_ranks(options, comm); });
}

}  // namespace invaria::app
