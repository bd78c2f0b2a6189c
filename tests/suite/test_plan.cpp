#include "suite/measure.hpp"
#include "suite/plan.hpp"

#include <map>

#include "config/differences.hpp"
#include "model/cost.hpp"
#include "suite/begun_before.hpp"
#include "tests/suite/small_suite.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;

namespace {

Plan plan_of(const std::vector<std::string>& assignments = {}) {
  return make_plan(small_suite(assignments));
}

size_t n_common(const Plan& a, const Plan& b) {
  const std::set<std::string> ids = b.job_ids();
  size_t common = 0;
  for (const std::string& id : a.job_ids()) common += ids.contains(id) ? 1 : 0;
  return common;
}

/// The id of one job, by encoder, arm, task, repeat and metric.
std::string id_of(const Plan& plan, const Suite& suite, const std::string& wanted) {
  for (const Unit& unit : plan.units) {
    for (const Job& job : unit.jobs) {
      const std::string name = fmt::format("{} {} {} {} {}", plan.encoders[unit.encoder].key(), job.arm,
                                           suite.tasks[unit.task].name, job.repeat, job.metric);
      if (name == wanted) return job.id;
    }
  }
  return "none";
}

}  // namespace

TEST_CASE("every arm of every encoder, task and repeat is one job with an id of its own", "[suite]") {
  const Plan plan = plan_of({"encoder_seeds=[0, 7]"});
  CHECK(plan.encoders.size() == 6);
  size_t jobs = 0;
  for (const Unit& unit : plan.units) jobs += unit.jobs.size();
  CHECK(plan.job_ids().size() == jobs);
  // A seed, task and repeat: projected, 4 corners, the centre, 9 grid points, 2 baselines; joint with its own readout
  // in one repeat only.
  CHECK(jobs == 2 * 2 * (2 * (1 + 4 + 1 + 9 + 2) + 2));
}

TEST_CASE("a job's id is the same in every process and version", "[suite][golden]") {
  const Suite suite = small_suite();
  CHECK(id_of(make_plan(suite), suite, "amortised-seed0 corner-01 shapes-4 1 top1") ==
        "d79ef38a083d96cbb6326df2517c275302da52ce0b22f9bf0193e462fb46af02");
}

TEST_CASE("a job's id depends on what decides its value and on nothing else", "[suite]") {
  const Plan plan = plan_of();
  const size_t all = plan.job_ids().size();
  for (const char* free :
       {"repeats=5", "checkpoint_every_s=1", "name=other", "sensitivity.images=30", "downstream.joint.repeats=2",
        "downstream.grid_per_axis=5",
        "arms=[\"learned-projected\", \"learned-joint\", \"corners\", \"centre\", \"grid\", "
        "\"learned-projected-discretised\"]",
        "encoder_defaults.pretraining.monitor={\"every\": 2, \"data\": \"shapes\", \"split\": \"test\"}",
        "data[0].max_memory_share=0.9", "data[0].check_contents=true", "encoder_seeds=[0, 1]",
        "data=[{\"name\": \"shapes\", \"size\": 36}, {\"name\": \"few\"}]"}) {
    INFO(free);
    CHECK(n_common(plan, plan_of({free})) == all);
  }
  // Which statistics are re-estimated where none are; where a file lies that is known by its hash.
  const Plan running = plan_of({"downstream.bn_statistics=running"});
  CHECK(n_common(running, plan_of({"downstream.bn_statistics=running", "downstream.batch_norm.images=40"})) == all);
  const auto from = [](const std::string& file, char digit) {
    return plan_of({"encoder_defaults.pretraining.init_from=" + file,
                    "encoder_defaults.pretraining.init_from_hash=" + std::string(64, digit)});
  };
  const Plan here = from("here.safetensors", 'a');
  CHECK(n_common(here, from("there.safetensors", 'a')) == all);
  CHECK(n_common(here, from("here.safetensors", 'b')) < all);
  for (const char* decisive :
       {"seed=1", "data[0].size=40", "encoder_defaults.pretraining.projection.hidden=13", "downstream.readout.l2=[0.1]",
        "encoder_defaults.pretraining.optimizer.beta2=0.99", "encoder_defaults.pretraining.objective.temperature=0.3",
        "encoder_defaults.pretraining.augment.flip_p=0.4", "encoder_seeds=[1]", "downstream.bootstrap=10",
        "downstream.protocol=transfer", "task_defaults.validation_fraction=0.3"}) {
    INFO(decisive);
    CHECK(n_common(plan, plan_of({decisive})) == 0);
  }
  // Some matter to some jobs only.
  const std::map<std::string, size_t> partial{
      {"downstream.projected.ridge=[2]", 4},    // learned-projected: 2 tasks, 2 repeats
      {"downstream.joint.epochs=3", 4},         // learned-joint: 2 tasks, 1 repeat, 2 readouts
      {"downstream.batch_norm.images=40", 64},  // all of the conditioned encoder
      {"tasks[1].known.test_per_class=3", 36},  // of one task
      {"encoders[1].pretraining.steps=5", 4}    // of one encoder
  };
  for (const auto& [assignment, changed] : partial) {
    INFO(assignment);
    CHECK(n_common(plan, plan_of({assignment})) == all - changed);
  }
  Suite other_hues = small_suite();
  other_hues.axes[1].fixed_settings[1].hue = 0.2;  // the known task asks for hues, the encoders never see them
  CHECK(n_common(plan, make_plan(other_hues)) == all - 36);
}

TEST_CASE("what shares an extraction is one unit, and no extraction is in two", "[suite]") {
  const Suite suite = small_suite();
  const Plan plan = make_plan(suite);
  std::set<std::string> names;
  std::map<std::string, size_t> of_task;
  for (const Unit& unit : plan.units) {
    CHECK(names.insert(unit.name).second);
    if (unit.kind == UnitKind::kFixed) ++of_task[suite.tasks[unit.task].name];
    if (unit.kind != UnitKind::kFixed || suite.tasks[unit.task].name != "shapes-4") continue;
    std::set<int64_t> repeats;
    for (const Job& job : unit.jobs) repeats.insert(job.repeat);
    CHECK(repeats.size() == 2);  // both repeats judge the same pictures
    if (unit.invariance == config::Invariance{0, 1}) CHECK(unit.jobs.size() == 4);  // corner-01 and grid-0,1
  }
  CHECK(of_task["shapes-4"] == 9 + 2);        // corners and the centre lie on the grid
  CHECK(of_task["known-10"] == 2 * (9 + 2));  // each repeat has its own pictures
}

TEST_CASE(
    "a few-shot task has every arm, i of each episode where the support has halves, and no readout of joint's own",
    "[suite][episodes]") {
  const std::vector<std::string> one_shot{
      "tasks=[{\"name\": \"episodes\", \"kind\": \"few-shot\", \"few_shot\": {\"ways\": 2, \"novel_classes\": 2}}]",
      "arms=[\"learned-projected\", \"learned-joint\", \"corners\"]"};
  const auto arms = [](const Plan& plan) {
    std::map<std::string, size_t> found;
    for (const Unit& unit : plan.units) {
      for (const Job& job : unit.jobs) {
        CHECK(job.metric == "top1");
        ++found[job.arm];
      }
    }
    return found;
  };
  const auto found = arms(plan_of(one_shot));
  CHECK(found.at("learned-projected") == 2);
  CHECK(found.at("learned-joint") == 1);
  CHECK(found.at("corner-01") == 2);
  CHECK(found.at("fixed-default") == 2);

  std::vector<std::string> two_shots = one_shot;
  two_shots.push_back("tasks[0].few_shot.shots=2");
  two_shots.push_back("arms=[\"learned-episode\", \"corners\"]");
  const Plan plan = small_plan(small_suite(two_shots));
  CHECK(arms(plan).at("learned-episode") == 2);
  // 2 x 20 episodes, each with 2 x (2 + 15) pictures and 32 for the statistics.
  for (const Unit& unit : plan.units) {
    if (unit.kind == UnitKind::kEpisodes) CHECK(unit.forward_images == 40 * (34 + 32));
  }
}

TEST_CASE("units are sorted with the longest first", "[suite]") {
  const Plan plan = small_plan(small_suite({"downstream.joint.epochs=100"}));
  for (size_t unit = 0; unit < plan.units.size(); ++unit) {
    CHECK(plan.units[unit].cost > 0);
    if (unit > 0) CHECK(plan.units[unit - 1].cost >= plan.units[unit].cost);
  }
  CHECK(plan.units.front().kind == UnitKind::kJoint);
  // One forward pass: 104 pictures of shapes-4 and 32 for the statistics, of its convolutions' operations.
  for (const Unit& unit : plan.units) {
    if (unit.name != "amortised-seed0 features at 0,1 shapes-4 repeat 0,1") continue;
    CHECK(unit.cost == Approx(136 * model::flops_per_image(plan.encoders[0].settings.model, 32)));
  }
}

TEST_CASE("differences name the paths at which two settings differ", "[suite]") {
  const auto parse = [](const char* text) { return config::parse_text(text, "here"); };
  CHECK(config::differences(parse("{\"a\": {\"b\": [1, 2]}}"), parse("{\"a\": {\"b\": [1, 2]}}")).empty());
  CHECK(config::differences(parse("{\"a\": {\"b\": [1, 2], \"c\": 1}}"),
                            parse("{\"a\": {\"b\": [1, 3], \"d\": true}}")) ==
        std::vector<std::string>{"a.b[1]: 2 there, 3 here", "a.c: 1 there, null here", "a.d: absent there, true here"});
  CHECK(config::differences(parse("[1]"), parse("[1, 2]")) == std::vector<std::string>{": [1] there, [1,2] here"});
}

TEST_CASE("encoders are measured at the corners of their pretraining, and conditioned ones along every axis",
          "[suite][measure]") {
  const auto points = [](const std::vector<std::string>& assignments, int64_t along_i, size_t encoder) {
    std::vector<std::string> found;
    for (const MeasureUnit& unit : measure_units(make_plan(small_suite(assignments)), along_i)) {
      if (unit.encoder == encoder) found.push_back(config::to_string(unit.invariance));
    }
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(points({}, 0, 0) == Texts{"0,1", "1,0", "1,1"});
  CHECK(points({}, 3, 0) == Texts{"0,1", "0.5,1", "1,0", "1,0.5", "1,1"});
  CHECK(points({"encoders[0].corners=[\"00\"]"}, 2, 0) == Texts{"0,0", "0,1", "1,0", "1,1"});
  CHECK(points({}, 3, 1) == Texts{"1,1"});  // without conditioning
  CHECK(points({"axes=k5", "encoders[0].min_ones=2", "tasks=[]"}, 3, 0).size() == 26 + 5);
}
