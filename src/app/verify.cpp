#include "report/verify.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/app.hpp"
#include "app/loaded_suite.hpp"
#include "app/results.hpp"
#include "comm/communicator.hpp"
#include "core/errors.hpp"
#include "core/node_memory.hpp"
#include "downstream/task.hpp"
#include "io/files.hpp"
#include "train/pretrain.hpp"

namespace invaria::app {
namespace {

/// A damaged file's error without its advice, which is for `run`: the verdict is one line.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

/// Everything that makes the run INVALID, and what could not be looked at.
struct Findings {
  std::vector<std::string> wrong;
  std::vector<std::string> not_checked;
  bool is_whole_run = true;  ///< a run's directory was named, not a results file that may have been taken out of one

  /// Part of a run's directory, and not there.
  void add_missing(const std::string& what) { (is_whole_run ? wrong : not_checked).push_back(what); }
};

bool is_failed(const io::Results& results, const train::EncoderPlan& encoder) {
  const auto& records = results.content.encoders;
  return std::any_of(records.begin(), records.end(), [&](const io::EncoderRecord& record) {
    return record.name == encoder.name && record.encoder_seed == encoder.seed && record.status != "finished";
  });
}

/// Every ordinary row is a job of the recorded suite, under the id that the suite gives it.
void check_job_ids(const io::Results& results, const suite::Suite& suite, const suite::Plan& plan, Findings& findings) {
  struct Expected {
    std::string encoder;
    int64_t seed;
    std::string arm, task, metric;
    int64_t repeat;
    bool operator==(const Expected&) const = default;
  };
  std::map<std::string, Expected> by_id;
  for (const suite::Unit& unit : plan.units) {
    const train::EncoderPlan& encoder = plan.encoders[unit.encoder];
    for (const suite::Job& job : unit.jobs) {
      by_id[job.id] = {encoder.name, encoder.seed, job.arm, suite.tasks[unit.task].name, job.metric, job.repeat};
    }
  }
  for (const io::JobRecord& row : results.content.jobs) {
    if (row.arm == "grid-best" || row.arm == "oracle")
      continue;  // derived from other rows: recomputed with the summary
    const auto found = by_id.find(row.job_id);
    if (found == by_id.end()) {
      findings.wrong.push_back(
          fmt::format("job id {} ({} on {}): no job of the recorded suite has it", row.job_id, row.arm, row.task));
    } else if (!(found->second == Expected{row.encoder, row.encoder_seed, row.arm, row.task, row.metric, row.repeat})) {
      findings.wrong.push_back(fmt::format("job id {}: the row says {} on {}, repeat {}, the suite {} on {}, repeat {}",
                                           row.job_id, row.arm, row.task, row.repeat, found->second.arm,
                                           found->second.task, found->second.repeat));
    }
  }
}

/// The checkpoints beside the results are the ones that the rows were computed with.
void check_checkpoints(const io::Results& results, const suite::Plan& plan, const std::filesystem::path& directory,
                       Findings& findings) {
  for (const train::EncoderPlan& encoder : plan.encoders) {
    const train::CheckpointFolder folder(directory, encoder.key());
    if (!folder.has_encoder()) {
      if (!is_failed(results, encoder)) {
        findings.add_missing(
            fmt::format("checkpoint of {}: {} is not there", encoder.key(), folder.encoder_file().string()));
      }
      continue;
    }
    const auto record = std::find_if(results.content.encoders.begin(), results.content.encoders.end(),
                                     [&](const io::EncoderRecord& candidate) {
                                       return candidate.name == encoder.name && candidate.encoder_seed == encoder.seed;
                                     });
    if (record == results.content.encoders.end()) {
      findings.wrong.push_back(fmt::format("encoder {}: not in the results", encoder.key()));
      continue;
    }
    const std::string hash = io::sha256_file(folder.encoder_file());
    if (hash != record->checkpoint_hash) {
      findings.wrong.push_back(fmt::format("checkpoint {}: its hash is {}, the results say {}",
                                           folder.encoder_file().string(), hash, record->checkpoint_hash));
      continue;
    }
    std::string weights;
    try {
      weights = train::load_encoder(encoder, directory).encoder.hash();
    } catch (const ConfigError& error) {
      findings.wrong.push_back(first_line(error));
      continue;
    }
    for (const io::JobRecord& row : results.content.jobs) {
      if (row.encoder != encoder.name || row.encoder_seed != encoder.seed || row.status != "finished") continue;
      if (row.encoder_hash_before != weights || row.encoder_hash_after != weights) {
        findings.wrong.push_back(
            fmt::format("job {} ({} on {}): its encoder hashes are {} and {}, the checkpoint's weights hash to {}",
                        row.job_id, row.arm, row.task, row.encoder_hash_before, row.encoder_hash_after, weights));
        break;
      }
    }
  }
}

/// What cannot be recomputed (trajectories, sensitivity, pretraining logs) is in the files that the results were merged
/// from.
void check_against_disk(const io::Results& results, const suite::Suite& suite, const suite::Plan& plan,
                        const std::filesystem::path& directory, Findings& findings) {
  const bool has_all =
      std::filesystem::is_directory(directory / "segments") &&
      std::all_of(plan.encoders.begin(), plan.encoders.end(), [&](const train::EncoderPlan& encoder) {
        return is_failed(results, encoder) || train::CheckpointFolder(directory, encoder.key()).has_encoder();
      });
  if (!has_all) {
    findings.add_missing(fmt::format(
        "trajectories, sensitivity and pretraining logs: {} has not all segments and checkpoints", directory.string()));
    return;
  }
  try {
    const io::Results merged = merge_output(suite, plan, directory, results.info);
    for (const std::string& difference : report::compare_with_disk(results, merged)) {
      if (std::find(findings.wrong.begin(), findings.wrong.end(), difference) == findings.wrong.end()) {
        findings.wrong.push_back(difference);
      }
    }
  } catch (const EnvironmentError& error) {
    findings.wrong.push_back(first_line(error));
  } catch (const ConfigError& error) {
    findings.wrong.push_back(first_line(error));
  }
}

/// Splits drawn again from the data.
void check_splits(const io::Results& results, const suite::Suite& suite,
                  const std::vector<std::filesystem::path>& data_folders, Findings& findings) {
  config::Problems problems;
  const suite::DataFolders folders{{}, data_folders};
  const suite::Manifests manifests = suite::find_manifests(suite, folders, problems);
  suite::check_data(suite, manifests, folders, data::CheckDepth::kListing, problems);
  if (!problems.empty()) {
    findings.not_checked.push_back("split hashes: the data are not at hand:\n" + problems.to_string());
    return;
  }
  suite::Datasets datasets;
  for (const data::DatasetSettings& settings : suite.data) {
    datasets.emplace(settings.name,
                     data::load_dataset(manifests.at(settings.name), settings,
                                        {data_folders, at::get_num_threads(), {}}, NodeMemory::private_memory()));
  }
  for (const io::DataRecord& record : results.content.data) {
    const auto found = datasets.find(record.name);
    if (found == datasets.end()) continue;
    for (const std::string& difference : data::data_differences(record, found->second.record))
      findings.wrong.push_back(fmt::format("data {}: {}", record.name, difference));
  }
  std::map<std::pair<std::string, int64_t>, std::string> hashes;
  for (const downstream::TaskSettings& task : suite.tasks) {
    for (int64_t repeat = 0; repeat < suite.repeats; ++repeat) {
      hashes[{task.name, repeat}] =
          downstream::make_task(task, suite.axes, datasets.at(task.data), suite.encoders.front().pretraining.views(),
                                static_cast<uint64_t>(suite.seed), repeat)
              .split_hash;
    }
  }
  for (const io::JobRecord& row : results.content.jobs) {
    const auto found = hashes.find({row.task, row.repeat});
    if (row.status == "finished" && found != hashes.end() && found->second != row.split_hash) {
      findings.wrong.push_back(fmt::format("job {} ({} on {}, repeat {}): split hash {}, drawn again {}", row.job_id,
                                           row.arm, row.task, row.repeat, row.split_hash, found->second));
    }
  }
}

}  // namespace

ExitCode verify_command(const VerifyOptions& options) {
  const std::filesystem::path file = results_file(options.results);
  const io::Results results = io::read_results(file);
  const suite::Suite suite = suite_of_record(results.info.settings, file.string());
  const suite::Plan plan = suite::make_plan(suite);

  Findings findings;
  findings.is_whole_run = std::filesystem::is_directory(options.results);
  findings.wrong = report::verify_results(results, expectation_of(suite, plan));
  check_job_ids(results, suite, plan, findings);
  const std::filesystem::path directory = file.parent_path().empty() ? "." : file.parent_path();
  check_checkpoints(results, plan, directory, findings);
  check_against_disk(results, suite, plan, directory, findings);
  check_splits(results, suite, options.data_folders, findings);
  if (!results.info.valid) findings.wrong.push_back("the run says so itself: " + results.info.invalid_because);

  for (const std::string& line : findings.not_checked) fmt::print("not checked: {}\n", line);
  for (const std::string& line : findings.wrong) fmt::print("{}\n", line);
  if (findings.wrong.empty()) {
    fmt::print("VALID{}\n", findings.not_checked.empty() ? "" : " as far as it was checked");
    return ExitCode::kOk;
  }
  fmt::print("INVALID: {}{}\n", findings.wrong.front(),
             findings.wrong.size() > 1 ? fmt::format(" (and {} more)", findings.wrong.size() - 1) : "");
  return ExitCode::kSomeFailed;
}

}  // namespace invaria::app
