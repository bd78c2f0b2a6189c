#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <fstream>
#include <map>
#include <thread>

#include "app/app.hpp"
#include "app/device.hpp"
#include "app/loaded_suite.hpp"
#include "app/plan_scaling.hpp"
#include "comm/agree.hpp"
#include "comm/communicator.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/listing.hpp"
#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
#include "model/cost.hpp"
#include "report/writers.hpp"
#include "suite/estimate.hpp"
#include "suite/load.hpp"
#include "train/objective_kind.hpp"

namespace invaria::app {
namespace {

constexpr double kMiB = 1048576.0;

/// Of one rank while it pretrains: weights, gradient and two moments of what is dense; A and two moments of
/// what is factored; the activations of its share of the views, which the backward pass keeps; a momentum encoder's
/// weights and remembered keys where the objective has them.
/// @param pictures  of a step on one rank
double pretraining_memory_MiB(const train::EncoderPlan& encoder, double pictures) {
  const model::EncoderSettings& settings = encoder.settings.model;
  const model::ParameterCounts n = model::count_parameters(settings, encoder.n_axes(), encoder.view_shape());
  const train::Footprint extra = train::kind_of(encoder.settings.objective).footprint(encoder.settings.objective);
  const double views = static_cast<double>(extra.views_kept) * pictures;
  const double activations =
      views * model::activation_bytes_per_image(settings, encoder.view_shape(), encoder.settings.precision);
  const double averages = extra.momentum_encoder ? static_cast<double>(n.dense + n.factored) : 0.0;
  const double keys = static_cast<double>(extra.keys_per_corner * encoder.settings.projection.out) *
                      static_cast<double>(encoder.corners.size());
  // Products in bfloat16 keep their copy of the weights until the backward pass, one for each pass of a view at most.
  const bool has_copies = encoder.settings.precision == model::Precision::kBfloat16;
  const double copies = has_copies ? 2.0 * static_cast<double>(extra.views_kept * n.dense) : 0.0;
  const double numbers = 4.0 * static_cast<double>(n.dense) + 3.0 * static_cast<double>(n.factored) + averages + keys;
  return (numbers * sizeof(float) + activations + copies) / kMiB;
}

/// Of one rank in the sweep: an encoder's weights; the largest task's features at two points, once more in double for
/// the readout, and a batch of its pictures (of a known task, which draws its own, all of them); or what learning i
/// keeps of a batch.
double sweep_memory_MiB(const LoadedSuite& loaded) {
  const std::vector<suite::TaskSize> sizes = suite::task_sizes(loaded.suite, loaded.found);
  const downstream::DownstreamSettings& settings = loaded.suite.downstream;
  double most = 0.0;  // bytes
  for (const train::EncoderPlan& encoder : loaded.plan.encoders) {
    const auto picture = static_cast<double>(encoder.view_shape().n_values());
    const auto features = static_cast<double>(model::feature_dim(encoder.settings.model));
    const auto weights = static_cast<double>(
        model::count_parameters(encoder.settings.model, encoder.n_axes(), encoder.view_shape()).total());
    const int64_t kept = downstream::images_kept_at_once(encoder.settings.model, encoder.view_shape());
    const double activations =
        model::activation_bytes_per_image(encoder.settings.model, encoder.view_shape(), model::Precision::kFloat32);
    for (size_t task = 0; task < sizes.size(); ++task) {
      const bool is_known = loaded.suite.tasks[task].kind == downstream::TaskKind::kKnown;
      const auto n = static_cast<double>(sizes[task].train + sizes[task].validation + sizes[task].test);
      const double pictures = is_known ? n : std::min(n, static_cast<double>(downstream::kFeatureBatch));
      const auto train = static_cast<double>(sizes[task].train);
      const double judged =
          features * (2.0 * n * sizeof(float) + 2.0 * train * sizeof(double)) + picture * pictures * sizeof(float);
      int64_t learned = 0;  // pictures at once
      if (encoder.is_conditioned() && loaded.suite.learns_projected())
        learned = std::min({settings.projected.batch, sizes[task].train, kept});
      if (encoder.is_conditioned() && loaded.suite.asks_for_joint())
        learned = std::max(learned, std::min(settings.joint.batch, sizes[task].train));
      most = std::max(most, weights * sizeof(float) + std::max(judged, static_cast<double>(learned) * activations));
    }
  }
  return most / kMiB;
}

/// The decoded pictures that the ranks of a node share; those of a pack lie in its file.
double data_memory_MiB(const LoadedSuite& loaded) {
  double bytes = 0.0;
  for (const auto& [name, found] : loaded.found) bytes += static_cast<double>(found.decoded_bytes);
  return bytes / kMiB;
}

/// What the libraries take beside that once they compute (kernels made on the way, buffers of matrix products): peaks
/// of runs were 140 to 170 MiB above the other terms together.
constexpr double kLibraries_MiB = 200.0;

/// What this process holds before it has any work: code, MPI's buffers.
double resident_MiB() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / kMiB;
}

/// Everything that is told of a plan.
struct Told {
  const LoadedSuite& loaded;
  suite::TimeEstimate time;
  suite::ClaimCost claim;
  int64_t ranks = 1;
  int threads = 1;
  bool is_cuda = false;
  double program_MiB = 0.0;
  int64_t most_pretraining_ranks = 0;   ///< one picture each; 0: nothing is pretrained
  std::vector<std::string> left_out{};  ///< tasks whose samples nothing counts

  double encoder_MiB(const train::EncoderPlan& encoder) const {
    const double pictures = static_cast<double>(encoder.settings.global_batch) / static_cast<double>(ranks);
    return encoder.settings.steps == 0 ? 0.0 : pretraining_memory_MiB(encoder, pictures);
  }
  /// The larger of both stages.
  double rank_MiB() const {
    double most = sweep_memory_MiB(loaded);
    for (const train::EncoderPlan& encoder : loaded.plan.encoders) most = std::max(most, encoder_MiB(encoder));
    return program_MiB + kLibraries_MiB + most;
  }
  /// Whether the ranks can pretrain too.
  bool can_pretrain() const { return most_pretraining_ranks == 0 || ranks <= most_pretraining_ranks; }
};

int64_t most_pretraining_ranks(const suite::Plan& plan) {
  int64_t most = 0;
  for (const train::EncoderPlan& encoder : plan.encoders) {
    if (encoder.settings.steps > 0)
      most = most == 0 ? encoder.settings.global_batch : std::min(most, encoder.settings.global_batch);
  }
  return most;
}

/// What measuring its steps takes on one rank.
double measuring_memory_MiB(const train::EncoderPlan& encoder, int64_t ranks) {
  return pretraining_memory_MiB(encoder, static_cast<double>(suite::pictures_measured(encoder, ranks)));
}

/// Ranks that share this node measure at once, as many of `wanted` as its memory holds.
int64_t ranks_at_once(const train::EncoderPlan& largest, int64_t ranks, int64_t wanted) {
  constexpr double kShare = 0.7;  // the rest is the machine's, and the estimate's
  const double takes = measuring_memory_MiB(largest, ranks);
  const double there_is = kShare * static_cast<double>(data::node_memory_bytes()) / kMiB;
  if (takes > there_is) {
    throw_environment(
        "plan: measuring a step of {} takes {:.0f} MiB, this node has {:.0f} MiB for it; plan on a larger node",
        largest.key(), takes, there_is);
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

void print_encoders(const Told& told, report::Style style) {
  report::Table table("plan-encoders", {report::key_column("encoder"),
                                        {"corners", ""},
                                        {"steps", ""},
                                        {"parameters", ""},
                                        {"per image", "MFLOP"},
                                        {"memory per rank", "MiB"},
                                        {"time", "m:s"}});
  for (size_t index = 0; index < told.loaded.plan.encoders.size(); ++index) {
    const train::EncoderPlan& encoder = told.loaded.plan.encoders[index];
    const train::PretrainSettings& settings = encoder.settings;
    table.add_row(
        {{encoder.key()},
         {std::to_string(encoder.corners.size())},
         {std::to_string(settings.steps)},
         {std::to_string(model::count_parameters(settings.model, encoder.n_axes(), encoder.view_shape()).total())},
         {fmt::format("{:.1f}", model::flops_per_image(settings.model, encoder.view_shape()) / 1e6)},
         {fmt::format("{:.0f}", told.encoder_MiB(encoder))},
         {format_duration(told.time.encoder_s[index])}});
  }
  fmt::print("Encoders\n{}\n", report::text(table, style));
}

void print_units(const Told& told, report::Style style) {
  const suite::Plan& plan = told.loaded.plan;
  struct Group {
    int64_t units = 0, jobs = 0;
    double seconds = 0.0;
  };
  std::map<suite::UnitKind, Group> groups;
  for (size_t index = 0; index < plan.units.size(); ++index) {
    Group& group = groups[plan.units[index].kind];
    ++group.units;
    group.jobs += static_cast<int64_t>(plan.units[index].jobs.size());
    group.seconds += told.time.unit_s[index];
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

void print_plan(const Told& told) {
  const report::Style style = isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain;
  const suite::TimeEstimate& time = told.time;
  print_encoders(told, style);
  print_units(told, style);
  fmt::print("At {} rank{} of {} thread{} on {} of this machine: pretraining {}, sweep {}, in all {} ({:.0f} s)\n",
             told.ranks, told.ranks == 1 ? "" : "s", told.threads, told.threads == 1 ? "" : "s",
             told.is_cuda ? "a GPU each" : "the CPU", format_duration(time.pretraining_s()),
             format_duration(time.sweep.makespan_s), format_duration(time.total_s()), time.total_s());
  fmt::print(
      "Sweep, played through: {:.3g} s, efficiency {:.3f}; tail {:.3g} s, in which some rank has run out of units",
      time.sweep.makespan_s, time.sweep.efficiency, time.sweep.tail_s);
  if (time.sweep.ranks_without > 0) fmt::print("; {} ranks get none at all", time.sweep.ranks_without);
  fmt::print("; longest wait for the counter {:.3g} s\n", time.sweep.longest_claim_s);
  fmt::print("Memory: {:.0f} MiB a rank, of which the program {:.0f}; beside that {:.0f} MiB of data a node\n",
             told.rank_MiB(), told.program_MiB + kLibraries_MiB, data_memory_MiB(told.loaded));
  fmt::print("Files: {} segments, at most {} of one rank; {} encoders\n", time.sweep.segments,
             time.sweep.segments_per_rank, told.loaded.plan.encoders.size());
  if (!told.left_out.empty()) {
    fmt::print("Not in it: {}, whose data sets' manifests do not count their splits\n", fmt::join(told.left_out, ", "));
  }
  for (const data::DatasetSettings& data : told.loaded.suite.data) {
    if (data.stream) fmt::print("Not in these times: decoding the samples of {}, which are streamed\n", data.name);
  }
  if (time.measured_points > 0)
    fmt::print("Then `invaria measure`: {} encoders at an i, {}\n", time.measured_points,
               format_duration(time.measure_s));
  if (!told.can_pretrain())
    fmt::print(
        "(a global batch has {} samples, one a rank at least: pretrain on no more ranks, with --stage pretrain, "
        "then sweep on all)\n",
        told.most_pretraining_ranks);
}

/// The same for programs, under names that scripts/slurm/submit reads.
void print_json(const Told& told, boost::json::array scaling) {
  const suite::TimeEstimate& time = told.time;
  boost::json::array encoders;
  for (size_t index = 0; index < told.loaded.plan.encoders.size(); ++index) {
    const train::EncoderPlan& encoder = told.loaded.plan.encoders[index];
    encoders.push_back({{"encoder", encoder.key()},
                        {"steps", encoder.settings.steps},
                        {"seconds", time.encoder_s[index]},
                        {"memory_MiB", told.encoder_MiB(encoder)}});
  }
  const boost::json::object sweep{{"units", told.loaded.plan.units.size()},
                                  {"jobs", told.loaded.plan.job_ids().size()},
                                  {"seconds", time.sweep.makespan_s},
                                  {"efficiency", time.sweep.efficiency},
                                  {"tail_s", time.sweep.tail_s},
                                  {"longest_claim_s", time.sweep.longest_claim_s},
                                  {"claim_service_s", told.claim.service_s},
                                  {"claim_latency_s", told.claim.latency_s},
                                  {"ranks_without", time.sweep.ranks_without},
                                  {"segments", time.sweep.segments},
                                  {"segments_per_rank", time.sweep.segments_per_rank}};
  fmt::print("{}\n",
             boost::json::serialize(boost::json::object{{"suite", told.loaded.suite.name},
                                                        {"ranks", told.ranks},
                                                        {"threads", told.threads},
                                                        {"device", told.is_cuda ? "cuda" : "cpu"},
                                                        {"encoders", encoders},
                                                        {"pretraining_s", time.pretraining_s()},
                                                        {"most_pretraining_ranks", told.most_pretraining_ranks},
                                                        {"sweep", sweep},
                                                        {"left_out", boost::json::value_from(told.left_out)},
                                                        {"measured_points", time.measured_points},
                                                        {"measure_s", time.measure_s},
                                                        {"total_s", time.total_s()},
                                                        {"scaling", std::move(scaling)},
                                                        {"memory_per_rank_MiB", told.rank_MiB()},
                                                        {"memory_per_node_MiB", data_memory_MiB(told.loaded)}}));
}

/// Without data a task's samples are counted by its manifest; tasks of which that does not say are left out.
/// @return their names @throws ConfigError if there are no others
std::vector<std::string> leave_out_uncounted(LoadedSuite& loaded, const std::string& suite) {
  const std::vector<suite::TaskSize> sizes = suite::task_sizes(loaded.suite, loaded.found);
  std::vector<std::string> names;
  std::vector<downstream::TaskSettings> counted;
  config::Problems problems;
  for (size_t task = 0; task < sizes.size(); ++task) {
    const downstream::TaskSettings& settings = loaded.suite.tasks[task];
    if (sizes[task].train > 0 && sizes[task].test > 0) {
      counted.push_back(settings);
      continue;
    }
    names.push_back(settings.name);
    problems.add(fmt::format("tasks[{}].data", task), "\"" + settings.data + "\"",
                 "a data set whose manifest counts its splits; plan this suite where the data are");
  }
  if (names.empty()) return names;
  if (counted.empty()) problems.throw_if_any(suite);
  loaded.suite.tasks = std::move(counted);
  loaded.plan = suite::make_plan(loaded.suite);
  suite::estimate_costs(loaded.plan, loaded.suite, suite::task_sizes(loaded.suite, loaded.found));
  return names;
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
  const double program_MiB = resident_MiB();
  LoadedSuite loaded;
  std::vector<std::string> left_out;
  comm::together(comm, [&] {
    loaded = load_suite(options.suite, options.without_data ? data::CheckDepth::kPromise : data::CheckDepth::kListing);
    if (options.without_data) left_out = leave_out_uncounted(loaded, options.suite.suite);
  });
  const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t threads = is_alone ? std::max<int64_t>(1, cores / ranks) : choose_threads(comm);
  at::set_num_threads(static_cast<int>(threads));
  const c10::Device device = choose_device(options.device, comm);
  int64_t beside = is_alone && device.is_cpu() ? std::min(ranks, cores / threads) : 1;
  if (is_alone && device.is_cpu()) {
    const auto smaller = [&](const train::EncoderPlan& a, const train::EncoderPlan& b) {
      return measuring_memory_MiB(a, ranks) < measuring_memory_MiB(b, ranks);
    };
    beside = ranks_at_once(*std::max_element(loaded.plan.encoders.begin(), loaded.plan.encoders.end(), smaller), ranks,
                           beside);
  }
  const int64_t nodes = is_alone ? (ranks + cores - 1) / cores : comm.n_nodes();
  const suite::Calibration calibration =
      suite::calibrate(loaded.suite, loaded.found, loaded.plan, {comm, device, ranks, nodes, beside});
  const suite::Network network{1e-6 * options.latency_us, 1e9 * options.bandwidth_GBs};
  const comm::Communicator alone = comm::Communicator::alone();
  suite::CalibrationPlace place{alone, device};
  place.least_s = 0.4;  // it is a difference of two sizes that counts
  const std::vector<Scaling> scaling =
      options.scaling && comm.is_root() ? measure_scaling(loaded.plan, place) : std::vector<Scaling>();
  if (!comm.is_root()) return ExitCode::kOk;
  const Told told{loaded,
                  suite::estimate_time(loaded.suite, loaded.plan, calibration, ranks),
                  calibration.claim,
                  ranks,
                  static_cast<int>(threads),
                  device.is_cuda(),
                  program_MiB,
                  most_pretraining_ranks(loaded.plan),
                  left_out};
  if (options.json) {
    print_json(told, scaling_record(scaling, network));
    return ExitCode::kOk;
  }
  print_plan(told);
  if (options.scaling)
    print_scaling(scaling, network, isatty(STDOUT_FILENO) != 0 ? report::Style::kTerminal : report::Style::kPlain);
  if (is_alone && ranks > cores)
    fmt::print("(more ranks than the {} cores here: a rank is taken to have a core of its own)\n", cores);
  if (is_alone && ranks > 1)
    fmt::print("(without the time that messages take; under mpirun or srun, plan measures that too)\n");
  return ExitCode::kOk;
}

}  // namespace invaria::app
