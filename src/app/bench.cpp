#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/cuda/CUDAContext.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <iterator>

#include "app/all_ranks.hpp"
#include "app/app.hpp"
#include "app/device.hpp"
#include "app/host.hpp"
#include "app/version.hpp"
#include "bench/image_stages.hpp"
#include "bench/measure.hpp"
#include "bench/readout_stages.hpp"
#include "bench/scale_stages.hpp"
#include "bench/scratch.hpp"
#include "bench/sound_stages.hpp"
#include "bench/training_stages.hpp"
#include "config/problems.hpp"
#include "core/progress.hpp"
#include "core/shutdown.hpp"
#include "io/files.hpp"
#include "report/report.hpp"
#include "report/writers.hpp"

namespace invaria::app {
namespace {

namespace json = boost::json;

/// Of sounds and readouts there are stages on the CPU only.
std::vector<bench::Stage> all_stages(const std::filesystem::path& folder, c10::Device device) {
  std::vector<bench::Stage> stages;
  const auto add = [&](std::vector<bench::Stage> of_kind) {
    std::move(of_kind.begin(), of_kind.end(), std::back_inserter(stages));
  };
  add(bench::image_stages(folder, device));
  if (device.is_cpu()) add(bench::sound_stages(folder));
  add(bench::training_stages(folder, device));
  if (device.is_cpu()) add(bench::readout_stages(folder));
  return stages;
}

/// "cpu", or the GPU's name.
std::string device_text(const BenchOptions& options) {
  return options.device == "cpu" ? options.device : at::cuda::getDeviceProperties(0)->name;
}

bool is_asked(const std::string& stage, const std::string& name) {
  return stage == name || stage.starts_with(name + "/");
}

/// @throws ConfigError if one that was asked for is none of `stages`
void refuse_unknown(const std::vector<std::string>& asked, const std::vector<std::string>& stages) {
  for (const std::string& name : asked) {
    if (std::any_of(stages.begin(), stages.end(), [&](const auto& stage) { return is_asked(stage, name); })) continue;
    throw_config("bench: no stage is called \"{}\". {}; stages: {}", name, config::name_hint(name, stages),
                 fmt::join(stages, ", "));
  }
}

/// Those that were asked for by name or by the part before the slash; all of them where none was.
template <class Stage>
void keep_chosen(std::vector<Stage>& stages, const std::vector<std::string>& asked) {
  if (asked.empty()) return;
  std::erase_if(stages, [&](const Stage& stage) {
    return std::none_of(asked.begin(), asked.end(),
                        [&](const std::string& name) { return is_asked(stage.name, name); });
  });
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

std::string range_text(const std::vector<double>& values, double factor) {
  const bench::Spread spread = bench::spread_of(values);
  return fmt::format("{:.0f} to {:.0f}", factor * spread.low, factor * spread.high);
}

report::Section section_of(const std::vector<bench::ScaleRates>& rates, int ranks) {
  report::Section section{
      .id = "bench-scale",
      .title = fmt::format("Rates of each of {} ranks", ranks),
      .explanation =
          "medians. Alone: one rank, the others asleep; side by side: all at once, without a word to each other; "
          "together: in one world, of which the efficiency is the share of alone. Waits: share of the step in which a "
          "rank waits for others."};
  report::Table table("scale-rates", {report::key_column("stage"),
                                      {"alone", "1/s"},
                                      {"side by side", "1/s"},
                                      {"together", "1/s"},
                                      {"efficiency", "%"},
                                      {"range", ""},
                                      {"waits", "%"},
                                      {"range", ""}});
  for (const bench::ScaleRates& stage : rates) {
    if (!stage.problem.empty()) {
      section.lines.push_back(fmt::format("{}: no rate, since what it made is wrong: {}", stage.name, stage.problem));
      continue;
    }
    std::vector<report::Cell> row{{fmt::format("{} ({})", stage.name, stage.unit)}};
    if (stage.alone.empty()) {
      row.insert(row.end(), {{""}, {""}, rate_cell(stage.together), {""}, {""}, {""}, {""}});
    } else {
      const double efficiency = 100.0 * bench::spread_of(stage.efficiency).median;
      const double waits = 100.0 * bench::spread_of(stage.exposed).median;
      row.insert(row.end(), {rate_cell(stage.alone),
                             rate_cell(stage.side),
                             rate_cell(stage.together),
                             {fmt::format("{:.1f}", efficiency), report::Emphasis::kNone, efficiency},
                             {range_text(stage.efficiency, 100.0)},
                             {fmt::format("{:.1f}", waits), report::Emphasis::kNone, waits},
                             {range_text(stage.exposed, 100.0)}});
    }
    table.add_row(std::move(row));
  }
  section.add(std::move(table));
  return section;
}

json::object record_of(const bench::ScaleRates& stage) {
  return {{"stage", stage.name},
          {"what", stage.what},
          {"unit", stage.unit},
          {"problem", stage.problem},
          {"alone_per_s", json::value_from(stage.alone)},
          {"side_per_s", json::value_from(stage.side)},
          {"together_per_s", json::value_from(stage.together)},
          {"efficiency", json::value_from(stage.efficiency)},
          {"exposed", json::value_from(stage.exposed)}};
}

/// All that a call measured, on which machine, when and by what, for --json.
template <class Rates>
json::object record_of(const std::vector<Rates>& rates, const BenchOptions& options, const bench::MachinePeaks& peaks) {
  json::array records;
  for (const Rates& stage : rates) records.emplace_back(record_of(stage));
  return {{"cpu", cpu_model()},
          {"device", device_text(options)},
          {"threads", options.threads},
          {"date", utc_now()},
          {"version", version_text()},
          {"flops_per_s", peaks.flops_per_s},
          {"bfloat16_flops_per_s", peaks.bfloat16_flops_per_s},
          {"bytes_per_s", peaks.bytes_per_s},
          {"stages", std::move(records)}};
}

report::Style style_here() {
  return isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
}

template <class Rates>
ExitCode code_of(const std::vector<Rates>& rates) {
  return std::any_of(rates.begin(), rates.end(), [](const auto& stage) { return !stage.problem.empty(); })
             ? ExitCode::kSomeFailed
             : ExitCode::kOk;
}

std::vector<std::string> names_of_scale_stages() {
  std::vector<std::string> names;
  for (const bench::ScaleStage& stage : bench::scale_stages()) names.push_back(stage.name);
  return names;
}

/// On all ranks of a launcher.
ExitCode bench_scale(const BenchOptions& options, const comm::Communicator& comm) {
  refuse_unknown(options.stages, names_of_scale_stages());
  if (options.device != "cpu" || !options.python.empty())
    throw_config("bench: scale is of ranks on the CPU, without peers: leave --device and --peers out");
  if (comm.size() == 1) throw_config("bench: scale takes two ranks or more: mpirun -n 2 invaria bench scale");
  at::set_num_threads(options.threads);
  std::vector<bench::ScaleStage> stages = bench::scale_stages();
  keep_chosen(stages, options.stages);
  bench::MachinePeaks peaks;
  if (comm.is_root()) {
    peaks = bench::measure_peaks();
    fmt::print("{}, {} ranks of {} thread{} on {} node{}, {}; of one rank: {}\n", cpu_model(), comm.size(),
               options.threads, options.threads == 1 ? "" : "s", comm.n_nodes(), comm.n_nodes() == 1 ? "" : "s",
               comm.transport() == comm::Transport::kWindow ? "sums in shared memory" : "sums by messages",
               bench::text_of(peaks));
  }
  comm.barrier();
  std::vector<bench::ScaleRates> rates;
  for (const bench::ScaleStage& stage : stages) {
    rates.push_back(bench::measure_scale(stage.name, comm, options.pairs, options.seconds));
    if (comm.any(shutdown_requested())) return ExitCode::kStopped;
  }
  if (comm.is_root()) {
    fmt::print("\n{}", report::text_of(section_of(rates, comm.size()), style_here()));
    if (!options.json.empty()) {
      json::object record = record_of(rates, options, peaks);
      record["ranks"] = comm.size();
      record["nodes"] = comm.n_nodes();
      io::write_file_atomically(options.json, json::serialize(record) + "\n");
    }
  }
  return code_of(rates);
}

}  // namespace

ExitCode bench_command(const BenchOptions& options, int* argc, char*** argv) {
  const auto is_scale = [](const std::string& stage) { return is_asked(stage, "scale"); };
  const auto n_scale = std::count_if(options.stages.begin(), options.stages.end(), is_scale);
  if (n_scale > 0 && n_scale < std::ssize(options.stages))
    throw_config(
        "bench: stages of scale run on several ranks and the others on one: ask for them in calls of their own");
  if (n_scale > 0 && !options.list)
    return on_all_ranks(argc, argv, [&](const comm::Communicator& comm) { return bench_scale(options, comm); });

  at::set_num_threads(options.threads);
  const c10::Device device = device_alone(options.device);
  if (device.is_cuda() && !options.python.empty())
    throw_config("bench: peers run on the CPU; with --device cuda leave --peers out");
  const bench::Scratch scratch;
  std::vector<bench::Stage> stages = all_stages(scratch.path(), device);
  std::vector<bench::ScaleStage> of_ranks = bench::scale_stages();
  std::vector<std::string> names = names_of_scale_stages();
  for (const bench::Stage& stage : stages) names.push_back(stage.name);
  refuse_unknown(options.stages, names);
  keep_chosen(stages, options.stages);
  if (options.list) {
    keep_chosen(of_ranks, options.stages);
    for (const bench::Stage& stage : stages) fmt::print("{:<26}{}\n", stage.name, stage.what);
    for (const bench::ScaleStage& stage : of_ranks) fmt::print("{:<26}{}\n", stage.name, stage.what);
    return ExitCode::kOk;
  }
  const bench::MachinePeaks peaks = bench::measure_peaks(device);
  fmt::print("{}, {} thread{}{}: {}\n", cpu_model(), options.threads, options.threads == 1 ? "" : "s",
             device.is_cuda() ? ", " + device_text(options) : "", bench::text_of(peaks));
  // Steps in bfloat16 are for processors that have instructions for it; on others only whoever asks waits for them.
  if (options.stages.empty() && peaks.bfloat16_flops_per_s < peaks.flops_per_s) {
    std::erase_if(stages,
                  [](const bench::Stage& stage) { return stage.work.precision == model::Precision::kBfloat16; });
    fmt::print("bfloat16 is slower than float here: its stages are left out, unless they are asked for\n");
  }
  const bench::MeasureOptions measure{options.python,  INVARIA_PEERS_DIR, options.pairs,
                                      options.seconds, options.threads,   device};
  std::vector<bench::StageRates> rates;
  {
    Progress progress("bench", std::ssize(stages), "stages");
    for (bench::Stage& stage : stages) {
      progress.update(std::ssize(rates), stage.name);
      rates.push_back(bench::measure(stage, peaks, measure));
      stage = {};  // some hold gigabytes
    }
  }
  fmt::print("\n{}", report::text_of(section_of(rates), style_here()));
  if (!options.json.empty())
    io::write_file_atomically(options.json, json::serialize(record_of(rates, options, peaks)) + "\n");
  return code_of(rates);
}

}  // namespace invaria::app
