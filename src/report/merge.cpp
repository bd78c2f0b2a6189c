#include "report/merge.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "report/arms.hpp"
#include "report/derived_arms.hpp"
#include "report/summary.hpp"

namespace invaria::report {

namespace {

auto order(const io::JobRecord& job) {
  return std::tie(job.encoder, job.encoder_seed, job.task, job.repeat, job.arm, job.metric, job.job_id);
}

void sort_jobs(std::vector<io::JobRecord>& jobs) {
  std::stable_sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) { return order(a) < order(b); });
}

std::vector<io::JobRecord> each_job_once(std::vector<io::JobRecord> rows, const MergeExpectation& expected) {
  const std::set<std::string> wanted(expected.job_ids.begin(), expected.job_ids.end());
  std::set<std::string> finished;
  for (const io::JobRecord& row : rows) {
    if (row.status == "finished") finished.insert(row.job_id);
  }

  std::map<std::pair<std::string, std::string>, io::JobRecord> kept;  // by job id and metric
  for (io::JobRecord& row : rows) {
    if (is_derived(row.arm) || (!wanted.empty() && !wanted.contains(row.job_id))) continue;
    if (row.status != "finished" && finished.contains(row.job_id)) continue;
    kept.insert_or_assign({row.job_id, row.metric}, std::move(row));
  }
  std::vector<io::JobRecord> jobs;
  for (auto& [key, row] : kept) jobs.push_back(std::move(row));
  return jobs;
}

/// The last record of each key, sorted by key; `replaces(newer, older)` may object.
template <class Record, class KeyOf, class Replaces>
std::vector<Record> last_of_each(std::vector<Record> records, const KeyOf& key_of, const Replaces& replaces) {
  std::map<decltype(key_of(records.front())), Record> kept;
  for (Record& record : records) {
    auto key = key_of(record);
    const auto older = kept.find(key);
    if (older == kept.end() || replaces(record, older->second))
      kept.insert_or_assign(std::move(key), std::move(record));
  }
  std::vector<Record> out;
  for (auto& [key, record] : kept) out.push_back(std::move(record));
  return out;
}

template <class Record, class KeyOf>
std::vector<Record> last_of_each(std::vector<Record> records, const KeyOf& key_of) {
  return last_of_each(std::move(records), key_of, [](const Record&, const Record&) { return true; });
}

std::vector<io::TaskRecord> current_tasks(std::vector<io::TaskRecord> records, const std::vector<io::JobRecord>& jobs) {
  std::set<std::tuple<std::string, int64_t, std::string>> used;
  for (const io::JobRecord& job : jobs) used.emplace(job.task, job.repeat, job.split_hash);
  const auto key_of = [](const io::TaskRecord& task) { return std::tuple(task.task, task.repeat, task.split_hash); };

  std::set<std::pair<std::string, int64_t>> matched;
  for (const io::TaskRecord& task : records) {
    if (used.contains(key_of(task))) matched.emplace(task.task, task.repeat);
  }
  std::erase_if(records, [&](const io::TaskRecord& task) {
    return matched.contains({task.task, task.repeat}) && !used.contains(key_of(task));
  });
  return last_of_each(std::move(records), key_of);
}

std::vector<io::StageTime> added_up(const std::vector<io::StageTime>& times) {
  std::map<std::pair<std::string, int64_t>, io::StageTime> sums;
  for (const io::StageTime& time : times) {
    const auto [sum, is_first] = sums.try_emplace({time.stage, time.rank}, time);
    if (is_first) continue;
    sum->second.seconds += time.seconds;
    sum->second.cpu_energy_J += time.cpu_energy_J;
    sum->second.gpu_energy_J += time.gpu_energy_J;
  }
  std::vector<io::StageTime> out;
  for (const auto& [key, sum] : sums) out.push_back(sum);
  return out;
}

}  // namespace

io::Results merge(io::RunInfo info, std::vector<std::string> axes, io::Segment everything,
                  const MergeExpectation& expected) {
  if (!expected.encoders.empty()) {
    const std::set<std::string> names(expected.encoders.begin(), expected.encoders.end());
    std::erase_if(everything.encoders, [&](const auto& encoder) { return !names.contains(encoder.name); });
    std::erase_if(everything.sensitivity, [&](const auto& row) { return !names.contains(row.encoder); });
    std::erase_if(everything.similarities, [&](const auto& row) { return !names.contains(row.encoder); });
  }

  io::Results results;
  io::Segment& content = results.content;
  content.jobs = each_job_once(std::move(everything.jobs), expected);
  sort_jobs(content.jobs);
  content.encoders = last_of_each(
      std::move(everything.encoders),
      [](const auto& encoder) { return std::tuple(encoder.name, encoder.encoder_seed); },
      [](const auto& newer, const auto& older) { return newer.status == "finished" || older.status != "finished"; });
  content.sensitivity = last_of_each(std::move(everything.sensitivity), [](const auto& row) {
    return std::tuple(row.encoder, row.encoder_seed, row.corner, row.transformation);
  });
  content.similarities =
      last_of_each(io::of_last_measuring(std::move(everything.similarities)), [](const io::SimilarityRecord& row) {
        return std::tuple(row.encoder, row.encoder_seed, row.invariance, row.transformation, row.similarity);
      });
  content.data = last_of_each(std::move(everything.data), [](const auto& data) { return data.name; });
  content.stage_times = added_up(everything.stage_times);
  content.tasks = current_tasks(std::move(everything.tasks), content.jobs);

  for (io::JobRecord& row : derived_arms(content.jobs)) content.jobs.push_back(std::move(row));
  sort_jobs(content.jobs);

  results.summary = summary_table(content.jobs);
  results.arm_summary = arm_summary_table(content.jobs);
  results.axes = std::move(axes);
  results.info = std::move(info);
  results.info.invalid_because = why_invalid(content, expected);
  results.info.valid = results.info.invalid_because.empty();
  return results;
}

}  // namespace invaria::report
