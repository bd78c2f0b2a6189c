#include "report/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "core/errors.hpp"
#include "report/arms.hpp"
#include "report/numbers.hpp"
#include "report/statistics.hpp"
#include "report/summary.hpp"

namespace invaria::report {

namespace {

using Key = std::tuple<std::string, std::string, std::string>;  ///< encoder, arm, task
using Pair = std::pair<int64_t, int64_t>;                       ///< encoder seed, repeat
/// Key -> metric -> pair -> job.
using Jobs = std::map<Key, std::map<std::string, std::map<Pair, const io::JobRecord*>>>;

Jobs jobs_of(const io::Results& results) {
  Jobs jobs;
  for (const io::JobRecord& job : results.content.jobs) {
    if (!has_value(job) || !is_contestant(job.arm)) continue;
    jobs[{job.encoder, job.arm, job.task}][job.metric][{job.encoder_seed, job.repeat}] = &job;
  }
  return jobs;
}

template <class Map>
std::set<std::string> keys_of(const Map& map) {
  std::set<std::string> keys;
  for (const auto& [key, value] : map) keys.insert(key);
  return keys;
}

/// Count what finished in A, in its main metric, and did not in B.
void count_broken(const Jobs& before, const io::Results& b, Comparison& comparison) {
  std::map<std::tuple<Key, Pair, std::string>, const io::JobRecord*> after;
  for (const io::JobRecord& job : b.content.jobs)
    after[{{job.encoder, job.arm, job.task}, {job.encoder_seed, job.repeat}, job.metric}] = &job;
  for (const auto& [key, metrics] : before) {
    const auto& [encoder, arm, task] = key;
    Broken broken{encoder, arm, task, 0, ""};
    const std::string metric = main_metric(keys_of(metrics));
    for (const auto& [pair, job] : metrics.at(metric)) {
      const auto found = after.find({key, pair, metric});
      if (found == after.end()) {
        ++comparison.n_only_in_a;
      } else if (!has_value(*found->second) && broken.n++ == 0) {
        broken.error = found->second->error;
      }
    }
    if (broken.n > 0) comparison.broken.push_back(std::move(broken));
  }
}

/// As a report has the arms, tasks within.
template <class Row>
bool comes_before(const Row& x, const Row& y) {
  return std::tuple(position(x.arm), x.arm, x.encoder, x.task) < std::tuple(position(y.arm), y.arm, y.encoder, y.task);
}

template <class Map>
std::set<std::string> shared_keys(const Map& a, const Map& b) {
  std::set<std::string> keys;
  for (const auto& [key, value] : a) {
    if (b.contains(key)) keys.insert(key);
  }
  return keys;
}

/// The change over the pairs that both have; n is 0 if there are none.
Change change_of(const std::map<Pair, const io::JobRecord*>& a, const std::map<Pair, const io::JobRecord*>& b,
                 const std::string& metric, Comparison& counts) {
  BySeed before, after, better;
  for (const auto& [pair, job] : a) {
    const auto found = b.find(pair);
    if (found == b.end()) continue;
    ++counts.n_jobs;
    counts.n_same_settings += job->job_id == found->second->job_id ? 1 : 0;
    before[pair.first].push_back(100.0 * job->value);
    after[pair.first].push_back(100.0 * found->second->value);
    better[pair.first].push_back(100.0 * (goodness(metric, found->second->value) - goodness(metric, job->value)));
  }
  Change change;
  if (better.empty()) return change;
  const std::vector<double> differences = independent_values(better);
  change.metric = metric;
  change.before = mean(independent_values(before));
  change.after = mean(independent_values(after));
  change.n = static_cast<int64_t>(differences.size());
  change.difference = mean(differences);
  change.half_width = ci95_half_width(differences);
  change.p = sign_flip_p_value(differences);
  return change;
}

void correct_over_tasks(std::vector<Change>& changes) {
  std::map<std::pair<std::string, std::string>, std::vector<Change*>> arms;
  for (Change& change : changes) arms[{change.encoder, change.arm}].push_back(&change);
  for (auto& [arm, tasks] : arms) {
    std::erase_if(tasks, [](const Change* change) { return std::isnan(change->p); });
    std::vector<double> p;
    for (const Change* change : tasks) p.push_back(change->p);
    const std::vector<double> corrected = holm(p);
    for (size_t k = 0; k < tasks.size(); ++k) tasks[k]->p_holm = corrected[k];
  }
}

}  // namespace

Comparison compare(const NamedResults& a, const NamedResults& b) {
  const std::vector<std::string> differences = differences_in_judging(a, b);
  if (!differences.empty()) {
    throw_config("{} and {} cannot be compared:\n  {}", a.file, b.file, fmt::join(differences, "\n  "));
  }
  Comparison comparison;
  const Jobs before = jobs_of(a.results), after = jobs_of(b.results);
  for (const auto& [key, metrics] : before) {
    const auto found = after.find(key);
    if (found == after.end()) continue;
    const std::string metric = main_metric(shared_keys(metrics, found->second));
    if (metric.empty()) continue;
    Change change = change_of(metrics.at(metric), found->second.at(metric), metric, comparison);
    if (change.n == 0) continue;
    std::tie(change.encoder, change.arm, change.task) = key;
    change.p_holm = change.p;
    comparison.changes.push_back(std::move(change));
  }
  count_broken(before, b.results, comparison);
  if (comparison.changes.empty() && comparison.broken.empty()) {
    throw_config(
        "{} and {} have no job in common: none of the same encoder name, encoder seed, arm, task, repeat and "
        "metric finished in both",
        a.file, b.file);
  }
  correct_over_tasks(comparison.changes);
  std::stable_sort(comparison.changes.begin(), comparison.changes.end(), comes_before<Change>);
  std::stable_sort(comparison.broken.begin(), comparison.broken.end(), comes_before<Broken>);
  return comparison;
}

std::vector<Change> regressions(const Comparison& comparison, double threshold) {
  std::vector<Change> lost;
  std::copy_if(comparison.changes.begin(), comparison.changes.end(), std::back_inserter(lost),
               [&](const Change& change) { return change.difference < -threshold; });
  return lost;
}

Section comparison_section(const Comparison& comparison, const NamedResults& a, const NamedResults& b) {
  Table table("comparison", {key_column("encoder"),
                             key_column("arm"),
                             key_column("task"),
                             {"metric", "", Align::kLeft},
                             {"n", "pairs"},
                             {"A", "%"},
                             {"B", "%"},
                             {"B better by", "points"},
                             {"p", ""},
                             {"p, Holm", ""}});
  for (const Change& change : comparison.changes) {
    Cell difference = decimal_cell(change.difference, 1);
    difference.half_width = change.half_width;
    if (difference.has_interval()) difference.text += " ± " + decimal(change.half_width, 1);
    table.add_row({{change.encoder},
                   {change.arm},
                   {change.task},
                   {change.metric},
                   count_cell(change.n),
                   decimal_cell(change.before, 1),
                   decimal_cell(change.after, 1),
                   std::move(difference),
                   decimal_cell(change.p, 4),
                   decimal_cell(change.p_holm, 4)});
  }
  Section section{"comparison", "Comparison",
                  "mean of B - A over pairs of the same encoder seed and repeat, ± half the 95 % paired interval; p of "
                  "the sign-flip permutation test, corrected over the tasks of an arm"};
  section.add(std::move(table));
  section.lines = {
      fmt::format("A: {}, {}", a.file, a.results.info.valid ? "VALID" : "INVALID: " + a.results.info.invalid_because),
      fmt::format("B: {}, {}", b.file, b.results.info.valid ? "VALID" : "INVALID: " + b.results.info.invalid_because),
      fmt::format("{} jobs are in both, {} of them of the same settings", comparison.n_jobs,
                  comparison.n_same_settings)};
  for (const std::string& difference : differences_in_tasks(a, b))
    section.lines.push_back("not the same task: " + difference);
  if (comparison.n_only_in_a > 0)
    section.lines.push_back(fmt::format("{} jobs finished in A are not in B at all", comparison.n_only_in_a));
  return section;
}

}  // namespace invaria::report
