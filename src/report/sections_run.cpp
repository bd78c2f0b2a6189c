// The sections on what was run, how long it took and what failed.
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "report/sections.hpp"
#include "report/statistics.hpp"

namespace invaria::report {

namespace {

std::string heading(const std::string& title, Style style) {
  return bold(title, style) + "\n";
}

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
std::string indented(const std::string& text) {
  std::string out = "    ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out + "\n";
}

}  // namespace

std::string run_section(const io::RunInfo& info, Style style) {
  std::string out = bold(fmt::format("Suite {}", info.suite), style) + "\n";
  const std::string commit = info.git_commit.empty() ? ""
                                                     : fmt::format(" (commit {}{})", brief(info.git_commit),
                                                                   info.git_dirty ? ", changed" : "");
  out += fmt::format("invaria {}{}, {} {}\n", info.version, commit, info.world_size,
                     info.world_size == 1 ? "rank" : "ranks");
  out += fmt::format("{} to {}, {} of wall-clock time\n", info.created, info.finished, duration(info.wall_s));
  if (!std::isnan(info.energy_J)) out += fmt::format("energy: {}J\n", quantity(info.energy_J));
  for (const std::string& host : host_lines(info.hosts)) out += "host: " + host + "\n";
  return out;
}

std::string encoders_section(const io::Segment& content, Style style) {
  if (content.encoders.empty()) return "";
  TextTable table({{"encoder", "", Align::kLeft},
                   {"seed", "", Align::kRight},
                   {"parameters", "", Align::kRight},
                   {"per image", "FLOP", Align::kRight},
                   {"steps", "", Align::kRight},
                   {"time", "", Align::kRight},
                   {"rate", "images/s", Align::kRight},
                   {"final loss", "nats", Align::kRight},
                   {"final top1", "%", Align::kRight},
                   {"status", "", Align::kLeft}});
  for (const io::EncoderRecord& encoder : content.encoders) {
    const io::Table& steps = encoder.pretraining;
    const bool trained = steps.contains("step") && steps.rows() > 0;
    table.add_row({{encoder.name},
                   {fmt::format("{}", encoder.encoder_seed)},
                   {quantity(static_cast<double>(encoder.parameters))},
                   {quantity(encoder.flops_per_image)},
                   {trained ? fmt::format("{}", steps.integers("step").back() + 1) : kNotAvailable},
                   {duration(encoder.seconds)},
                   {quantity(mean_of_column(steps, "images_per_s"))},
                   {decimal(mean_of_last_tenth(steps, "loss"), 3)},
                   {percent(mean_of_last_tenth(steps, "top1"))},
                   {encoder.status}});
  }
  return heading("Encoders (final: mean over the last tenth of the recorded steps)", style) + table.render(style);
}

std::string data_section(const io::Segment& content, Style style) {
  if (content.data.empty()) return "";
  TextTable table({{"data set", "", Align::kLeft},
                   {"checksum", "", Align::kLeft},
                   {"split", "", Align::kLeft},
                   {"hash", "", Align::kLeft},
                   {"files left out", "", Align::kRight}});
  for (const io::DataRecord& data : content.data) {
    std::vector<TextCell> first{
        {data.name}, {brief(data.checksum)}, {}, {}, {fmt::format("{}", data.files_left_out.size())}};
    for (const auto& [split, hash] : data.split_hashes) {
      first[2].text = split;
      first[3].text = brief(hash);
      table.add_row(first);
      first = {{}, {}, {}, {}, {}};
    }
    if (data.split_hashes.empty()) table.add_row(first);
  }
  std::string out = heading("Data sets", style) + table.render(style);
  for (const io::DataRecord& data : content.data) {
    for (const std::string& file : data.files_left_out) out += fmt::format("left out of {}: {}\n", data.name, file);
  }
  return out;
}

std::string sensitivity_section(const io::Segment& content, Style style) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::vector<double>>> rows;
  std::set<std::string> transformations;
  for (const io::SensitivityRecord& row : content.sensitivity) {
    rows[{row.encoder, row.corner}][row.transformation].push_back(row.value);
    transformations.insert(row.transformation);
  }
  if (rows.empty()) return "";

  std::vector<TextColumn> columns{{"encoder", "", Align::kLeft}, {"corner", "", Align::kLeft}};
  for (const std::string& transformation : transformations) columns.push_back({transformation, "", Align::kRight});
  TextTable table(columns);
  for (const auto& [key, values] : rows) {
    std::vector<TextCell> row{{key.first}, {key.second}};
    for (const std::string& transformation : transformations) {
      const auto found = values.find(transformation);
      row.push_back({found == values.end() ? kNotAvailable : decimal(mean(found->second), 2)});
    }
    table.add_row(std::move(row));
  }
  return heading("Sensitivity: E|f(x) - f(Tx)|^2 / E|f(x) - f(x')|^2, 0 = invariant; mean over encoder seeds", style) +
         table.render(style);
}

std::string stages_section(const io::Segment& content, Style style) {
  std::map<std::string, std::vector<double>> seconds;
  for (const io::StageTime& time : content.stage_times) seconds[time.stage].push_back(time.seconds);
  if (seconds.empty()) return "";

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

  TextTable table({{"stage", "", Align::kLeft},
                   {"ranks", "", Align::kRight},
                   {"mean a rank", "", Align::kRight},
                   {"slowest rank", "", Align::kRight},
                   {"share", "%", Align::kRight}});
  for (const auto& [average, stage, greatest, ranks] : rows) {
    table.add_row({{stage},
                   {fmt::format("{}", ranks)},
                   {duration(average)},
                   {duration(greatest)},
                   {percent(average * static_cast<double>(ranks) / all)}});
  }
  return heading("Time by stage", style) + table.render(style);
}

std::string failures_section(const io::Segment& content, Style style) {
  std::string out;
  for (const io::EncoderRecord& encoder : content.encoders) {
    if (encoder.status == "finished") continue;
    out += fmt::format("  encoder {}, seed {}: {}\n{}", encoder.name, encoder.encoder_seed, encoder.status,
                       indented(encoder.error));
  }
  std::map<std::pair<std::string, int64_t>, std::set<std::string>> blocked;  // ids by encoder and seed
  for (const io::JobRecord& job : content.jobs) {
    if (job.status == "finished") continue;
    if (job.status == "blocked") {
      blocked[{job.encoder, job.encoder_seed}].insert(job.job_id);
      continue;
    }
    out += fmt::format("  {} on {}, repeat {} ({}, encoder seed {}; rank {} on {}): {}\n{}", job.arm, job.task,
                       job.repeat, job.encoder, job.encoder_seed, job.rank, job.host, job.status, indented(job.error));
  }
  for (const auto& [encoder, ids] : blocked) {
    out += fmt::format("  blocked by encoder {}, seed {}: {} jobs\n", encoder.first, encoder.second, ids.size());
  }
  return out.empty() ? "" : heading("Failed", style) + out;
}

}  // namespace invaria::report
