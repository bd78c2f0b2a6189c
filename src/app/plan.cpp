#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <thread>

#include "app/app.hpp"
#include "app/device.hpp"
#include "app/loaded_suite.hpp"
#include "comm/agree.hpp"
#include "comm/communicator.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/listing.hpp"
#include "model/cost.hpp"
#include "objective/footprint.hpp"
#include "report/writers.hpp"
#include "suite/calibrate.hpp"

namespace invaria::app {
namespace {

/// Bytes of one rank while it pretrains: weights, gradient and two moments of what is dense; A and two moments of what
/// is factored; the activations of its share of the views, which the backward pass keeps; a momentum encoder's weights
/// and remembered keys where the objective has them.
double pretraining_memory_MiB(const train::EncoderPlan& encoder, int64_t ranks) {
  const model::EncoderSettings& settings = encoder.settings.model;
  const model::ParameterCounts n = model::count_parameters(settings, encoder.n_axes(), encoder.settings.view_size);
  const objective::Footprint extra = objective::footprint(encoder.settings.objective);
  const double pictures = static_cast<double>(encoder.settings.global_batch) / static_cast<double>(ranks);
  const double views = static_cast<double>(extra.views_kept) * pictures;
  const double activations = views * model::activations_per_image(settings, encoder.settings.view_size);
  const double averages = extra.momentum_encoder ? static_cast<double>(n.dense + n.factored) : 0.0;
  const double keys = static_cast<double>(extra.keys_per_corner * encoder.settings.projection.out) *
                      static_cast<double>(encoder.corners.size());
  return (4.0 * static_cast<double>(n.dense) + 3.0 * static_cast<double>(n.factored) + activations + averages + keys) *
         sizeof(float) / 1048576.0;
}

/// Ranks that share this node measure at once, as many of `wanted` as its memory holds.
int64_t ranks_at_once(const train::EncoderPlan& largest, int64_t ranks, int64_t wanted) {
  constexpr double kShare = 0.7;  // the rest is the machine's, and the estimate's
  const double takes = pretraining_memory_MiB(largest, ranks);
  const double there_is = kShare * static_cast<double>(data::node_memory_bytes()) / 1048576.0;
  if (takes > there_is) {
    throw_environment(
        "plan: pretraining {} takes {:.0f} MiB on each of {} rank{}, this node has {:.0f} MiB for it; plan on a larger "
        "node, or with more --ranks",
        largest.key(), takes, ranks, ranks == 1 ? "" : "s", there_is);
  }
  return std::clamp<int64_t>(static_cast<int64_t>(there_is / takes), 1, wanted);
}

std::string kind_name(suite::UnitKind kind) {
  switch (kind) {
    case suite::UnitKind::kFixed:
      return "features at a fixed i";
    case suite::UnitKind::kProjected:
      return "learned-projected";
    case suite::UnitKind::kJoint:
      return "learned-joint";
    case suite::UnitKind::kEpisodes:
      return "learned-episode";
    case suite::UnitKind::kSensitivity:
      return "sensitivity";
  }
  return "";
}

void print_encoders(const LoadedSuite& loaded, const suite::TimeEstimate& time, int64_t ranks, report::Style style) {
  report::Table table("plan-encoders", {report::key_column("encoder"),
                                        {"corners", ""},
                                        {"steps", ""},
                                        {"parameters", ""},
                                        {"per image", "MFLOP"},
                                        {"memory per rank", "MiB"},
                                        {"time", "m:s"}});
  for (size_t index = 0; index < loaded.plan.encoders.size(); ++index) {
    const train::EncoderPlan& encoder = loaded.plan.encoders[index];
    const train::PretrainSettings& settings = encoder.settings;
    table.add_row(
        {{encoder.key()},
         {std::to_string(encoder.corners.size())},
         {std::to_string(settings.steps)},
         {std::to_string(model::count_parameters(settings.model, encoder.n_axes(), settings.view_size).total())},
         {fmt::format("{:.1f}", model::flops_per_image(settings.model, settings.view_size) / 1e6)},
         {fmt::format("{:.0f}", pretraining_memory_MiB(encoder, ranks))},
         {format_duration(time.encoder_s[index])}});
  }
  fmt::print("Encoders\n{}\n", report::text(table, style));
}

void print_units(const LoadedSuite& loaded, const suite::TimeEstimate& time, report::Style style) {
  struct Group {
    int64_t units = 0, jobs = 0;
    double seconds = 0.0;
  };
  std::map<suite::UnitKind, Group> groups;
  for (size_t index = 0; index < loaded.plan.units.size(); ++index) {
    Group& group = groups[loaded.plan.units[index].kind];
    ++group.units;
    group.jobs += static_cast<int64_t>(loaded.plan.units[index].jobs.size());
    group.seconds += time.unit_s[index];
  }
  report::Table table(
      "plan-sweep",
      {report::key_column("units of work"), {"units", ""}, {"jobs", ""}, {"time of one core group", "m:s"}});
  for (const auto& [kind, group] : groups) {
    table.add_row({{kind_name(kind)},
                   {std::to_string(group.units)},
                   {std::to_string(group.jobs)},
                   {format_duration(group.seconds)}});
  }
  fmt::print("Sweep\n{}\n", report::text(table, style));
}

void print_plan(const LoadedSuite& loaded, const suite::Calibration& calibration, int64_t ranks, const char* device) {
  const suite::TimeEstimate time = suite::estimate_time(loaded.plan, calibration, ranks);
  const report::Style style = isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
  print_encoders(loaded, time, ranks, style);
  print_units(loaded, time, style);
  fmt::print("At {} rank{} of {} thread{} on {} of this machine: pretraining {}, sweep {}, in all {} ({:.0f} s)\n",
             ranks, ranks == 1 ? "" : "s", at::get_num_threads(), at::get_num_threads() == 1 ? "" : "s", device,
             format_duration(time.total_s() - time.sweep_s), format_duration(time.sweep_s),
             format_duration(time.total_s()), time.total_s());
}

/// Without data a task's samples are counted by its manifest; where that does not say, nothing can be planned.
void refuse_uncounted(const LoadedSuite& loaded, const std::string& suite) {
  const std::vector<suite::TaskSize> sizes = suite::task_sizes(loaded.suite, loaded.found);
  config::Problems problems;
  for (size_t task = 0; task < sizes.size(); ++task) {
    if (sizes[task].train > 0 && sizes[task].test > 0) continue;
    problems.add(fmt::format("tasks[{}].data", task), "\"" + loaded.suite.tasks[task].data + "\"",
                 "a data set whose manifest counts its splits; plan this suite where the data are");
  }
  problems.throw_if_any(suite);
}

}  // namespace

ExitCode plan_command(const PlanOptions& options, int* argc, char*** argv) {
  const comm::MpiEnvironment environment(argc, argv);
  const comm::Communicator comm = comm::Communicator::world();
  const bool is_alone = comm.size() == 1;
  if (!is_alone && options.ranks > 1 && options.ranks != comm.size()) {
    throw_config("plan: --ranks {} under a launcher with {} ranks; leave --ranks out, or start it alone", options.ranks,
                 comm.size());
  }
  const int64_t ranks = is_alone ? options.ranks : comm.size();
  LoadedSuite loaded;
  comm::together(comm, [&] {
    loaded = load_suite(options.suite, options.without_data ? data::CheckDepth::kPromise : data::CheckDepth::kListing);
    if (options.without_data) refuse_uncounted(loaded, options.suite.suite);
  });
  const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t threads = is_alone ? std::max<int64_t>(1, cores / ranks) : choose_threads(comm);
  at::set_num_threads(static_cast<int>(threads));
  const c10::Device device = choose_device(options.device, comm);
  int64_t beside = is_alone && device.is_cpu() ? std::min(ranks, cores / threads) : 1;
  if (is_alone && device.is_cpu()) {
    const auto smaller = [&](const train::EncoderPlan& a, const train::EncoderPlan& b) {
      return pretraining_memory_MiB(a, ranks) < pretraining_memory_MiB(b, ranks);
    };
    beside = ranks_at_once(*std::max_element(loaded.plan.encoders.begin(), loaded.plan.encoders.end(), smaller), ranks,
                           beside);
  }
  const suite::Calibration calibration =
      suite::calibrate(loaded.suite, loaded.found, loaded.plan, {comm, device, ranks, beside});
  if (!comm.is_root()) return ExitCode::kOk;
  print_plan(loaded, calibration, ranks, device.is_cuda() ? "a GPU each" : "the CPU");
  if (is_alone && ranks > cores)
    fmt::print("(more ranks than the {} cores here: a rank is taken to have a core of its own)\n", cores);
  if (is_alone && ranks > 1)
    fmt::print("(without the time that messages take; under mpirun or srun, plan measures that too)\n");
  return ExitCode::kOk;
}

}  // namespace invaria::app
