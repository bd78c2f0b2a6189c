// The sections on what was run, how long it took and what failed.
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "report/numbers.hpp"
#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

/// The mean over the last tenth of a column's rows (at least one): a single step's loss is noise. NaN without rows.
double mean_of_last_tenth(const io::Table& table, const std::string& name) {
  if (!table.contains(name) || table.rows() == 0) return std::numeric_limits<double>::quiet_NaN();
  const std::vector<double>& values = table.doubles(name);
  const size_t n = (values.size() + 9) / 10;
  return mean(std::span(values).last(n));
}

double mean_of_column(const io::Table& table, const std::string& name) {
  return table.contains(name) ? mean(table.doubles(name)) : std::numeric_limits<double>::quiet_NaN();
}

/// Hashes are told apart by their first digits.
std::string brief(const std::string& hash) {
  return hash.empty() ? kNotAvailable : hash.substr(0, 12);
}

/// One line a host: the values of its JSON object, in order. Text that is no list of objects is one line as it is.
std::vector<std::string> host_lines(const std::string& hosts) {
  boost::system::error_code error;
  const boost::json::value parsed = boost::json::parse(hosts, error);
  if (hosts.empty()) return {};
  if (error || !parsed.is_array()) return {hosts};
  std::vector<std::string> lines;
  for (const boost::json::value& host : parsed.as_array()) {
    std::vector<std::string> parts;
    if (host.is_object()) {
      for (const auto& [key, value] : host.as_object()) {
        const std::string text = value.is_string() ? std::string(value.as_string()) : boost::json::serialize(value);
        if (!text.empty()) parts.push_back(key == "name" ? text : fmt::format("{} {}", std::string(key), text));
      }
    } else {
      parts.push_back(boost::json::serialize(host));
    }
    lines.push_back(fmt::format("{}", fmt::join(parts, ", ")));
  }
  return lines;
}

/// An error's lines under its job's.
void add_indented(const std::string& text, std::vector<std::string>& lines) {
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back("    " + text.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace

Section run_section(const io::RunInfo& info) {
  Section section{"run", fmt::format("Suite {}", info.suite), ""};
  std::vector<std::string>& lines = section.lines;
  const std::string commit = info.git_commit.empty() ? ""
                                                     : fmt::format(" (commit {}{})", brief(info.git_commit),
                                                                   info.git_dirty ? ", changed" : "");
  lines.push_back(fmt::format("invaria {}{}, {} {}", info.version, commit, info.world_size,
                              info.world_size == 1 ? "rank" : "ranks"));
  lines.push_back(fmt::format("{} to {}, {} of wall-clock time", info.created, info.finished, duration(info.wall_s)));
  if (!std::isnan(info.energy_J)) lines.push_back(fmt::format("energy: {}J", quantity(info.energy_J)));
  for (const std::string& host : host_lines(info.hosts)) lines.push_back("host: " + host);
  return section;
}

Section encoders_section(const io::Segment& content) {
  Table table("encoders", {key_column("encoder"),
                           {"seed", "", Align::kRight, true},
                           {"parameters", ""},
                           {"per image", "FLOP"},
                           {"steps", ""},
                           {"time", "", Align::kRight, false, "s"},
                           {"rate", "images/s"},
                           {"final loss", "nats"},
                           {"final top1", "%"},
                           {"status", "", Align::kLeft}});
  for (const io::EncoderRecord& encoder : content.encoders) {
    const io::Table& steps = encoder.pretraining;
    const bool trained = steps.contains("step") && steps.rows() > 0;
    table.add_row({{encoder.name},
                   count_cell(encoder.encoder_seed),
                   quantity_cell(static_cast<double>(encoder.parameters)),
                   quantity_cell(encoder.flops_per_image),
                   trained ? count_cell(steps.integers("step").back() + 1) : no_cell(),
                   duration_cell(encoder.seconds),
                   quantity_cell(mean_of_column(steps, "images_per_s")),
                   decimal_cell(mean_of_last_tenth(steps, "loss"), 3),
                   percent_cell(mean_of_last_tenth(steps, "top1")),
                   {encoder.status}});
  }
  Section section{"encoders", "Encoders", "final values are means over the last tenth of the recorded steps"};
  section.add(std::move(table));
  return section;
}

Section data_section(const io::Segment& content) {
  Table table("data", {key_column("data set"),
                       {"checksum", "", Align::kLeft},
                       {"split", "", Align::kLeft},
                       {"hash", "", Align::kLeft},
                       {"files left out", ""}});
  Section section{"data", "Data sets", ""};
  for (const io::DataRecord& data : content.data) {
    std::vector<Cell> first{
        {data.name}, {brief(data.checksum)}, {}, {}, count_cell(static_cast<int64_t>(data.files_left_out.size()))};
    for (const auto& [split, hash] : data.split_hashes) {
      first[2].text = split;
      first[3].text = brief(hash);
      table.add_row(first);
      first = {{}, {}, {}, {}, {}};
    }
    if (data.split_hashes.empty()) table.add_row(first);
    for (const std::string& file : data.files_left_out) {
      section.lines.push_back(fmt::format("left out of {}: {}", data.name, file));
    }
  }
  section.add(std::move(table));
  return section;
}

Section sensitivity_section(const io::Segment& content) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::vector<double>>> rows;
  std::set<std::string> transformations;
  for (const io::SensitivityRecord& row : content.sensitivity) {
    rows[{row.encoder, row.corner}][row.transformation].push_back(row.value);
    transformations.insert(row.transformation);
  }

  std::vector<Column> columns{key_column("encoder"), key_column("corner")};
  for (const std::string& transformation : transformations) columns.push_back({transformation, ""});
  Table table("sensitivity", columns);
  for (const auto& [key, values] : rows) {
    std::vector<Cell> row{{key.first}, {key.second}};
    for (const std::string& transformation : transformations) {
      const auto found = values.find(transformation);
      row.push_back(found == values.end() ? no_cell() : decimal_cell(mean(found->second), 2));
    }
    table.add_row(std::move(row));
  }
  Section section{"sensitivity", "Sensitivity",
                  "E|f(x) - f(Tx)|^2 / E|f(x) - f(x')|^2, 0 = invariant; mean over encoder seeds"};
  section.add(std::move(table));
  return section;
}

Section stages_section(const io::Segment& content) {
  std::map<std::string, std::vector<double>> seconds;
  std::map<std::string, double> joules;  // NaN where a part is not known
  for (const io::StageTime& time : content.stage_times) {
    seconds[time.stage].push_back(time.seconds);
    joules[time.stage] += time.cpu_energy_J + time.gpu_energy_J;
  }

  using Row = std::tuple<double, std::string, double, size_t>;  // mean, stage, greatest, ranks
  std::vector<Row> rows;
  double all = 0.0;
  for (const auto& [stage, values] : seconds) {
    rows.emplace_back(mean(values), stage, *std::max_element(values.begin(), values.end()), values.size());
    all += mean(values) * static_cast<double>(values.size());
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tuple(-std::get<0>(a), std::get<1>(a)) < std::tuple(-std::get<0>(b), std::get<1>(b));
  });

  const bool has_energy =
      std::any_of(joules.begin(), joules.end(), [](const auto& stage) { return std::isfinite(stage.second); });
  std::vector<Column> columns{key_column("stage"),
                              {"ranks", ""},
                              {"mean a rank", "", Align::kRight, false, "s"},
                              {"slowest rank", "", Align::kRight, false, "s"},
                              {"share", "%"}};
  if (has_energy) columns.push_back({"energy", "J"});
  Table table("stages", columns);
  for (const auto& [average, stage, greatest, ranks] : rows) {
    std::vector<Cell> row{{stage},
                          count_cell(static_cast<int64_t>(ranks)),
                          duration_cell(average),
                          duration_cell(greatest),
                          percent_cell(average * static_cast<double>(ranks) / all)};
    if (has_energy) row.push_back(quantity_cell(joules.at(stage)));
    table.add_row(std::move(row));
  }
  Section section{"stages", "Time by stage", ""};
  section.add(std::move(table));
  return section;
}

Section failures_section(const io::Segment& content) {
  Section section{"failed", "Failed", ""};
  std::vector<std::string>& lines = section.lines;
  for (const io::EncoderRecord& encoder : content.encoders) {
    if (encoder.status == "finished") continue;
    lines.push_back(fmt::format("  encoder {}, seed {}: {}", encoder.name, encoder.encoder_seed, encoder.status));
    add_indented(encoder.error, lines);
  }
  std::map<std::pair<std::string, int64_t>, std::set<std::string>> blocked;  // ids by encoder and seed
  for (const io::JobRecord& job : content.jobs) {
    if (job.status == "finished") continue;
    if (job.status == "blocked") {
      blocked[{job.encoder, job.encoder_seed}].insert(job.job_id);
      continue;
    }
    lines.push_back(fmt::format("  {} on {}, repeat {} ({}, encoder seed {}; rank {} on {}): {}", job.arm, job.task,
                                job.repeat, job.encoder, job.encoder_seed, job.rank, job.host, job.status));
    add_indented(job.error, lines);
  }
  for (const auto& [encoder, ids] : blocked) {
    lines.push_back(
        fmt::format("  blocked by encoder {}, seed {}: {} jobs", encoder.first, encoder.second, ids.size()));
  }
  return section;
}

}  // namespace invaria::report
