#include "suite/run.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <limits>
#include <map>
#include <optional>

#include "comm/agree.hpp"
#include "comm/job_counter.hpp"
#include "core/energy.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "core/timer.hpp"
#include "downstream/learned_invariance.hpp"
#include "io/segment_writer.hpp"
#include "io/segments.hpp"
#include "suite/begun_before.hpp"
#include "suite/load.hpp"
#include "suite/schedule.hpp"
#include "suite/unit_runner.hpp"
#include "train/pretrain.hpp"

namespace invaria::suite {
namespace {

namespace json = config::json;

json::object describe(const Unit& unit) {
  return {{"unit", unit.name}, {"cost", unit.cost}, {"jobs", unit.jobs.size()}};
}

/// One run, stage by stage.
class Run {
 public:
  Run(const Suite& suite, const Manifests& manifests, const Plan& plan, const RunContext& context)
      : suite_(suite), manifests_(manifests), plan_(plan), context_(context), comm_(context.comm) {
    if (comm_.node_rank() == 0) meter_.emplace();
  }

  RunEnd operator()() {
    Timer timer;
    prepare();
    datasets_ = load_datasets(suite_, manifests_, context_.folders, comm_);
    comm::on_root(comm_, [&] { refuse_changed_data(datasets_, earlier_data_, context_.output); });
    record_data();
    record_time("load data", timer.lap());
    if (context_.stage == Stage::kSweep) {
      find_encoders();
    } else {
      const bool was_stopped = !pretrain_all();
      record_time("pretrain", timer.lap());
      if (was_stopped) return end(RunEnd::kStopped);
    }
    if (context_.stage != Stage::kPretrain) {
      const bool swept = sweep();
      record_time("sweep", timer.lap());
      if (!swept) return end(RunEnd::kStopped);
    }
    return end(any_failed_ ? RunEnd::kSomeFailed : RunEnd::kFinished);
  }

 private:
  std::filesystem::path segments() const { return context_.output / "segments"; }

  /// Folders, what is finished already, and the number of this run's first segment.
  void prepare() {
    int64_t first_number = 0;
    comm::on_root(comm_, [&] {
      io::make_directories(segments());
      if (context_.share.count == 1) {  // beside other shares nothing is stale
        remove_stale_temporaries();
        io::tidy_segments(segments());
      }
      refuse_changed_encoders(plan_, context_.output);
      refuse_changed_sensitivity(suite_, context_.output);
    });
    comm::together(comm_, [&] {
      const io::Segment found = io::read_segments(segments());
      for (const io::JobRecord& job : found.jobs) {
        if (job.status == "finished") finished_.insert(job.job_id);
      }
      for (const io::SensitivityRecord& record : found.sensitivity)
        finished_.insert(sensitivity_key(record.encoder, record.encoder_seed, record.corner));
      for (const io::EncoderRecord& encoder : found.encoders) {
        if (encoder.status == "failed") failed_before_[{encoder.name, encoder.encoder_seed}] = encoder.error;
      }
      earlier_data_ = found.data;
      first_number = io::next_segment_number(segments());
    });
    comm_.barrier();  // everybody has read before anybody writes
    writer_.emplace(segments(), comm_.rank(), first_number, context_.share.count, context_.share.index);
  }

  /// What a kill left half-written. Others than runs may write beside the run's own files: reports, say.
  void remove_stale_temporaries() const {
    io::remove_stale_temporaries(segments());
    for (const char* own : {"results.h5", "run.json", "sensitivity.json"})
      io::remove_stale_temporaries(context_.output, own);
    for (const train::EncoderPlan& encoder : plan_.encoders)
      io::remove_stale_temporaries(train::CheckpointFolder(context_.output, encoder.key()).folder());
  }

  static std::string sensitivity_key(const std::string& encoder, int64_t seed, const std::string& corner) {
    return fmt::format("sensitivity {} {} {}", encoder, seed, corner);
  }

  void record_data() {
    if (!comm_.is_root()) return;
    io::Segment segment;
    for (const auto& [name, dataset] : datasets_) segment.data.push_back(dataset.record);
    writer_->keep(segment);
  }

  void record_time(const char* stage, double seconds) {
    io::Segment segment;
    const Energy energy = meter_ ? meter_->lap() : Energy{};
    // Shares run side by side: their ranks are counted on.
    const int64_t rank = context_.share.index * comm_.size() + comm_.rank();
    segment.stage_times.push_back({stage, rank, seconds, energy.cpu_J, energy.gpu_J});
    writer_->keep(segment);
    if (comm_.is_root()) context_.log->event("stage", {{"stage", stage}, {"seconds", seconds}});
  }

  /// @return false if stopped
  bool pretrain_all() {
    for (const train::EncoderPlan& encoder : plan_.encoders) {
      const data::DataSplit& pictures = datasets_.at(encoder.settings.data).split(encoder.settings.split);
      if (comm_.is_root()) context_.log->event("pretrain_begin", {{"encoder", encoder.key()}});
      const train::MonitorSettings& monitor = encoder.settings.monitor;
      const data::DataSplit* monitored = monitor.every > 0 ? &datasets_.at(monitor.data).split(monitor.split) : nullptr;
      const train::PretrainOutcome outcome =
          train::pretrain(encoder, pictures,
                          {comm_, context_.device, context_.output, suite_.checkpoint_every_s, context_.log,
                           context_.stop_requested, monitored});
      if (comm_.is_root()) {
        context_.log->event(
            "pretrain_end",
            {{"encoder", encoder.key()}, {"end", static_cast<int>(outcome.end)}, {"error", outcome.error}});
      }
      if (outcome.end == train::PretrainEnd::kStopped) return false;
      if (outcome.end == train::PretrainEnd::kFailed) fail_encoder(encoder, outcome.error);
    }
    return true;
  }

  /// What pretraining left: every encoder is there, or its failure is on record.
  void find_encoders() {
    comm::together(comm_, [&] {
      std::string missing;
      for (const train::EncoderPlan& encoder : plan_.encoders) {
        if (train::CheckpointFolder(context_.output, encoder.key()).has_encoder()) continue;
        const auto failed = failed_before_.find({encoder.name, encoder.seed});
        if (failed != failed_before_.end()) {
          any_failed_ = true;
          failed_encoders_[encoder.key()] = failed->second;
        } else {
          missing += (missing.empty() ? "" : ", ") + encoder.key();
        }
      }
      if (missing.empty()) return;
      throw_config("--stage sweep: {} has no pretrained {}; run it with --stage pretrain first, or without --stage",
                   (context_.output / "checkpoints").string(), missing);
    });
  }

  /// Record a failed encoder; its jobs are blocked, others go on.
  void fail_encoder(const train::EncoderPlan& encoder, const std::string& error) {
    any_failed_ = true;
    failed_encoders_[encoder.key()] = error;
    if (!comm_.is_root()) return;
    io::EncoderRecord record;
    record.name = encoder.name;
    record.encoder_seed = encoder.seed;
    record.settings = json::serialize(encoder.identity);
    record.status = "failed";
    record.error = error;
    io::Segment segment;
    segment.encoders.push_back(record);
    writer_->keep(segment);
  }

  bool is_finished(const Unit& unit) const {
    if (unit.kind == UnitKind::kSensitivity) {
      const train::EncoderPlan& encoder = plan_.encoders[unit.encoder];
      return finished_.contains(sensitivity_key(encoder.name, encoder.seed, config::bits(unit.invariance)));
    }
    return std::all_of(unit.jobs.begin(), unit.jobs.end(),
                       [this](const Job& job) { return finished_.contains(job.id); });
  }

  /// The rows of a unit that an earlier run has not.
  io::Segment without_finished(io::Segment segment) const {
    std::erase_if(segment.jobs, [this](const io::JobRecord& job) { return finished_.contains(job.job_id); });
    return segment;
  }

  io::Segment blocked(const Unit& unit, const std::string& error) const {
    io::Segment segment;
    for (const Job& job : unit.jobs) {
      io::JobRecord record = blank_record(suite_, plan_, unit, job, {comm_.rank(), comm_.host()});
      record.status = "blocked";
      record.error = "its encoder failed: " + error;
      segment.jobs.push_back(record);
    }
    return segment;
  }

  static double cost_of(const std::vector<const Unit*>& units) {
    double cost = 0.0;
    for (const Unit* unit : units) cost += unit->cost;
    return cost;
  }

  /// Claim units, longest first, until none is left. @return false if stopped
  bool sweep() {
    std::vector<const Unit*> mine, open;
    for (size_t index = 0; index < plan_.units.size(); ++index) {
      if (static_cast<int64_t>(index) % context_.share.count == context_.share.index)
        mine.push_back(&plan_.units[index]);
    }
    for (const Unit* unit : mine) {
      if (is_finished(*unit)) continue;
      const auto failed = failed_encoders_.find(plan_.encoders[unit->encoder].key());
      if (failed == failed_encoders_.end()) {
        open.push_back(unit);
      } else if (comm_.is_root()) {
        writer_->keep(blocked(*unit, failed->second));
      }
    }
    if (comm_.is_root())
      context_.log->event(
          "sweep_begin",
          {{"units", open.size()}, {"cost", cost_of(open)}, {"finished_before", mine.size() - open.size()}});

    UnitRunner runner(suite_, plan_, datasets_, context_.output, context_.device, {comm_.rank(), comm_.host()},
                      context_.stop_requested);
    bool stopped = false;
    std::string error;
    {
      comm::JobCounter counter(comm_);
      Progress progress =
          comm_.is_root() ? Progress("sweep", static_cast<int64_t>(open.size()), "units") : Progress::quiet();
      try {
        for (int64_t next = counter.claim(); next < static_cast<int64_t>(open.size()); next = counter.claim()) {
          if (context_.stop_requested()) {
            stopped = true;
            break;
          }
          progress.update(next + 1);
          run_unit(runner, *open[static_cast<size_t>(next)]);
        }
        writer_->flush();  // before waiting for ranks that still compute
      } catch (const downstream::StoppedError&) {
        stopped = true;
      } catch (const std::exception& failure) {
        // The disk, not a job: this rank can keep nothing more. The others go on to the end of the queue, then all
        // learn of it.
        error = failure.what();
      }
    }
    comm::together(comm_, [&] {
      if (!error.empty()) throw EnvironmentError(error);
      writer_->flush();
    });
    any_failed_ = comm_.any(any_failed_);
    return !comm_.any(stopped);
  }

  void run_unit(UnitRunner& runner, const Unit& unit) {
    Timer timer;
    context_.log->event("unit_begin", describe(unit));
    io::Segment rows;
    std::string error;
    try {
      rows = without_finished(runner.run(unit));
    } catch (const downstream::StoppedError&) {
      throw;
    } catch (const std::exception& failure) {
      error = failure.what();  // of a unit without rows that could say so
    }
    for (const io::JobRecord& job : rows.jobs) {
      if (job.status != "finished") error = job.error;
    }
    writer_->keep(rows);
    // Units come longest first: behind a short one only short ones follow, and their rows may share a segment.
    if (timer.seconds() > kFlushBehind_s || writer_->since_flush_s() > kFlushEvery_s) writer_->flush();
    json::object event = describe(unit);
    event["seconds"] = timer.seconds();
    if (!error.empty()) event["error"] = error;
    any_failed_ = any_failed_ || !error.empty();
    context_.log->event("unit_end", std::move(event));
  }

  RunEnd end(RunEnd how) {
    comm::together(comm_, [&] { writer_->flush(); });
    return how;
  }

  const Suite& suite_;
  const Manifests& manifests_;
  const Plan& plan_;
  const RunContext& context_;
  const comm::Communicator& comm_;
  Datasets datasets_;
  std::set<std::string> finished_;
  std::vector<io::DataRecord> earlier_data_;                              ///< as earlier sessions found them
  std::map<std::pair<std::string, int64_t>, std::string> failed_before_;  ///< by name and seed: the error on record
  std::map<std::string, std::string> failed_encoders_;
  std::optional<io::SegmentWriter> writer_;
  std::optional<EnergyMeter> meter_;  ///< on one rank of each node
  bool any_failed_ = false;
};

}  // namespace

RunEnd run(const Suite& suite, const Manifests& manifests, const Plan& plan, const RunContext& context) {
  return Run(suite, manifests, plan, context)();
}

}  // namespace invaria::suite
