#include "suite/plan.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <map>

#include "core/sha256.hpp"
#include "downstream/held_out_loss.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/sensitivity.hpp"
#include "model/cost.hpp"
#include "suite/clean_pictures.hpp"

namespace invaria::suite {
namespace {

namespace json = config::json;
using downstream::TaskSettings;

/// What decides an encoder's weights, and nothing else.
json::value encoder_identity(const Suite& suite, const EncoderEntry& entry, int64_t seed,
                             const std::vector<config::Invariance>& corners) {
  json::array axes;  // without the fixed settings: only known tasks read them
  for (const augment::Axis& axis : suite.axes) {
    axes.push_back(json::object{{"name", axis.name}, {"operations", config::write(axis.operations)}});
  }
  json::value pretraining = config::write(entry.pretraining);
  pretraining.as_object().erase("monitor");
  if (!entry.pretraining.init_from_hash.empty()) pretraining.as_object()["init_from"] = "";  // wherever that file lies
  json::array corner_bits;
  for (const config::Invariance& corner : corners) corner_bits.emplace_back(config::bits(corner));
  json::object identity{{"name", entry.name},
                        {"seed", seed},
                        {"axes", axes},
                        {"corners", corner_bits},
                        {"data", config::write(suite.dataset(entry.pretraining.data).identity())},
                        {"pretraining", pretraining}};
  if (!entry.corner_weights.empty()) identity["corner_weights"] = config::write(entry.corner_weights);
  return identity;
}

json::value joint_settings(const Suite& suite) {
  json::value settings = config::write(suite.downstream.joint);
  settings.as_object().erase("repeats");  // how many there are does not change any one of them
  return settings;
}

/// Makes the jobs of one (encoder, task, repeat).
class JobMaker {
 public:
  JobMaker(const Suite& suite, const train::EncoderPlan& encoder, const TaskSettings& task, int64_t repeat)
      : suite_(suite), encoder_(encoder), task_(task), repeat_(repeat) {}

  /// One job a metric for an arm. `arm_settings` holds what is particular to the arm: its i, or how it learns.
  std::vector<Job> jobs(const std::string& arm, const json::value& arm_settings, bool with_own_readout = false) const {
    std::vector<Job> made;
    for (downstream::Metric metric : task_.resolved_metrics()) {
      const std::string name = config::name_of(metric);
      made.push_back(job(arm, arm_settings, name));
      if (with_own_readout) made.push_back(job(arm, arm_settings, name + "_joint_readout"));
    }
    return made;
  }

 private:
  Job job(const std::string& arm, const json::value& arm_settings, const std::string& metric) const {
    Job job{"", arm, repeat_, metric, nullptr};
    json::object identity{{"encoder", encoder_.identity},
                          {"task", config::write(task_)},
                          {"task_data", config::write(suite_.dataset(task_.data).identity())},
                          {"seed", suite_.seed},
                          {"repeat", repeat_},
                          {"arm", arm},
                          {"arm_settings", arm_settings},
                          {"metric", metric},
                          {"protocol", config::name_of(suite_.downstream.protocol)},
                          {"readout", config::write(suite_.downstream.readout)},
                          {"bootstrap", suite_.downstream.bootstrap}};
    if (suite_.downstream.readout.solver == downstream::Solver::kDescent) identity["descent"] = joint_settings(suite_);
    if (task_.kind == downstream::TaskKind::kKnown) identity["axes"] = config::write(suite_.axes);
    if (encoder_.is_conditioned()) {
      identity["bn_statistics"] = config::name_of(suite_.downstream.bn_statistics);
      const bool reestimates = suite_.downstream.bn_statistics != downstream::BnStatistics::kRunning;
      identity["batch_norm"] =
          config::write(reestimates ? suite_.downstream.batch_norm : downstream::ReestimationSettings());
    }
    job.identity = identity;
    job.id = sha256_hex(json::serialize(job.identity));
    return job;
  }

  const Suite& suite_;
  const train::EncoderPlan& encoder_;
  const TaskSettings& task_;
  int64_t repeat_;
};

/// The points at which a conditioned encoder is judged at a fixed i, each with the names that arms give it.
std::map<config::Invariance, std::vector<std::string>> fixed_points(const Suite& suite) {
  const auto n_axes = static_cast<int64_t>(suite.axes.size());
  std::map<config::Invariance, std::vector<std::string>> points;
  if (suite.asks_for(Arm::kCorners)) {
    for (const config::Invariance& corner : config::all_corners(n_axes))
      points[corner].push_back("corner-" + config::bits(corner));
  }
  if (suite.asks_for(Arm::kCentre)) points[config::centre(n_axes)].push_back("centre");
  if (suite.asks_for(Arm::kGrid)) {
    for (const config::Invariance& point : config::grid(n_axes, suite.downstream.grid_per_axis)) {
      points[point].push_back("grid-" + config::to_string(point));
    }
  }
  return points;
}

void append(std::vector<Job>& jobs, std::vector<Job> more) {
  std::move(more.begin(), more.end(), std::back_inserter(jobs));
}

/// Repeats that share their data: one each for a known task, else all of them.
std::vector<std::vector<int64_t>> groups_of_repeats(const Suite& suite, const TaskSettings& task) {
  std::vector<std::vector<int64_t>> groups;
  for (int64_t repeat = 0; repeat < suite.repeats; ++repeat) {
    if (groups.empty() || task.kind == downstream::TaskKind::kKnown) groups.emplace_back();
    groups.back().push_back(repeat);
  }
  return groups;
}

void add_fixed_units(Plan& plan, const Suite& suite, size_t encoder, size_t task, const std::vector<int64_t>& repeats) {
  const train::EncoderPlan& which = plan.encoders[encoder];
  std::map<config::Invariance, std::vector<std::string>> points{{{}, {which.name}}};
  if (which.is_conditioned()) points = fixed_points(suite);
  for (const auto& [point, arms] : points) {
    Unit unit;
    unit.encoder = encoder;
    unit.task = task;
    unit.invariance = point;
    unit.reestimates = reestimates(suite, which);
    const json::value settings =
        which.is_conditioned() ? json::object{{"invariance", config::write(point)}} : json::value();
    for (int64_t repeat : repeats) {
      const JobMaker maker(suite, which, suite.tasks[task], repeat);
      for (const std::string& arm : arms) append(unit.jobs, maker.jobs(arm, settings));
    }
    unit.name = fmt::format("{} features{} {} repeat {}", which.key(),
                            which.is_conditioned() ? " at " + config::to_string(point) : "", suite.tasks[task].name,
                            fmt::join(repeats, ","));
    plan.units.push_back(std::move(unit));
  }
}

void add_learned_units(Plan& plan, const Suite& suite, size_t encoder, size_t task, int64_t repeat) {
  const train::EncoderPlan& which = plan.encoders[encoder];
  if (!which.is_conditioned()) return;
  const JobMaker maker(suite, which, suite.tasks[task], repeat);
  const bool is_few_shot = suite.tasks[task].kind == downstream::TaskKind::kFewShot;
  const auto add = [&](UnitKind kind, Arm arm, Arm discretised, const std::string& name, const json::value& settings) {
    const bool has_own_readout =
        kind == UnitKind::kJoint && !is_few_shot && !suite.downstream.judges_own_readout();  // beside the other
    Unit unit;
    unit.kind = kind;
    unit.encoder = encoder;
    unit.task = task;
    unit.reestimates = reestimates(suite, plan.encoders[encoder]);
    if (suite.asks_for(arm)) append(unit.jobs, maker.jobs(name, settings, has_own_readout));
    if (suite.asks_for(discretised)) append(unit.jobs, maker.jobs(name + "-discretised", settings));
    unit.name = fmt::format("{} {} {} repeat {}", which.key(), name, suite.tasks[task].name, repeat);
    if (!unit.jobs.empty()) plan.units.push_back(std::move(unit));
  };
  add(UnitKind::kProjected, Arm::kLearnedProjected, Arm::kLearnedProjectedDiscretised, "learned-projected",
      config::write(suite.downstream.projected));
  if (repeat < suite.downstream.joint.repeats) {
    add(UnitKind::kJoint, Arm::kLearnedJoint, Arm::kLearnedJointDiscretised, "learned-joint", joint_settings(suite));
  }
  if (allows_learned_episodes(suite.tasks[task]) && suite.asks_for(Arm::kLearnedEpisode)) {
    Unit unit;
    unit.kind = UnitKind::kEpisodes;
    unit.encoder = encoder;
    unit.task = task;
    unit.reestimates = reestimates(suite, which);
    unit.jobs = maker.jobs("learned-episode", config::write(suite.downstream.projected));
    unit.name = fmt::format("{} learned-episode {} repeat {}", which.key(), suite.tasks[task].name, repeat);
    plan.units.push_back(std::move(unit));
  }
}

void add_sensitivity_units(Plan& plan, const Suite& suite, size_t encoder) {
  if (suite.sensitivity.data.empty()) return;
  const train::EncoderPlan& which = plan.encoders[encoder];
  const std::vector<config::Invariance> corners = which.is_conditioned()
                                                      ? config::all_corners(which.n_axes())
                                                      : std::vector<config::Invariance>{which.corners.front()};
  for (const config::Invariance& corner : corners) {
    Unit unit;
    unit.kind = UnitKind::kSensitivity;
    unit.encoder = encoder;
    unit.invariance = corner;
    unit.name = fmt::format("{} sensitivity at {}", which.key(), config::bits(corner));
    plan.units.push_back(unit);
  }
}

}  // namespace

std::set<std::string> Plan::job_ids() const {
  std::set<std::string> ids;
  for (const Unit& unit : units) {
    for (const Job& job : unit.jobs) ids.insert(job.id);
  }
  return ids;
}

bool chooses_statistics(const Suite& suite, const Unit& unit) {
  return unit.reestimates && suite.downstream.bn_statistics == downstream::BnStatistics::kValidated;
}

Plan make_plan(const Suite& suite) {
  Plan plan;
  for (int64_t seed : suite.encoder_seeds) {
    for (const EncoderEntry& entry : suite.encoders) {
      train::EncoderPlan encoder{entry.name,
                                 seed,
                                 entry.pretraining,
                                 suite.axes,
                                 corners_of(entry, static_cast<int64_t>(suite.axes.size())),
                                 entry.corner_weights,
                                 stored_shape(suite, entry.pretraining.data),
                                 nullptr};
      encoder.identity = encoder_identity(suite, entry, seed, encoder.corners);
      plan.encoders.push_back(std::move(encoder));
    }
  }
  for (size_t encoder = 0; encoder < plan.encoders.size(); ++encoder) {
    for (size_t task = 0; task < suite.tasks.size(); ++task) {
      for (const std::vector<int64_t>& repeats : groups_of_repeats(suite, suite.tasks[task])) {
        add_fixed_units(plan, suite, encoder, task, repeats);
      }
      for (int64_t repeat = 0; repeat < suite.repeats; ++repeat) add_learned_units(plan, suite, encoder, task, repeat);
    }
    add_sensitivity_units(plan, suite, encoder);
  }
  return plan;
}

namespace {

/// To validate one fixed i.
int64_t images_to_validate(const Suite& suite, const TaskSize& size, const Unit& unit) {
  return (chooses_statistics(suite, unit) ? 2 : 1) * size.to_validate +
         (unit.reestimates ? suite.downstream.batch_norm.images : 0);
}

int64_t forward_images(const Suite& suite, const std::vector<TaskSize>& sizes, const Unit& unit) {
  if (unit.kind == UnitKind::kSensitivity) {
    const config::Media media = augment::media_of(suite.axes);
    return suite.sensitivity.images * (std::ssize(downstream::sensitivity_transformations(media)) + 1);
  }
  if (unit.kind == UnitKind::kEpisodes) {
    const downstream::FewShotSettings& few_shot = suite.tasks[unit.task].few_shot;
    const int64_t parts = suite.dataset(suite.tasks[unit.task].data).sound.parts;
    const int64_t reestimation = unit.reestimates ? suite.downstream.batch_norm.images : 0;
    const int64_t episode = few_shot.ways * (few_shot.shots + few_shot.queries) * parts;
    return 2 * few_shot.learned_episodes * (episode + reestimation);
  }
  const TaskSize& size = sizes[unit.task];
  const int64_t to_validate = images_to_validate(suite, size, unit);
  const downstream::DownstreamSettings& settings = suite.downstream;
  // learned-joint's own readout is judged under running statistics, beside another's or alone.
  const bool has_own_readout =
      unit.kind == UnitKind::kJoint && suite.tasks[unit.task].kind != downstream::TaskKind::kFewShot;
  const bool is_alone = has_own_readout && settings.judges_own_readout();
  // Points that are judged by a fresh readout: one a name, of learned-joint and its nearest corner, say.
  std::set<std::string> arms;
  for (const Job& job : unit.jobs) arms.insert(unit.kind == UnitKind::kFixed ? "" : job.arm);
  const int64_t n_judged = std::ssize(arms) - (is_alone ? 1 : 0);
  int64_t images = n_judged * (to_validate + size.test);
  // What validation chooses among: the ends of the descents and the best one's corner, of which one is counted above.
  if (unit.kind == UnitKind::kProjected && settings.projected.choice == downstream::Choice::kValidation)
    images += settings.projected.starts * to_validate;
  if (is_alone || (has_own_readout && unit.reestimates)) images += size.to_validate + size.test;
  return images;
}

}  // namespace

void estimate_costs(Plan& plan, const Suite& suite, const std::vector<TaskSize>& sizes) {
  // A backward pass through frozen weights to the kernels costs about as much as two forward passes.
  constexpr double kWithBackward = 3.0;
  std::vector<double> flops;
  for (const train::EncoderPlan& encoder : plan.encoders) {
    flops.push_back(model::flops_per_image(encoder.settings.model, encoder.view_shape()));
  }
  const downstream::DownstreamSettings& settings = suite.downstream;
  const auto images_of_projected = [&](const Unit& unit, int64_t n_train) {
    const train::EncoderPlan& encoder = plan.encoders[unit.encoder];
    const downstream::ProjectedImages images =
        downstream::projected_images(settings.projected, n_train, static_cast<int64_t>(suite.axes.size()),
                                     downstream::images_kept_at_once(encoder.settings.model, encoder.view_shape()));
    return kWithBackward * static_cast<double>(images.with_gradient) + static_cast<double>(images.forward_only);
  };
  for (Unit& unit : plan.units) {
    unit.forward_images = forward_images(suite, sizes, unit);
    auto images = static_cast<double>(unit.forward_images);
    if (unit.kind == UnitKind::kProjected) images += images_of_projected(unit, sizes[unit.task].train);
    if (unit.kind == UnitKind::kEpisodes) {
      const downstream::FewShotSettings& few_shot = suite.tasks[unit.task].few_shot;
      images += static_cast<double>(2 * few_shot.learned_episodes) *
                images_of_projected(unit, few_shot.ways * few_shot.shots);
    }
    if (unit.kind == UnitKind::kJoint) {
      images +=
          static_cast<double>(settings.joint.epochs) * (kWithBackward * static_cast<double>(sizes[unit.task].train) +
                                                        static_cast<double>(sizes[unit.task].validation));
    }
    unit.cost = images * flops[unit.encoder];
  }
  std::stable_sort(plan.units.begin(), plan.units.end(), [](const Unit& a, const Unit& b) { return a.cost > b.cost; });
}

}  // namespace invaria::suite
