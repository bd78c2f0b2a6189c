#include "report/verify.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "report/arms.hpp"
#include "report/merge.hpp"
#include "report/report.hpp"

namespace invaria::report {

namespace {

using Differences = std::vector<std::string>;

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}
bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return same(x, y); });
}

std::string text(const std::vector<double>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}
template <class T>
std::string text(const T& value) {
  return fmt::format("{}", value);
}

/// Every column of /jobs with its name.
template <class Visit>
void for_each_column(Visit visit) {
  using Job = io::JobRecord;
  visit("job_id", &Job::job_id);
  visit("encoder", &Job::encoder);
  visit("encoder_seed", &Job::encoder_seed);
  visit("arm", &Job::arm);
  visit("task", &Job::task);
  visit("metric", &Job::metric);
  visit("value", &Job::value);
  visit("validation_value", &Job::validation_value);
  visit("value_low", &Job::value_low);
  visit("value_high", &Job::value_high);
  visit("repeat", &Job::repeat);
  visit("protocol", &Job::protocol);
  visit("shots", &Job::shots);
  visit("readout_l2", &Job::readout_l2);
  visit("invariance", &Job::invariance);
  visit("bn_statistics", &Job::bn_statistics);
  visit("bn_hash", &Job::bn_hash);
  visit("split_hash", &Job::split_hash);
  visit("halves", &Job::halves);
  visit("seconds", &Job::seconds);
  visit("samples_per_s", &Job::samples_per_s);
  visit("encoder_passes", &Job::encoder_passes);
  visit("rank", &Job::rank);
  visit("host", &Job::host);
  visit("encoder_hash_before", &Job::encoder_hash_before);
  visit("encoder_hash_after", &Job::encoder_hash_after);
  visit("status", &Job::status);
  visit("error", &Job::error);
}

auto key_of(const io::JobRecord& job) {
  return std::tuple(job.encoder, job.encoder_seed, job.task, job.repeat, job.arm, job.metric, job.job_id);
}

std::string name_of(const io::JobRecord& job) {
  return fmt::format("jobs: {} on {}, repeat {}, {} ({}, encoder seed {})", job.arm, job.task, job.repeat, job.metric,
                     job.encoder, job.encoder_seed);
}

/// Rows by key; a derived row by its key without the id, so that an altered id is named as such.
template <class Key>
std::map<Key, const io::JobRecord*> by_key(const std::vector<io::JobRecord>& jobs, Differences& out) {
  std::map<Key, const io::JobRecord*> rows;
  for (const io::JobRecord& job : jobs) {
    Key key = key_of(job);
    if (is_derived(job.arm)) std::get<6>(key).clear();
    if (!rows.try_emplace(key, &job).second) out.push_back(name_of(job) + ": stored twice");
  }
  return rows;
}

void compare_jobs(const std::vector<io::JobRecord>& stored, const std::vector<io::JobRecord>& recomputed,
                  Differences& out) {
  using Key = decltype(key_of(stored.front()));
  Differences none;
  const auto stored_rows = by_key<Key>(stored, out);
  const auto recomputed_rows = by_key<Key>(recomputed, none);
  for (const auto& [key, job] : stored_rows) {
    const auto found = recomputed_rows.find(key);
    if (found == recomputed_rows.end()) {
      out.push_back(name_of(*job) +
                    (is_derived(job->arm) ? ": does not follow from the grid" : ": the suite has no such job"));
      continue;
    }
    for_each_column([&, job = job](const char* column, auto member) {
      if (same(job->*member, found->second->*member)) return;
      out.push_back(fmt::format("{}: {} is {}, recomputed {}", name_of(*job), column, text(job->*member),
                                text(found->second->*member)));
    });
  }
  for (const auto& [key, job] : recomputed_rows) {
    if (!stored_rows.contains(key)) out.push_back(name_of(*job) + ": missing");
  }
}

/// A summary's rows: text columns joined -> numbers by column. Rows without any number are as good as absent, since the
/// file's arrays hold every combination.
std::map<std::string, std::map<std::string, double>> rows_of(const io::Table& table) {
  std::map<std::string, std::map<std::string, double>> rows;
  for (size_t row = 0; row < static_cast<size_t>(table.rows()); ++row) {
    std::map<std::string, std::string> keys;  // the order of columns may differ in a file
    std::map<std::string, double> numbers;
    bool empty = true;
    for (const io::Column& column : table.columns()) {
      if (const auto* texts = std::get_if<std::vector<std::string>>(&column.cells)) {
        keys[column.name] = (*texts)[row];
        continue;
      }
      const auto* doubles = std::get_if<std::vector<double>>(&column.cells);
      const double number =
          doubles != nullptr ? (*doubles)[row] : static_cast<double>(std::get<std::vector<int64_t>>(column.cells)[row]);
      numbers[column.name] = number;
      if (!std::isnan(number) && number != 0.0) empty = false;
    }
    std::vector<std::string> parts;
    for (const auto& [name, value] : keys) parts.push_back(fmt::format("{} {}", name, value));
    if (!empty) rows[fmt::format("{}", fmt::join(parts, ", "))] = numbers;
  }
  return rows;
}

void compare_tables(const char* name, const io::Table& stored, const io::Table& recomputed, Differences& out) {
  const auto stored_rows = rows_of(stored);
  const auto recomputed_rows = rows_of(recomputed);
  for (const auto& [key, numbers] : recomputed_rows) {
    const auto found = stored_rows.find(key);
    if (found == stored_rows.end()) {
      out.push_back(fmt::format("{}: {}: missing", name, key));
      continue;
    }
    for (const auto& [column, number] : numbers) {
      const auto stored_number = found->second.find(column);
      if (stored_number == found->second.end()) {
        out.push_back(fmt::format("{}: {}: no column {}", name, key, column));
      } else if (!same(stored_number->second, number)) {
        out.push_back(fmt::format("{}: {}: {} is {}, recomputed {}", name, key, column, stored_number->second, number));
      }
    }
  }
  for (const auto& [key, numbers] : stored_rows) {
    if (!recomputed_rows.contains(key)) out.push_back(fmt::format("{}: {}: does not follow from the jobs", name, key));
  }
}

/// How many points of a trajectory hold a number: files fill short ones up with NaN.
size_t n_points(const io::Trajectory& trajectory) {
  size_t n = trajectory.loss.size();
  const auto is_empty = [&](size_t point) {
    const std::vector<double>& i = trajectory.invariance[point];
    return std::isnan(trajectory.loss[point]) && std::isnan(trajectory.validation[point]) &&
           std::all_of(i.begin(), i.end(), [](double value) { return std::isnan(value); });
  };
  while (n > 0 && is_empty(n - 1)) --n;
  return n;
}

void compare_trajectories(const std::vector<io::JobRecord>& stored, const std::vector<io::JobRecord>& kept,
                          Differences& out) {
  using Key = decltype(key_of(stored.front()));
  Differences none;
  const auto kept_rows = by_key<Key>(kept, none);
  for (const io::JobRecord& job : stored) {
    const auto found = kept_rows.find(key_of(job));
    if (is_derived(job.arm) || found == kept_rows.end()) continue;
    const io::Trajectory &a = job.trajectory, &b = found->second->trajectory;
    const size_t n = n_points(a);
    if (n != n_points(b)) {
      out.push_back(fmt::format("{}: a trajectory of {} points, its segment has {}", name_of(job), n, n_points(b)));
      continue;
    }
    for (size_t point = 0; point < n; ++point) {
      if (same(a.loss[point], b.loss[point]) && same(a.validation[point], b.validation[point]) &&
          same(a.encoder_passes[point], b.encoder_passes[point]) && same(a.seconds[point], b.seconds[point]) &&
          same(a.invariance[point], b.invariance[point]))
        continue;
      out.push_back(
          fmt::format("{}: trajectory, point {}: i {}, loss {}, validation {}, passes {}, seconds {}; its segment has "
                      "i {}, loss {}, "
                      "validation {}, passes {}, seconds {}",
                      name_of(job), point, text(a.invariance[point]), a.loss[point], a.validation[point],
                      a.encoder_passes[point], a.seconds[point], text(b.invariance[point]), b.loss[point],
                      b.validation[point], b.encoder_passes[point], b.seconds[point]));
      break;
    }
  }
}

void compare_sensitivity(const std::vector<io::SensitivityRecord>& stored,
                         const std::vector<io::SensitivityRecord>& kept, Differences& out) {
  const auto rows = [](const std::vector<io::SensitivityRecord>& records) {
    std::map<std::string, double> by_name;
    for (const io::SensitivityRecord& row : records) {
      by_name[fmt::format("sensitivity: {} (encoder seed {}) at {}, {}", row.encoder, row.encoder_seed, row.corner,
                          row.transformation)] = row.value;
    }
    return by_name;
  };
  const auto stored_rows = rows(stored), kept_rows = rows(kept);
  for (const auto& [name, value] : stored_rows) {
    const auto found = kept_rows.find(name);
    if (found == kept_rows.end()) {
      out.push_back(name + ": no segment has it");
    } else if (!same(value, found->second)) {
      out.push_back(fmt::format("{} is {}, its segment has {}", name, value, found->second));
    }
  }
  for (const auto& [name, value] : kept_rows) {
    if (!stored_rows.contains(name)) out.push_back(name + ": missing");
  }
}

void compare_similarities(const std::vector<io::SimilarityRecord>& stored,
                          const std::vector<io::SimilarityRecord>& kept, Differences& out) {
  const auto rows = [](const std::vector<io::SimilarityRecord>& records) {
    std::map<std::string, const io::SimilarityRecord*> by_name;
    for (const io::SimilarityRecord& row : records) {
      by_name[fmt::format("invariance: {} (encoder seed {}) at {}, {}, {}", row.encoder, row.encoder_seed,
                          text(row.invariance), row.transformation, row.similarity)] = &row;
    }
    return by_name;
  };
  const auto stored_rows = rows(stored), kept_rows = rows(kept);
  for (const auto& [name, row] : stored_rows) {
    const auto found = kept_rows.find(name);
    if (found == kept_rows.end()) {
      out.push_back(name + ": no segment has it");
    } else if (row->directions != found->second->directions || row->settings != found->second->settings ||
               !same(row->strengths, found->second->strengths) || !same(row->values, found->second->values)) {
      out.push_back(name + ": it is not what its segment has");
    }
  }
  for (const auto& [name, row] : kept_rows) {
    if (!stored_rows.contains(name)) out.push_back(name + ": missing");
  }
}

void compare_encoders(const std::vector<io::EncoderRecord>& stored, const std::vector<io::EncoderRecord>& kept,
                      Differences& out) {
  for (const io::EncoderRecord& a : stored) {
    const std::string name = fmt::format("encoder {} (seed {})", a.name, a.encoder_seed);
    const auto b = std::find_if(kept.begin(), kept.end(), [&](const io::EncoderRecord& candidate) {
      return candidate.name == a.name && candidate.encoder_seed == a.encoder_seed;
    });
    if (b == kept.end()) {
      out.push_back(name + ": neither checkpoint nor segment has it");
      continue;
    }
    const auto compare = [&](const char* what, const auto& in_results, const auto& on_disk) {
      if (!same(in_results, on_disk)) {
        out.push_back(fmt::format("{}: {} is {}, on disk {}", name, what, text(in_results), text(on_disk)));
      }
    };
    compare("settings", a.settings, b->settings);
    compare("status", a.status, b->status);
    compare("error", a.error, b->error);
    compare("parameters", a.parameters, b->parameters);
    compare("flops_per_image", a.flops_per_image, b->flops_per_image);
    compare("seconds", a.seconds, b->seconds);
    const auto compare_columns = [&](const char* table, const io::Table& in_results, const io::Table& on_disk) {
      for (const io::Column& column : on_disk.columns()) {
        if (!in_results.contains(column.name)) {
          out.push_back(fmt::format("{}: {}/{} is missing", name, table, column.name));
        } else if (!(io::Table({column}) == io::Table({in_results.column(column.name)}))) {
          out.push_back(fmt::format("{}: {}/{} is not what its checkpoint has", name, table, column.name));
        }
      }
    };
    compare_columns("pretraining", a.pretraining, b->pretraining);
    compare_columns("monitor", a.monitor, b->monitor);
  }
}

void compare_data(const std::vector<io::DataRecord>& stored, const std::vector<io::DataRecord>& kept,
                  Differences& out) {
  for (const io::DataRecord& data : stored) {
    if (std::find(kept.begin(), kept.end(), data) == kept.end()) {
      out.push_back(fmt::format("data set {}: its record is not what its segment has", data.name));
    }
  }
}

}  // namespace

std::vector<std::string> compare_with_disk(const io::Results& stored, const io::Results& merged) {
  Differences differences;
  compare_jobs(stored.content.jobs, merged.content.jobs, differences);
  compare_trajectories(stored.content.jobs, merged.content.jobs, differences);
  compare_sensitivity(stored.content.sensitivity, merged.content.sensitivity, differences);
  compare_similarities(stored.content.similarities, merged.content.similarities, differences);
  compare_encoders(stored.content.encoders, merged.content.encoders, differences);
  compare_data(stored.content.data, merged.content.data, differences);
  return differences;
}

std::vector<std::string> verify_results(const io::Results& stored, const MergeExpectation& expected) {
  const io::Results recomputed = merge(stored.info, stored.axes, stored.content, expected);
  Differences differences;
  compare_jobs(stored.content.jobs, recomputed.content.jobs, differences);
  compare_tables("summary", stored.summary, recomputed.summary, differences);
  compare_tables("arm_summary", stored.arm_summary, recomputed.arm_summary, differences);
  if (verdict(stored.info) != verdict(recomputed.info)) {
    differences.push_back(
        fmt::format("validity: the file says {}, recomputed {}", verdict(stored.info), verdict(recomputed.info)));
  }
  return differences;
}

}  // namespace invaria::report
