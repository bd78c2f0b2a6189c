#include "suite/load.hpp"

#include "downstream/task.hpp"
#include "suite/estimate.hpp"
#include "tests/suite/small_suite.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;

namespace {

config::Problems check(const std::vector<std::string>& assignments) {
  config::Problems problems;
  check_data(small_suite(assignments), small_manifests(), {}, data::CheckDepth::kListing, problems);
  return problems;
}

}  // namespace

TEST_CASE("the sizes that costs are reckoned from are those of the tasks, on the shipped sample", "[suite]") {
  config::Problems problems;
  const Suite suite =
      small_suite({"data=[{\"name\": \"caltech101-sample\", \"size\": 16}]", "task_defaults.data=caltech101-sample",
                   "sensitivity.data=", "encoder_defaults.pretraining.data=caltech101-sample", "tasks[0].class_every=5",
                   "tasks[0].class_limit=20"});
  const DataFolders folders{INVARIA_SOURCE_DIR "/suites", {}};
  Manifests manifests = find_manifests(suite, folders, problems);
  manifests.at("caltech101-sample").splits[0].count.reset();  // a manifest need not say it
  const Summaries found = check_data(suite, manifests, folders, data::CheckDepth::kListing, problems);
  problems.throw_if_any("sample");
  const std::vector<TaskSize> sizes = task_sizes(suite, found);
  const data::Dataset dataset =
      data::load_dataset(manifests.at("caltech101-sample"), suite.data[0], {{}, 2, {}}, NodeMemory::private_memory());
  for (size_t task = 0; task < suite.tasks.size(); ++task) {
    INFO(suite.tasks[task].name);
    const auto made = downstream::make_task(suite.tasks[task], suite.axes, dataset,
                                            {suite.encoders[0].pretraining.augment, 8, {}}, 0, 0);
    // The cut of whole pictures, class by class, rounds.
    CHECK(sizes[task].train == Approx(static_cast<double>(made.train.labels_B.numel())).epsilon(0.1));
    CHECK(sizes[task].validation == Approx(static_cast<double>(made.validation.labels_B.numel())).epsilon(0.1));
    CHECK(sizes[task].test == made.test.labels_B.numel());
    CHECK(sizes[task].to_validate + sizes[task].test == made.pool.size());
  }
}

TEST_CASE("a share of train is validated on as large a share of a named split, few-shot tasks on all of it",
          "[suite]") {
  const std::string more = "data[0].validation_fraction=0.25";
  Manifests manifests = small_manifests();
  config::Problems problems;
  const auto sizes = [&](const std::vector<std::string>& assignments) {
    const Suite suite = small_suite(assignments);
    return task_sizes(suite, check_data(suite, manifests, {}, data::CheckDepth::kListing, problems)).front();
  };
  const TaskSize whole = sizes({more, "tasks[0].validation=validation"});
  const TaskSize half = sizes({more, "tasks[0].validation=validation", "tasks[0].train_fraction=0.5"});
  CHECK(whole.validation == 16);
  CHECK(half.train == whole.train / 2);
  CHECK(half.validation == whole.validation / 2);
  CHECK(half.to_validate == whole.to_validate);
  CHECK(half.test == whole.test);
}

TEST_CASE("what a suite asks of its data is checked before anything runs", "[suite]") {
  CHECK(check({}).empty());
  const std::vector<std::pair<std::string, std::string>> cases{
      {"encoders[1].pretraining.split=trian", "encoders[1].pretraining.split"},
      {"encoders[0].pretraining.global_batch=65", "encoders[0].pretraining.global_batch"},
      {"tasks[0].test=tests", "tasks[0].test"},
      {"tasks[0].train=t", "tasks[0].train"},
      {"tasks[0].validation=validation", "tasks[0].validation"},
      {"tasks[1].known.split=validation", "tasks[1].known.split"},
      {"sensitivity.split=validation", "sensitivity.split"}};
  for (const auto& [assignment, where] : cases) {
    INFO(assignment);
    const config::Problems problems = check({assignment});
    CHECK((problems.list().size() == 1 && problems.list().front().where == where));
  }
  CHECK(check({"tasks[0].validation=validation", "data[0].validation_fraction=0.25"}).empty());
  CHECK(check({"encoders[2].pretraining.global_batch=65"}).empty());  // untrained: it takes no batch

  config::Problems unknown;
  CHECK(find_manifests(small_suite({"data[0].name=caltech101-sampel", "task_defaults.data=caltech101-sampel",
                                    "encoder_defaults.pretraining.data=caltech101-sampel", "sensitivity.data="}),
                       {INVARIA_SOURCE_DIR "/suites", {}}, unknown)
            .empty());
  CHECK((unknown.list().size() == 1 && unknown.list().front().where == "data[0].name"));
  CHECK(unknown.to_string().find("caltech101-sample") != std::string::npos);
}

TEST_CASE("what a suite takes from its data is compared with what they hold", "[suite]") {
  const Suite suite = small_suite({"tasks[0].class_every=2"});
  const Suite points = small_suite({"tasks[0].kind=regression", "tasks[0].metrics=[]"});
  const data::DatasetSummary enough{{{"train", 16}, {"test", 5}}, 4, 2};
  const auto problems = [](const Suite& asked, const data::DatasetSummary& held) {
    config::Problems found;
    check_contents(asked, {{"shapes", held}}, found);
    std::vector<std::string> where;
    for (const config::Problem& problem : found.list()) where.push_back(problem.where);
    return where;
  };
  using Where = std::vector<std::string>;
  CHECK(problems(suite, enough).empty());
  CHECK(problems(points, enough).empty());
  CHECK(problems(suite, {{{"train", 15}, {"test", 5}}, 4, 2}) ==
        Where{"encoders[0].pretraining.global_batch", "encoders[1].pretraining.global_batch"});
  // 20 classes are five pictures under four settings.
  CHECK(problems(suite, {{{"train", 16}, {"test", 4}}, 4, 2}) == Where{"tasks[1].known.classes"});
  CHECK(problems(suite, {{{"train", 16}, {"test", 2}}, 4, 2}) == Where{"tasks[1].known.classes", "sensitivity.split"});
  CHECK(problems(suite, {{{"train", 16}, {"test", 5}}, 0, 2}) == Where{"tasks[0].data"});
  CHECK(problems(suite, {{{"train", 16}, {"test", 5}}, 2, 2}) == Where{"tasks[0].class_every"});
  CHECK(problems(points, {{{"train", 16}, {"test", 5}}, 4, 0}) == Where{"tasks[0].data"});

  config::Problems none;
  check_contents(suite, {}, none);  // nothing is known of the data: that is a problem of its own
  CHECK(none.empty());
  const Summaries found = check_data(suite, small_manifests(), {}, data::CheckDepth::kListing, none);
  CHECK(found.at("shapes").splits == std::vector<std::pair<std::string, int64_t>>{{"train", 64}, {"test", 40}});
  CHECK(found.at("shapes").n_classes == 4);
  CHECK(found.at("shapes").n_targets == 2);
}

TEST_CASE("the estimate adds up the steps, and the units shared out longest first", "[suite]") {
  const Suite suite = small_suite({"sensitivity.data="});
  const Plan plan = small_plan(suite);
  Calibration calibration;
  calibration.step_s = {0.5, 0.25, 0.0};
  calibration.image_s = {1e-3, 1e-3, 1e-3};
  calibration.projected_s = {{5.0, 6.0}, {0.0, 0.0}, {0.0, 0.0}};
  calibration.joint_s = {{70.0, 80.0}, {0.0, 0.0}, {0.0, 0.0}};
  calibration.readout_s = {{2.0, 3.0}, {2.0, 3.0}, {2.0, 3.0}};
  const TimeEstimate alone = estimate_time(suite, plan, calibration, 1);
  CHECK(alone.encoder_s == std::vector<double>{2.0, 1.0, 0.0});
  double sum = 0.0, longest = 0.0;
  for (const double unit : alone.unit_s) {
    sum += unit;
    longest = std::max(longest, unit);
  }
  CHECK(alone.sweep.makespan_s == Approx(sum));
  CHECK(alone.total_s() == Approx(3.0 + sum));
  for (const int64_t ranks : {2, 4}) {
    const TimeEstimate shared = estimate_time(suite, plan, calibration, ranks);
    CHECK(shared.sweep.makespan_s >= Approx(sum / static_cast<double>(ranks)));
    CHECK(shared.sweep.makespan_s <= sum / static_cast<double>(ranks) + longest);
  }
  for (size_t unit = 0; unit < plan.units.size(); ++unit) {
    if (plan.units[unit].name != "amortised-seed0 features at 0,1 shapes-4 repeat 0,1") continue;
    CHECK(alone.unit_s[unit] == Approx(0.136 + 2 * 2.0));  // 136 pictures, a readout in each repeat
  }
}
