#include "suite/run.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "app/all_ranks.hpp"
#include "app/app.hpp"
#include "app/device.hpp"
#include "app/host.hpp"
#include "app/loaded_suite.hpp"
#include "app/results.hpp"
#include "app/version.hpp"
#include "build_info.hpp"
#include "comm/agree.hpp"
#include "comm/communicator.hpp"
#include "comm/watchdog.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "core/sha256.hpp"
#include "core/shutdown.hpp"
#include "core/timer.hpp"
#include "io/directory_lock.hpp"
#include "io/files.hpp"
#include "report/report.hpp"

namespace invaria::app {
namespace {

/// run.json: what the first start of a run wrote, so that one that continues knows when it began.
std::string started_at(const std::filesystem::path& output, const suite::Suite& suite) {
  const std::filesystem::path path = output / "run.json";
  if (std::filesystem::exists(path)) {
    const config::json::value record = config::parse_text(io::read_file(path), path.string());
    const config::json::object* object = record.if_object();
    const config::json::value* created = object != nullptr ? object->if_contains("created") : nullptr;
    if (created != nullptr && created->is_string()) return std::string(created->get_string());
  }
  const std::string now = utc_now();
  io::write_file_atomically(path, config::pretty(config::json::object{{"created", now}, {"suite", suite.name}}));
  return now;
}

io::RunInfo run_info(const suite::Suite& suite, const std::string& created, const std::string& hosts, int world_size) {
  io::RunInfo info;
  info.suite = suite.name;
  info.settings = boost::json::serialize(config::write(suite));
  info.created = created;
  info.finished = utc_now();
  info.version = build::kVersion;
  info.git_commit = build::kCommit;
  info.git_dirty = build::kDirty;
  info.compiler = build::kCompiler;
  info.flags = build::kFlags;
  info.libraries = boost::json::serialize(library_versions());
  info.hosts = hosts;
  info.slurm = boost::json::serialize(slurm_job());
  info.world_size = world_size;
  return info;
}

void require_picture_for_each_rank(const suite::Plan& plan, int64_t ranks) {
  for (const train::EncoderPlan& encoder : plan.encoders) {
    if (encoder.settings.steps == 0 || encoder.settings.global_batch >= ranks) continue;
    throw_config("encoder {}: pretraining.global_batch is {}, and each of {} ranks needs a sample; start fewer ranks",
                 encoder.name, encoder.settings.global_batch, ranks);
  }
}

suite::Stage stage_of(const RunOptions& options) {
  if (options.stage == "pretrain") return suite::Stage::kPretrain;
  return options.stage == "sweep" ? suite::Stage::kSweep : suite::Stage::kAll;
}

/// "3/8": the third of eight. @throws ConfigError
suite::Share share_of(const RunOptions& options) {
  suite::Share share;
  const char* const end = options.share.data() + options.share.size();
  const auto index = std::from_chars(options.share.data(), end, share.index);
  const bool has_slash = index.ec == std::errc() && index.ptr != end && *index.ptr == '/';
  const auto count = std::from_chars(has_slash ? index.ptr + 1 : end, end, share.count);
  if (!has_slash || count.ec != std::errc() || count.ptr != end || share.index < 1 || share.index > share.count)
    throw_config("--share {}: expected K/N with K from 1 to N, such as 3/8", options.share);
  if (share.count > 1 && options.stage != "sweep")
    throw_config("--share {}: only the sweep has shares; add --stage sweep", options.share);
  --share.index;
  return share;
}

/// The directory's lock: of a whole run for it alone, of a share beside the other shares of this run.
io::DirectoryLock lock_output(const RunOptions& options, const suite::Suite& suite, const suite::Share& share) {
  if (share.count == 1) return io::DirectoryLock(options.output);
  const std::string settings = boost::json::serialize(config::write(suite));
  return {options.output, {sha256_hex(settings), share.index, share.count}};
}

/// For `invaria watch`. Of an error that all ranks share the root tells; another may be the last that this rank says.
void log_error(EventLog& log, const std::exception& error, const comm::Communicator& comm) {
  const bool is_shared = dynamic_cast<const comm::SharedFailure*>(&error) != nullptr;
  if (is_shared && !comm.is_root()) return;
  const ToldError what = told(error);
  log.event("run_end", {{"end", "error"}, {"because", what.what}, {"code", static_cast<int>(what.code)}});
}

/// @param log  becomes that of the output, once this run holds it
ExitCode run_on_all_ranks(const RunOptions& options, const comm::Communicator& comm, EventLog& log) {
  suite::Share share;
  comm::together(comm, [&] { share = share_of(options); });
  LoadedSuite loaded;
  comm::together(comm, [&] { loaded = load_suite(options.suite, data::CheckDepth::kListing); });
  at::set_num_threads(choose_threads(comm));
  const c10::Device device = choose_device(options.device, comm);
  if (stage_of(options) != suite::Stage::kSweep)
    comm::together(comm, [&] { require_picture_for_each_rank(loaded.plan, comm.size()); });

  std::string created;
  std::optional<io::DirectoryLock> lock;  // until the run has ended
  comm::on_root(comm, [&] {
    if (std::filesystem::exists(options.output) && !std::filesystem::is_directory(options.output)) {
      throw_config("--output {}: exists and is no directory; name another", options.output.string());
    }
    io::make_directories(options.output);
    lock.emplace(lock_output(options, loaded.suite, share));
    if (!lock->is_held()) {
      fmt::print(stderr, "warning: {}: this file system knows no locks; see to it that no other run writes there\n",
                 options.output.string());
    }
    created = started_at(options.output, loaded.suite);
    if (share.count == 1) drop_torn_line((options.output / "log.jsonl").string());  // else it may be one being written
  });
  comm::together(comm, [&] {
    log = EventLog((options.output / "log.jsonl").string(), comm.rank());
    if (share.count > 1) log.mark("share", options.share);
  });
  if (comm.is_root()) {
    fmt::print("{}: {} encoders, {} jobs; {} rank{} of {} thread{} on {}\n", loaded.suite.name,
               loaded.plan.encoders.size(), loaded.plan.job_ids().size(), comm.size(), comm.size() == 1 ? "" : "s",
               at::get_num_threads(), at::get_num_threads() == 1 ? "" : "s",
               device.is_cuda()          ? "GPUs"
               : options.device == "cpu" ? "the CPU"
                                         : "the CPU (no GPU of its own for each rank)");
    std::fflush(stdout);
    log.event("run_begin", {{"suite", loaded.suite.name},
                            {"ranks", comm.size()},
                            {"encoders", loaded.plan.encoders.size()},
                            {"threads", at::get_num_threads()},
                            {"device", device.str()}});
  }

  const std::unique_ptr<comm::Watchdog> watchdog = watch_over(comm, options.watchdog_s, [&](const std::string& what) {
    log.event("run_end", {{"end", "stopped"}, {"because", what}});
  });
  const Timer timer;
  const auto stop_requested = [&] {
    return shutdown_requested() || (options.stop_after_s > 0 && timer.seconds() > options.stop_after_s);
  };
  const suite::RunEnd end =
      suite::run(loaded.suite, loaded.manifests, loaded.plan,
                 {comm, device, options.output, loaded.folders, &log, stop_requested, stage_of(options), share});
  const std::string hosts = describe_hosts(comm);
  if (end == suite::RunEnd::kStopped) {
    if (comm.is_root()) {
      log.event("run_end", {{"end", "stopped"}});
      fmt::print("stopped after {}; the same command continues\n", format_duration(timer.seconds()));
    }
    return ExitCode::kStopped;
  }
  const char* const how = end == suite::RunEnd::kFinished ? "finished" : "some failed";
  if (options.stage == "pretrain" || share.count > 1) {
    if (comm.is_root()) {
      log.event("part_end", {{"end", how}});
      fmt::print("{} in {}: {}; a run with --stage sweep merges\n",
                 share.count > 1 ? "share " + options.share : "pretraining", format_duration(timer.seconds()), how);
    }
    return end == suite::RunEnd::kFinished ? ExitCode::kOk : ExitCode::kSomeFailed;
  }
  bool valid = false;
  comm::on_root(comm, [&] {
    const io::Results results = write_merged_results(loaded.suite, loaded.plan, options.output,
                                                     run_info(loaded.suite, created, hosts, comm.size()));
    valid = results.info.valid;
    log.event("run_end", {{"end", how}, {"valid", valid}});
    fmt::print("{} in {}: {}\n{}\n", (options.output / "results.h5").string(), format_duration(timer.seconds()),
               end == suite::RunEnd::kFinished ? "all jobs finished" : "some jobs failed",
               report::verdict(results.info));
  });
  // A run that may not be believed must not look like one that may.
  const bool is_sound = end == suite::RunEnd::kFinished && !comm.any(comm.is_root() && !valid);
  return is_sound ? ExitCode::kOk : ExitCode::kSomeFailed;
}

}  // namespace

ExitCode run_command(const RunOptions& options, int* argc, char*** argv) {
  return on_all_ranks(argc, argv, [&](const comm::Communicator& comm) {
    EventLog log;
    try {
      return run_on_all_ranks(options, comm, log);
    } catch (const std::exception& error) {
      log_error(log, error, comm);
      throw;
    }
  });
}

}  // namespace invaria::app
