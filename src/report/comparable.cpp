#include "report/comparable.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>
#include <tuple>

#include "config/differences.hpp"
#include "core/errors.hpp"
#include "report/arms.hpp"
#include "report/merge.hpp"
#include "report/recorded_tasks.hpp"

namespace invaria::report {

namespace {

using Differences = std::vector<std::string>;

/// "what: x in A, y in B" for each key that both maps have with different values.
template <class Map, class Name>
void add_differences(const Map& there, const Map& here, const NamedResults& a, const NamedResults& b, const Name& name,
                     Differences& out) {
  for (const auto& [key, value] : there) {
    const auto found = here.find(key);
    if (found == here.end() || found->second == value) continue;
    out.push_back(fmt::format("{}: {} in {}, {} in {}", name(key), value, a.file, found->second, b.file));
  }
}

std::string brief(const std::string& hash) {
  return hash.substr(0, 12);
}

using Draw = std::pair<std::string, int64_t>;  ///< task, repeat

std::map<Draw, std::string> splits_of(const io::Results& results) {
  std::map<Draw, std::string> splits;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status == "finished") splits[{job.task, job.repeat}] = brief(job.split_hash);
  }
  return splits;
}

std::map<std::string, std::string> protocols_of(const io::Results& results) {
  std::map<std::string, std::string> protocols;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status == "finished") protocols[job.task] = job.protocol;
  }
  return protocols;
}

using EncoderKey = std::pair<std::string, int64_t>;  ///< name, seed

std::map<EncoderKey, std::string> encoders_of(const io::Results& results, std::string io::EncoderRecord::*member) {
  std::map<EncoderKey, std::string> encoders;
  for (const io::EncoderRecord& encoder : results.content.encoders) {
    if (encoder.status == "finished") encoders[{encoder.name, encoder.encoder_seed}] = encoder.*member;
  }
  return encoders;
}

std::map<std::string, std::string> data_of(const io::Results& results, std::string io::DataRecord::*member) {
  std::map<std::string, std::string> data;
  for (const io::DataRecord& record : results.content.data) data[record.name] = record.*member;
  return data;
}

using JobKey = std::pair<std::string, std::string>;  ///< id, metric

std::map<JobKey, const io::JobRecord*> jobs_of(const io::Results& results) {
  std::map<JobKey, const io::JobRecord*> jobs;
  for (const io::JobRecord& job : results.content.jobs) {
    if (job.status == "finished" && !is_derived(job.arm)) jobs[{job.job_id, job.metric}] = &job;
  }
  return jobs;
}

void compare_jobs(const NamedResults& a, const NamedResults& b, Differences& out) {
  const auto here = jobs_of(b.results);
  for (const auto& [key, job] : jobs_of(a.results)) {
    const auto found = here.find(key);
    if (found == here.end() || found->second->value == job->value) continue;
    out.push_back(fmt::format("job {} ({} on {}, repeat {}, {}): {} in {}, {} in {}", brief(key.first), job->arm,
                              job->task, job->repeat, job->metric, job->value, a.file, found->second->value, b.file));
  }
}

using RowKey = std::tuple<std::string, int64_t, std::string, std::string, int64_t, std::string>;

std::map<RowKey, std::string> ids_of(const io::Results& results) {
  std::map<RowKey, std::string> ids;
  for (const auto& [key, job] : jobs_of(results))
    ids[{job->encoder, job->encoder_seed, job->arm, job->task, job->repeat, job->metric}] = brief(key.first);
  return ids;
}

/// A row's id stands for everything that decides its value: the same row from other settings is another row.
void compare_settings(const NamedResults& a, const NamedResults& b, Differences& out) {
  Differences rows;
  add_differences(
      ids_of(a.results), ids_of(b.results), a, b,
      [](const RowKey& key) {
        return fmt::format("settings of {} on {}, repeat {}, {}", std::get<2>(key), std::get<3>(key), std::get<4>(key),
                           std::get<5>(key));
      },
      rows);
  if (rows.empty()) return;
  boost::system::error_code unread;
  const boost::json::value there = boost::json::parse(a.results.info.settings, unread);
  const boost::json::value here = boost::json::parse(b.results.info.settings, unread);
  for (const std::string& difference : config::differences(there, here))
    out.push_back(fmt::format("settings ({} there, {} here): {}", a.file, b.file, difference));
  out.insert(out.end(), rows.begin(), rows.end());
}

/// Where both say something, and not the same.
void add_contradictions(const boost::json::value& there, const boost::json::value& here, const std::string& path,
                        const NamedResults& a, const NamedResults& b, Differences& out) {
  if (there.is_object() && here.is_object()) {
    for (const auto& [key, value] : there.get_object()) {
      const boost::json::value* const other = here.get_object().if_contains(key);
      if (other == nullptr) continue;  // of a build that knew no such setting
      add_contradictions(value, *other, path.empty() ? std::string(key) : path + "." + std::string(key), a, b, out);
    }
  } else if (there.is_array() && here.is_array() && there.get_array().size() == here.get_array().size()) {
    for (size_t k = 0; k < there.get_array().size(); ++k)
      add_contradictions(there.get_array()[k], here.get_array()[k], fmt::format("{}[{}]", path, k), a, b, out);
  } else if (there != here) {
    out.push_back(fmt::format("{}: {} in {}, {} in {}", path, boost::json::serialize(there), a.file,
                              boost::json::serialize(here), b.file));
  }
}

bool has_arm(const io::Results& results, std::string_view beginning) {
  return std::any_of(results.content.jobs.begin(), results.content.jobs.end(),
                     [&](const io::JobRecord& job) { return job.arm.starts_with(beginning); });
}

/// How jobs of the arms that both have are done, without how many there are.
boost::json::value judging_of(const boost::json::value& downstream, const NamedResults& a, const NamedResults& b) {
  boost::json::value judging = downstream;
  if (!judging.is_object()) return judging;
  judging.get_object().erase("grid_per_axis");
  const auto both_have = [&](std::string_view arm) { return has_arm(a.results, arm) && has_arm(b.results, arm); };
  if (!both_have("learned-projected") && !both_have("learned-episode")) judging.get_object().erase("projected");
  boost::json::value* const joint = judging.get_object().if_contains("joint");
  if (!both_have("learned-joint")) {
    judging.get_object().erase("joint");
  } else if (joint != nullptr && joint->is_object()) {
    joint->get_object().erase("repeats");
  }
  return judging;
}

/// How all jobs of a suite are done and judged. Which there are (encoders' names and seeds, tasks, arms, repeats) may
/// differ: that is what files are merged for.
void compare_suites(const NamedResults& a, const NamedResults& b, Differences& out) {
  boost::system::error_code unread;
  const boost::json::value there = boost::json::parse(a.results.info.settings, unread);
  const boost::json::value here = boost::json::parse(b.results.info.settings, unread);
  if (!there.is_object() || !here.is_object()) return;
  for (const std::string section : {"axes", "downstream", "seed"}) {
    const boost::json::value* const one = there.get_object().if_contains(section);
    const boost::json::value* const other = here.get_object().if_contains(section);
    if (one == nullptr || other == nullptr) continue;
    const bool is_judging = section == "downstream";
    add_contradictions(is_judging ? judging_of(*one, a, b) : *one, is_judging ? judging_of(*other, a, b) : *other,
                       section, a, b, out);
  }
}

/// Measured similarities are one table, whose rows must be measured alike.
void compare_measurings(const NamedResults& a, const NamedResults& b, Differences& out) {
  if (a.results.content.similarities.empty() || b.results.content.similarities.empty()) return;
  boost::system::error_code unread;
  add_contradictions(boost::json::parse(a.results.content.similarities.front().settings, unread),
                     boost::json::parse(b.results.content.similarities.front().settings, unread), "measure", a, b, out);
}

/// An encoder's settings by its name: seeds of one encoder are pretrained alike.
std::map<std::string, boost::json::value> settings_of_encoders(const io::Results& results) {
  std::map<std::string, boost::json::value> settings;
  for (const io::EncoderRecord& encoder : results.content.encoders) {
    boost::system::error_code unread;
    boost::json::value value = boost::json::parse(encoder.settings, unread);
    if (encoder.status != "finished" || !value.is_object()) continue;
    value.get_object().erase("seed");
    settings.emplace(encoder.name, std::move(value));
  }
  return settings;
}

void compare_encoders(const NamedResults& a, const NamedResults& b, Differences& out) {
  const auto here = settings_of_encoders(b.results);
  for (const auto& [name, settings] : settings_of_encoders(a.results)) {
    const auto found = here.find(name);
    if (found != here.end()) add_contradictions(settings, found->second, "encoder " + name, a, b, out);
  }
}

/// What keeps two results of one suite from being one.
Differences differences_of(const NamedResults& a, const NamedResults& b) {
  Differences out;
  if (a.results.axes != b.results.axes) {
    out.push_back(fmt::format("axes: {} in {}, {} in {}", fmt::join(a.results.axes, ","), a.file,
                              fmt::join(b.results.axes, ","), b.file));
  }
  for (const Differences& more : {differences_in_judging(a, b), differences_in_tasks(a, b)})
    out.insert(out.end(), more.begin(), more.end());
  const auto data_name = [](const char* what) {
    return [what](const std::string& name) { return fmt::format("data {}: {}", name, what); };
  };
  for (const auto& [what, member] :
       {std::pair{"checksum", &io::DataRecord::checksum}, {"settings", &io::DataRecord::settings}}) {
    add_differences(data_of(a.results, member), data_of(b.results, member), a, b, data_name(what), out);
  }
  const auto encoder_name = [](const char* what) {
    return
        [what](const EncoderKey& key) { return fmt::format("encoder {}, seed {}: {}", key.first, key.second, what); };
  };
  for (const auto& [what, member] : {std::pair{"settings", &io::EncoderRecord::settings},
                                     {"checkpoint hash", &io::EncoderRecord::checkpoint_hash}}) {
    add_differences(encoders_of(a.results, member), encoders_of(b.results, member), a, b, encoder_name(what), out);
  }
  if (out.empty()) compare_settings(a, b, out);
  if (out.empty()) {
    compare_suites(a, b, out);
    compare_encoders(a, b, out);
    compare_measurings(a, b, out);
  }
  compare_jobs(a, b, out);
  return out;
}

constexpr size_t kShown = 8;

[[noreturn]] void refuse(const std::string& suite, const Differences& differences) {
  std::string lines;
  for (size_t k = 0; k < std::min(kShown, differences.size()); ++k) lines += "\n  " + differences[k];
  if (differences.size() > kShown) lines += fmt::format("\n  and {} more", differences.size() - kShown);
  throw_config(
      "suite {}: these files cannot be merged:{}\nReport on them one by one, or lay them side by side with "
      "`invaria compare`.",
      suite, lines);
}

/// The hosts of both, each once.
std::string united(const std::string& a, const std::string& b) {
  boost::system::error_code error;
  boost::json::value all = boost::json::parse(a, error);
  if (error || !all.is_array()) return a;
  const boost::json::value more = boost::json::parse(b, error);
  if (error || !more.is_array()) return a;
  boost::json::array& hosts = all.as_array();
  for (const boost::json::value& host : more.as_array()) {
    if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
  }
  return boost::json::serialize(all);
}

/// The suite of `a` with the tasks that only `b` has.
std::string united_suites(const std::string& a, const std::string& b) {
  boost::system::error_code error;
  boost::json::value suite = boost::json::parse(a, error);
  boost::json::value* const tasks = suite.find_pointer("/tasks", error);
  if (tasks == nullptr || !tasks->is_array()) return a;
  const auto own = recorded_tasks(a);
  for (const auto& [name, task] : recorded_tasks(b)) {
    if (!own.contains(name)) tasks->get_array().push_back(task);
  }
  return boost::json::serialize(suite);
}

io::RunInfo united(io::RunInfo a, const io::RunInfo& b) {
  a.settings = united_suites(a.settings, b.settings);
  a.created = std::min(a.created, b.created);
  a.finished = std::max(a.finished, b.finished);
  a.world_size = std::max(a.world_size, b.world_size);
  a.wall_s += b.wall_s;
  a.energy_J += b.energy_J;
  a.hosts = united(a.hosts, b.hosts);
  for (std::string io::RunInfo::*text : {&io::RunInfo::version, &io::RunInfo::compiler, &io::RunInfo::flags}) {
    if (a.*text != b.*text) a.*text += ", " + b.*text;
  }
  for (std::string io::RunInfo::*json : {&io::RunInfo::libraries, &io::RunInfo::slurm}) {
    if (a.*json != b.*json) a.*json = fmt::format("[{}, {}]", a.*json, b.*json);
  }
  if (a.git_commit != b.git_commit) a.git_commit = "several";
  a.git_dirty |= b.git_dirty;
  return a;
}

io::Results merged(std::vector<NamedResults> files) {
  if (files.size() == 1) return std::move(files.front().results);
  Differences differences;
  for (size_t a = 0; a < files.size(); ++a) {
    for (size_t b = a + 1; b < files.size(); ++b) {
      const Differences more = differences_of(files[a], files[b]);
      differences.insert(differences.end(), more.begin(), more.end());
    }
  }
  if (!differences.empty()) refuse(files.front().results.info.suite, differences);

  io::RunInfo info = files.front().results.info;
  io::Segment everything;
  Differences reasons;
  for (size_t k = 0; k < files.size(); ++k) {
    const io::Results& results = files[k].results;
    if (k > 0) info = united(std::move(info), results.info);
    if (!results.info.valid) reasons.push_back(fmt::format("{}: {}", files[k].file, results.info.invalid_because));
    io::append(everything, results.content);
  }
  io::Results out = merge(std::move(info), files.front().results.axes, std::move(everything), {});
  if (!out.info.valid) reasons.push_back(out.info.invalid_because);
  out.info.invalid_because = fmt::format("{}", fmt::join(reasons, "; "));
  out.info.valid = reasons.empty();
  return out;
}

}  // namespace

std::vector<std::string> differences_in_judging(const NamedResults& a, const NamedResults& b) {
  Differences out;
  add_differences(
      splits_of(a.results), splits_of(b.results), a, b,
      [](const Draw& draw) { return fmt::format("split of {}, repeat {}", draw.first, draw.second); }, out);
  add_differences(
      protocols_of(a.results), protocols_of(b.results), a, b,
      [](const std::string& task) { return fmt::format("protocol of {}", task); }, out);
  return out;
}

std::vector<std::string> differences_in_tasks(const NamedResults& a, const NamedResults& b) {
  Differences out;
  auto own = recorded_tasks(a.results.info.settings), others = recorded_tasks(b.results.info.settings);
  for (auto& [name, task] : own) {
    const auto found = others.find(name);
    if (found == others.end()) continue;
    // Metrics are rows of their own.
    for (boost::json::value* each : {&task, &found->second}) each->get_object().erase("metrics");
    add_contradictions(task, found->second, "task " + name, a, b, out);
  }
  return out;
}

std::vector<io::Results> merged_by_suite(std::vector<NamedResults> files) {
  std::vector<std::vector<NamedResults>> suites;
  for (NamedResults& file : files) {
    const auto known = std::find_if(suites.begin(), suites.end(), [&](const std::vector<NamedResults>& suite) {
      return suite.front().results.info.suite == file.results.info.suite;
    });
    (known == suites.end() ? suites.emplace_back() : *known).push_back(std::move(file));
  }
  std::vector<io::Results> out;
  for (std::vector<NamedResults>& suite : suites) out.push_back(merged(std::move(suite)));
  return out;
}

}  // namespace invaria::report
