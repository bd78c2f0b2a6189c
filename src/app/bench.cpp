#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include "app/app.hpp"
#include "app/host.hpp"
#include "app/version.hpp"
#include "bench/image_stages.hpp"
#include "bench/measure.hpp"
#include "bench/readout_stages.hpp"
#include "bench/scratch.hpp"
#include "bench/sound_stages.hpp"
#include "bench/training_stages.hpp"
#include "config/problems.hpp"
#include "core/progress.hpp"
#include "io/files.hpp"
#include "report/report.hpp"
#include "report/writers.hpp"

namespace invaria::app {
namespace {

namespace json = boost::json;

std::vector<bench::Stage> all_stages(const std::filesystem::path& folder) {
  std::vector<bench::Stage> stages;
  for (const auto& of_kind :
       {bench::image_stages, bench::sound_stages, bench::training_stages, bench::readout_stages}) {
    for (bench::Stage& stage : of_kind(folder)) stages.push_back(std::move(stage));
  }
  return stages;
}

/// Those that were asked for by name or by the part before the slash; all of them where none was.
std::vector<bench::Stage> chosen(std::vector<bench::Stage> stages, const std::vector<std::string>& asked) {
  if (asked.empty()) return stages;
  const auto is_asked = [](const bench::Stage& stage, const std::string& name) {
    return stage.name == name || stage.name.starts_with(name + "/");
  };
  for (const std::string& name : asked) {
    if (std::any_of(stages.begin(), stages.end(), [&](const auto& stage) { return is_asked(stage, name); })) continue;
    std::vector<std::string> names;
    for (const bench::Stage& stage : stages) names.push_back(stage.name);
    throw_config("bench: no stage is called \"{}\". {}; stages: {}", name, config::name_hint(name, names),
                 fmt::join(names, ", "));
  }
  std::erase_if(stages, [&](const bench::Stage& stage) {
    return std::none_of(asked.begin(), asked.end(), [&](const std::string& name) { return is_asked(stage, name); });
  });
  return stages;
}

std::string rate_text(double per_s) {
  return per_s >= 100.0 ? fmt::format("{:.0f}", per_s) : fmt::format("{:.3g}", per_s);
}

report::Cell rate_cell(const std::vector<double>& per_s) {
  const double median = bench::spread_of(per_s).median;
  return {rate_text(median), report::Emphasis::kNone, median};
}

report::Section section_of(const std::vector<bench::StageRates>& rates) {
  report::Section section{.id = "bench",
                          .title = "Rates",
                          .explanation =
                              "medians; the ratio is ours over the peer's within a pair, with its range. The "
                              "limit is what arithmetic or memory allow at the peaks above."};
  report::Table table("rates", {report::key_column("stage"),
                                {"rate", "1/s"},
                                {"limit", "1/s"},
                                {"share", "%"},
                                {"", "", report::Align::kLeft},
                                {"peer", "", report::Align::kLeft},
                                {"its rate", "1/s"},
                                {"ratio", ""},
                                {"range", ""}});
  for (const bench::StageRates& stage : rates) {
    const std::string name = fmt::format("{} ({})", stage.name, stage.unit);
    if (!stage.problem.empty()) {
      section.lines.push_back(fmt::format("{}: no rate, since what it made is wrong: {}", stage.name, stage.problem));
      continue;
    }
    const double share = 100.0 * bench::spread_of(stage.per_s).median / stage.limit_per_s;
    std::vector<report::Cell> row{{name},
                                  rate_cell(stage.per_s),
                                  {rate_text(stage.limit_per_s), report::Emphasis::kNone, stage.limit_per_s},
                                  {fmt::format("{:.1f}", share), report::Emphasis::kNone, share},
                                  {stage.is_memory_bound ? "of bandwidth" : "of arithmetic"}};
    const std::vector<report::Cell> alone(row.size(), report::Cell{""});
    bool is_first = true;
    for (const bench::PeerRates& peer : stage.peers) {
      if (!peer.problem.empty()) {
        section.lines.push_back(fmt::format("{}: no rate of {}: {}", stage.name, peer.name, peer.problem));
        continue;
      }
      std::vector<report::Cell> whole = is_first ? row : alone;
      if (!is_first) whole.front() = {name};
      const bench::Spread ratio = bench::spread_of(peer.times_ours);
      whole.push_back({fmt::format("{} {}", peer.name, peer.version)});
      whole.push_back(rate_cell(peer.per_s));
      whole.push_back({fmt::format("{:.2f}", ratio.median), report::Emphasis::kNone, ratio.median});
      whole.push_back({fmt::format("{:.2f} to {:.2f}", ratio.low, ratio.high)});
      table.add_row(std::move(whole));
      is_first = false;
    }
    if (!is_first) continue;
    row.resize(table.columns().size(), report::Cell{""});
    table.add_row(std::move(row));
  }
  section.add(std::move(table));
  return section;
}

json::object record_of(const bench::StageRates& stage) {
  json::array peers;
  for (const bench::PeerRates& peer : stage.peers) {
    peers.push_back({{"name", peer.name},
                     {"version", peer.version},
                     {"problem", peer.problem},
                     {"per_s", json::value_from(peer.per_s)},
                     {"times_ours", json::value_from(peer.times_ours)}});
  }
  return {{"stage", stage.name},
          {"what", stage.what},
          {"unit", stage.unit},
          {"problem", stage.problem},
          {"per_s", json::value_from(stage.per_s)},
          {"limit_per_s", stage.limit_per_s},
          {"limited_by", stage.is_memory_bound ? "bandwidth" : "arithmetic"},
          {"peers", std::move(peers)}};
}

}  // namespace

ExitCode bench_command(const BenchOptions& options) {
  at::set_num_threads(options.threads);
  const bench::Scratch scratch;
  std::vector<bench::Stage> stages = chosen(all_stages(scratch.path()), options.stages);
  if (options.list) {
    for (const bench::Stage& stage : stages) fmt::print("{:<26}{}\n", stage.name, stage.what);
    return ExitCode::kOk;
  }
  const bench::MachinePeaks peaks = bench::measure_peaks();
  fmt::print("{}, {} thread{}: {:.1f} GFLOP/s of float matrix products, {:.1f} GB/s of triads\n", cpu_model(),
             options.threads, options.threads == 1 ? "" : "s", peaks.flops_per_s / 1e9, peaks.bytes_per_s / 1e9);
  const bench::MeasureOptions measure{options.python, INVARIA_PEERS_DIR, options.pairs, options.seconds,
                                      options.threads};
  std::vector<bench::StageRates> rates;
  {
    Progress progress("bench", std::ssize(stages), "stages");
    for (bench::Stage& stage : stages) {
      progress.update(std::ssize(rates), stage.name);
      rates.push_back(bench::measure(stage, peaks, measure));
      stage = {};  // some hold gigabytes
    }
  }
  const report::Style style = isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
  fmt::print("\n{}", report::text_of(section_of(rates), style));
  if (!options.json.empty()) {
    json::array records;
    for (const bench::StageRates& stage : rates) records.emplace_back(record_of(stage));
    const json::object all{
        {"cpu", cpu_model()},          {"threads", options.threads},       {"date", utc_now()},
        {"version", version_text()},   {"flops_per_s", peaks.flops_per_s}, {"bytes_per_s", peaks.bytes_per_s},
        {"stages", std::move(records)}};
    io::write_file_atomically(options.json, json::serialize(all) + "\n");
  }
  const bool is_wrong =
      std::any_of(rates.begin(), rates.end(), [](const auto& stage) { return !stage.problem.empty(); });
  return is_wrong ? ExitCode::kSomeFailed : ExitCode::kOk;
}

}  // namespace invaria::app
