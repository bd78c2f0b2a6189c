#include "suite/suite.hpp"

#include <boost/json/serialize.hpp>

#include <fstream>
#include <iterator>

#include "tests/suite/small_suite.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;

namespace {

/// All problems of the small suite under these assignments.
std::vector<config::Problem> problems_of(const std::vector<std::string>& assignments) {
  config::Problems problems;
  read_small(assignments, problems);
  return problems.list();
}

bool has(const std::vector<config::Problem>& problems, const std::string& where, const std::string& text = "") {
  return std::any_of(problems.begin(), problems.end(), [&](const config::Problem& problem) {
    return problem.where == where && (problem.found + problem.rule + problem.hint).find(text) != std::string::npos;
  });
}

std::string read_text(const std::string& path) {
  std::ifstream file(INVARIA_SOURCE_DIR + ("/" + path));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("defaults are merged under each entry, whose own values win", "[suite]") {
  const Suite suite = small_suite();
  CHECK(suite.encoders.size() == 3);
  CHECK(suite.encoders[0].pretraining.steps == 4);
  CHECK(suite.encoders[2].pretraining.steps == 0);
  CHECK(suite.encoders[0].pretraining.model.conditioning == model::Conditioning::kHypernetwork);
  CHECK(suite.encoders[0].pretraining.model.width == 4);  // merged member by member, not replaced
  CHECK(suite.encoders[1].pretraining.model.conditioning == model::Conditioning::kNone);
  CHECK(suite.tasks[1].data == "shapes");
  CHECK(suite.seed == 0);  // not said: the struct's default
}

TEST_CASE("a resolved suite is read as itself", "[suite]") {
  for (const char* file : {"suites/quickstart.json", "suites/smoke.json", ""}) {
    INFO(file);
    config::Problems problems;
    const Suite suite = *file == '\0' ? small_suite() : read_suite(config::parse_text(read_text(file), file), problems);
    const std::string written = config::json::serialize(config::write(suite));
    const Suite again = read_suite(config::parse_text(written, "resolved"), problems);
    validate_suite(again, problems);
    CHECK(problems.to_string() == "");
    CHECK(config::json::serialize(config::write(again)) == written);
  }
}

TEST_CASE("known tasks draw as strongly as the first conditioned encoder was pretrained, but for milder crops",
          "[suite]") {
  const std::vector<std::string> strengths{"encoders[1].pretraining.augment.flip_p=0.1",
                                           "encoders[0].pretraining.augment.flip_p=0.2",
                                           "encoders[0].pretraining.augment.jitter.hue=0.3"};
  const augment::AugmentSettings taken = small_suite(strengths).tasks[1].known.augment;
  CHECK(taken.flip_p == 0.2);
  CHECK(taken.jitter.hue == 0.3);
  CHECK(taken.crop_area == std::vector<double>{0.35, 1.0});
  CHECK(small_suite(strengths).tasks[0].known.augment.flip_p == 0.5);  // no known task: nothing is asked of it

  std::vector<std::string> own = strengths;
  own.push_back("tasks[1].known.augment={\"flip_p\": 0.7, \"crop_area\": [0.5, 0.6]}");
  const augment::AugmentSettings set = small_suite(own).tasks[1].known.augment;
  CHECK(set.flip_p == 0.7);
  CHECK(set.crop_area == std::vector<double>{0.5, 0.6});
  CHECK(set.jitter.hue == 0.3);  // not said

  // The first conditioned encoder, else the first.
  std::vector<std::string> reordered = strengths;
  reordered.push_back("encoders[0].pretraining.model.conditioning=none");
  reordered.push_back("encoders[1].pretraining.model.conditioning=hypernetwork");
  CHECK(small_suite(reordered).tasks[1].known.augment.flip_p == 0.1);
  reordered.back() = "arms=[]";
  CHECK(small_suite(reordered).tasks[1].known.augment.flip_p == 0.2);

  // The default strengths give what a suite that says nothing always had.
  CHECK(config::write(small_suite().tasks[1].known.augment) == config::write(downstream::milder_crops()));

  // A preset of the task's own stands for all of them; crops stay milder unless they are given.
  const augment::AugmentSettings named =
      small_suite({"tasks[1].known.augment={\"preset\": \"simclr\", \"flip_p\": 0.7}"}).tasks[1].known.augment;
  CHECK(named.preset == augment::AugmentPreset::kSimclr);
  CHECK(named.jitter.brightness == 0.8);
  CHECK(named.flip_p == 0.7);
  CHECK(named.crop_area == std::vector<double>{0.35, 1.0});
}

TEST_CASE("a mistake in the defaults is reported once, and where it is", "[suite]") {
  const auto unknown = problems_of({"encoder_defaults.pretraining.stepz=5"});
  CHECK(unknown.size() == 1);
  CHECK(has(unknown, "encoder_defaults.pretraining.stepz", "steps"));
  CHECK(has(problems_of({"task_defaults.validation_fraction=7"}), "task_defaults.validation_fraction"));
  CHECK(has(problems_of({"encoder_defaults=[]"}), "encoder_defaults", "an object"));
  CHECK(has(problems_of({"task_defaults=3"}), "task_defaults", "an object"));
}

TEST_CASE("every problem is found at once, each with its path", "[suite]") {
  const auto problems = problems_of({"encoders[0].pretraining.steps=-1", "tasks[1].kind=knwon", "repeats=0", "sed=1"});
  CHECK(problems.size() == 4);
  CHECK(has(problems, "encoders[0].pretraining.steps"));
  CHECK(has(problems, "tasks[1].kind", "known"));
  CHECK(has(problems, "repeats"));
  CHECK(has(problems, "sed", "seed"));
  config::Problems of_a_list;
  read_suite(config::json::array{}, of_a_list);
  CHECK(has(of_a_list.list(), "", "an object"));
}

TEST_CASE("validate_suite holds what spans settings to its rules", "[suite]") {
  CHECK(problems_of({}).empty());
  struct Case {
    std::vector<std::string> assignments;
    std::string where, text;
  };
  const std::vector<Case> cases{
      {{"data=[]"}, "data", "at least one data set"},
      {{"encoders=[]"}, "encoders", "at least one encoder"},
      {{"axes=[]"}, "axes", "at least one axis"},
      {{"axes=k6"}, "axes", "a known name"},
      {{"encoders[1].name=amortised"}, "encoders[1].name", "no other entry"},
      {{"tasks[1].name=shapes-4"}, "tasks[1].name", "no other entry"},
      {{"encoders[1].name=\"a/b\""}, "encoders[1].name", "a name: letters"},
      {{"tasks[0].name=\"a b\""}, "tasks[0].name", "a name: letters"},
      {{"encoders[1].name=\".hidden\""}, "encoders[1].name", "a name: letters"},
      {{"encoder_seeds=[]"}, "encoder_seeds", "one or more different seeds"},
      {{"encoder_seeds=[1, 1]"}, "encoder_seeds", "one or more different seeds"},
      {{"arms=[\"grid\", \"grid\"]"}, "arms", "each arm once"},
      {{"encoders[1].pretraining.data=shape"}, "encoders[1].pretraining.data", "shapes"},
      {{"encoders[0].corners=[\"012\"]"}, "encoders[0].corners[0]", "2 bits"},
      {{"encoders[0].corners=[\"11\", \"0x\"]"}, "encoders[0].corners[1]", "0 or 1"},
      {{"encoders[1].corners=[\"11\", \"01\"]"}, "encoders[1].corners", "hypernetwork"},
      {{"encoders[0].min_ones=3"}, "encoders[0].min_ones", "at most 2"},
      {{"tasks[0].data=shape"}, "tasks[0].data", "shapes"},
      {{"tasks[1].known.marks=\"0\""}, "tasks[1].known.marks", "2 marks"},
      {{"tasks[1].known.marks=\"00\""}, "tasks[1].known.marks", "at least one 1"},
      {{"tasks[1].known.classes=8"}, "tasks[1].known.classes", "five pictures"},
      {{"sensitivity.data=shape"}, "sensitivity.data", "shapes"},
      {{"arms=[\"learned-episode\"]"}, "arms", "two shots or more"},
  };
  for (const Case& one : cases) {
    INFO(one.assignments.front());
    const auto problems = problems_of(one.assignments);
    CHECK(has(problems, one.where, one.text));
    CHECK(problems.size() == 1);
  }
}

TEST_CASE("a protocol gives defaults, which the suite's own settings override, and is recorded", "[suite]") {
  using downstream::Metric;
  CHECK(small_suite().downstream.protocol == downstream::Protocol::kSound);
  CHECK(small_suite().downstream.readout.l2.size() == 4);

  const Suite transfer = small_suite({"downstream.protocol=transfer"});
  CHECK(transfer.downstream.readout.l2.size() == 45);
  CHECK(transfer.downstream.readout.refit == downstream::Refit::kTrainAndValidation);
  CHECK(transfer.downstream.projected.steps == 3);  // the suite's own
  CHECK(transfer.downstream.bn_statistics == downstream::BnStatistics::kReestimated);
  const Suite own = small_suite({"downstream.protocol=transfer", "downstream.readout.l2=[0.5]"});
  CHECK(own.downstream.readout.l2 == std::vector<double>{0.5});
  CHECK(own.downstream.readout.refit == downstream::Refit::kTrainAndValidation);

  const std::vector<std::string> numbers{"tasks[1]={\"name\": \"points\", \"kind\": \"keypoints\"}"};
  std::vector<std::string> published = numbers;
  published.push_back("downstream.protocol=paper");
  const Suite paper = small_suite(published);
  CHECK(paper.downstream.bn_statistics == downstream::BnStatistics::kRunning);
  CHECK(paper.downstream.readout.solver == downstream::Solver::kDescent);
  CHECK(paper.downstream.joint.keep == downstream::KeptEpoch::kLast);
  CHECK(paper.tasks[0].validation_fraction == 0.0);  // nothing is chosen on it
  CHECK(paper.asks_for(Arm::kLearnedProjected));     // the suite's own
  std::string without_arms = kSmallSuite;
  const size_t arms = without_arms.find("\"arms\"");
  without_arms.erase(arms, without_arms.find('\n', arms) - arms);
  config::Problems problems;
  CHECK(read_small({}, problems, without_arms).arms.front() == Arm::kLearnedProjected);
  CHECK((read_small({"downstream.protocol=paper"}, problems, without_arms).arms ==
         std::vector{Arm::kLearnedJoint, Arm::kCorners, Arm::kCentre, Arm::kGrid}));
  CHECK(small_suite().downstream.joint.repeats == 1);
  CHECK(paper.downstream.joint.repeats == 2);  // as all arms
  CHECK(small_suite({"downstream.protocol=paper", "downstream.joint.repeats=1"}).downstream.joint.repeats == 1);
  CHECK(small_suite(numbers).tasks[0].validation_fraction == 0.25);
  CHECK(small_suite({"downstream.protocol=paper", "tasks[0].validation_fraction=0.2"}).tasks[0].validation_fraction ==
        0.2);
  CHECK(small_suite({"downstream.protocol=paper", "task_defaults.validation_fraction=0.2"})
            .tasks[0]
            .validation_fraction == 0.2);
  CHECK(small_suite({"downstream.protocol=paper", "downstream.joint.keep=best"}).tasks[0].validation_fraction == 0.25);
  CHECK(small_suite({"downstream.protocol=paper"}).tasks[1].validation_fraction == 0.25);  // known: made, not cut
  CHECK(has(problems_of({"tasks[0].validation_fraction=0"}), "tasks[0].validation_fraction", "chosen on validation"));
  CHECK((paper.tasks[0].resolved_metrics() == std::vector{Metric::kTop1}));
  CHECK((paper.tasks[1].resolved_metrics() == std::vector{Metric::kR2Flat, Metric::kR2, Metric::kNme}));
  CHECK((small_suite(numbers).tasks[1].resolved_metrics() == std::vector{Metric::kR2, Metric::kR2Flat, Metric::kNme}));
  published.push_back("tasks[1].metrics=[\"nme\"]");
  CHECK((small_suite(published).tasks[1].resolved_metrics() == std::vector{Metric::kNme}));
  CHECK(config::write(paper).at("downstream").at("protocol") == "paper");
  CHECK(has(problems_of({"downstream.protocol=papre"}), "downstream.protocol", "paper"));
}

TEST_CASE("an encoder meets the corners that it names, or all with enough ones, or all ones", "[suite]") {
  const auto corners = [](const std::vector<std::string>& assignments, size_t encoder) {
    std::vector<std::string> found;
    for (const auto& corner : corners_of(small_suite(assignments).encoders[encoder], 2))
      found.push_back(config::bits(corner));
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(corners({}, 0) == Texts{"01", "10", "11"});
  CHECK(corners({}, 1) == Texts{"11"});
  CHECK(corners({"encoders[0].min_ones=2"}, 0) == Texts{"11"});
  CHECK(corners({"encoders[0].min_ones=0"}, 0) == Texts{"00", "01", "10", "11"});
  CHECK(corners({"encoders[0].corners=[\"10\", \"00\"]"}, 0) == Texts{"10", "00"});
  CHECK(corners({"encoders[1].corners=[\"01\"]"}, 1) == Texts{"01"});
}

TEST_CASE("axes may be named, and the record spells them out", "[suite]") {
  const Suite suite = small_suite({"axes=k5", "tasks[1].known.marks=10-11", "encoders[0].min_ones=2"});
  REQUIRE(suite.axes.size() == 5);
  CHECK(suite.axes[3].name == "blur");
  CHECK(corners_of(suite.encoders[0], 5).size() == 26);
  const config::json::value record = config::write(suite);
  CHECK(record.at("axes").is_array());
  config::Problems problems;
  CHECK(config::write(read_suite(record, problems)) == record);
  CHECK(config::write(small_suite({"axes=k2"})) == config::write(small_suite()));
}

TEST_CASE("suites/schema.json is the schema of the code", "[suite]") {
  // Remake: build/release/invaria schema > suites/schema.json
  const config::json::value stored = config::parse_text(read_text("suites/schema.json"), "suites/schema.json");
  CHECK(stored == config::json::value(suite_schema()));
}
