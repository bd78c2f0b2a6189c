#include "suite/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tests/suite/small_suite.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;

TEST_CASE("calibration gives positive times, equal for encoders that cost the same", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  if (comm.is_root()) {
    const Suite suite = small_suite(
        {"encoder_seeds=[0, 3]",
         "encoders=[{\"name\": \"amortised\", \"pretraining\": {\"model\": {\"conditioning\": \"hypernetwork\"}}}, "
         "{\"name\": \"fixed-default\"}, {\"name\": \"fixed-spatial\", \"corners\": [\"10\"]}, "
         "{\"name\": \"wide\", \"pretraining\": {\"model\": {\"width\": 32}}}, "
         "{\"name\": \"random\", \"pretraining\": {\"steps\": 0}}]"});
    const Plan plan = small_plan(suite);
    const Calibration found =
        calibrate(suite, summaries_of(small_manifests()), plan, {comm::Communicator::alone(), c10::Device(c10::kCPU)});
    REQUIRE(plan.encoders.size() == 10);
    REQUIRE(found.step_s.size() == 10);
    REQUIRE(found.image_s.size() == 10);
    REQUIRE(found.readout_s.size() == 10);
    std::map<std::string, std::pair<double, double>> of_name;
    for (size_t encoder = 0; encoder < 10; ++encoder) {
      INFO(plan.encoders[encoder].key());
      CHECK((found.image_s[encoder] > 0 && found.image_s[encoder] < 1.0));
      if (plan.encoders[encoder].name == "random") {
        CHECK(found.step_s[encoder] == 0.0);
      } else {
        CHECK((found.step_s[encoder] > 0 && found.step_s[encoder] < 60.0));
        CHECK(found.step_s[encoder] > found.image_s[encoder]);  // 32 views, forward and back
      }
      for (const auto* learning_s : {&found.projected_s, &found.joint_s}) {
        REQUIRE((*learning_s)[encoder].size() == 2);
        for (double seconds : (*learning_s)[encoder])
          CHECK((plan.encoders[encoder].is_conditioned() ? seconds > 0 && seconds < 60.0 : seconds == 0.0));
      }
      const std::pair times{found.step_s[encoder], found.image_s[encoder]};
      CHECK(of_name.emplace(plan.encoders[encoder].name, times).first->second == times);  // seeds cost nothing
    }
    CHECK(of_name.at("fixed-default") == of_name.at("fixed-spatial"));
    CHECK(of_name.at("fixed-default") != of_name.at("amortised"));
    CHECK(of_name.at("wide").second > 2 * of_name.at("fixed-default").second);  // 64 times the operations
    for (const std::vector<double>& of_encoder : found.readout_s) {
      CHECK(of_encoder.size() == 2);
      for (double seconds : of_encoder) CHECK((seconds > 0 && seconds < 60.0));
    }
  }
  comm.barrier();
}

TEST_CASE("a long step's time follows from two shorter ones", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  if (comm.is_root()) {
    const Suite suite =
        small_suite({"encoders=[{\"name\": \"wide\", \"pretraining\": {\"global_batch\": 128, "
                     "\"model\": {\"width\": 32}}}]",
                     "encoder_seeds=[0]"});
    const auto alone = comm::Communicator::alone();
    CalibrationPlace place{alone, c10::Device(c10::kCPU)};
    const auto step_s = [&] {
      return calibrate(suite, summaries_of(small_manifests()), small_plan(suite), place).step_s[0];
    };
    const double whole_s = step_s();
    place.operations = 1e9;
    const double from_parts_s = step_s();
    INFO(whole_s << " s measured, " << from_parts_s << " s expected");
    CHECK((from_parts_s > whole_s / 3 && from_parts_s < 3 * whole_s));
  }
  comm.barrier();
}

TEST_CASE("ranks that one process stands for each have sums of their own", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  if (comm.is_root()) {
    const Suite suite = small_suite();
    const auto bytes_of_one = [&](int64_t beside) {
      const auto alone = comm::Communicator::alone();
      calibrate(suite, summaries_of(small_manifests()), small_plan(suite),
                {.comm = alone,
                 .device = c10::Device(c10::kCPU),
                 .ranks = 8,
                 .beside = beside,
                 .least_s = 0.0});  // as many steps each time, unless they are slow
      return alone.bytes_reduced();
    };
    CHECK(bytes_of_one(1) > 0);
    // The others count in sums of their own: in common ones four would move four times as much. Where four are slow
    // they are called less often, by no more than half.
    bool have_own = false;
    for (int attempt = 0; attempt < 5 && !have_own; ++attempt) have_own = bytes_of_one(4) <= bytes_of_one(1);
    CHECK(have_own);
  }
  comm.barrier();
}

TEST_CASE("ranks that calibrate together learn the same times", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const Suite suite = small_suite();
  const Calibration found =
      calibrate(suite, summaries_of(small_manifests()), small_plan(suite), {comm, c10::Device(c10::kCPU), comm.size()});
  for (size_t encoder = 0; encoder < found.step_s.size(); ++encoder) {
    for (double mine : {found.step_s[encoder], found.image_s[encoder], found.projected_s[encoder][0]}) {
      for (double other : comm.all_gather(mine)) CHECK(other == mine);
    }
  }
}

TEST_CASE("time is steps times a step's, and the units' makespan over the ranks", "[suite][mpi]") {
  const Suite suite = small_suite();
  const Plan plan = small_plan(suite);
  const std::vector<double> none{0.0, 0.0};
  const Calibration made{{0.5, 0.25, 0.0},
                         {0.01, 0.01, 0.01},
                         {{7.0, 8.0}, none, none},
                         {{20.0, 30.0}, none, none},
                         {none, none, none},
                         std::vector(3, std::vector{2.0, 3.0}),
                         {}};
  const TimeEstimate one = estimate_time(suite, plan, made, 1);
  CHECK(one.encoder_s == std::vector<double>{2.0, 1.0, 0.0});  // four steps, and none
  REQUIRE(one.unit_s.size() == plan.units.size());
  const double all_units = std::accumulate(one.unit_s.begin(), one.unit_s.end(), 0.0);
  CHECK(one.sweep.makespan_s == Approx(all_units));
  CHECK(one.total_s() == Approx(3.0 + all_units));
  for (size_t unit = 0; unit < plan.units.size(); ++unit) {
    INFO(plan.units[unit].name << ": " << one.unit_s[unit]);
    CHECK((one.unit_s[unit] > 0 && std::isfinite(one.unit_s[unit])));
    // 136 pictures at 0.01 s and a readout for each of two repeats; what learns i takes its own time and a readout
    // more.
    if (plan.units[unit].name == "amortised-seed0 features at 0,1 shapes-4 repeat 0,1")
      CHECK(one.unit_s[unit] == Approx(1.36 + 2 * 2.0));
    if (plan.units[unit].kind == UnitKind::kProjected)
      CHECK(one.unit_s[unit] > (plan.units[unit].task == 0 ? 9.0 : 11.0));
    if (plan.units[unit].kind == UnitKind::kJoint) CHECK(one.unit_s[unit] > (plan.units[unit].task == 0 ? 22.0 : 33.0));
  }
  CHECK(one.measured_points == 0);
  const Suite measured =
      small_suite({"measure={\"data\": \"shapes\", \"images\": 10, \"strengths\": 3, \"along_i\": 2, "
                   "\"transformations\": [\"rotation\", \"flip\"]}"});
  Calibration counted = made;
  counted.measured_pictures = 40;
  const TimeEstimate measuring = estimate_time(measured, plan, counted, 1);
  CHECK(measuring.measured_points == 5);  // three corners, which the axes' ends are among, and two baselines
  CHECK(measuring.measure_s == Approx(5 * 0.01 * (10 * (1 + 3 + 1) + 40)));  // and whitening, on all that there are
  CHECK(measuring.total_s() == one.total_s());
  const TimeEstimate four = estimate_time(suite, plan, made, 4);
  CHECK(four.sweep.makespan_s >= all_units / 4);
  CHECK(four.sweep.makespan_s <= all_units / 4 + *std::max_element(one.unit_s.begin(), one.unit_s.end()));
}
