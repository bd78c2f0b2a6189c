#include "suite/schedule.hpp"

#include <numeric>

#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::suite;

TEST_CASE("a sweep ends with its last rank, and what others wait for it is the tail", "[suite]") {
  const Schedule schedule = simulate_sweep({5.0, 3.0, 2.0, 0.5}, 2, {});
  // One rank has 5 and 0.5, the other 3 and 2: both are free at 5, and one of them takes the last.
  CHECK(schedule.makespan_s == Approx(5.5));
  CHECK(schedule.tail_s == Approx(0.5));
  CHECK(schedule.efficiency == Approx(10.5 / 11.0));
  CHECK(schedule.ranks_without == 0);
  // 5, 3 and 2 s are flushed behind the unit, 0.5 s at the end; and each rank writes its times.
  CHECK(schedule.segments == 4 + 2);
  CHECK(schedule.segments_per_rank == 3);
}

TEST_CASE("more ranks than units stay without one", "[suite]") {
  const Schedule schedule = simulate_sweep({4.0, 1.0}, 8, {});
  CHECK(schedule.makespan_s == Approx(4.0));
  CHECK(schedule.ranks_without == 6);
  CHECK(schedule.efficiency == Approx(5.0 / 32.0));
  CHECK(schedule.tail_s == Approx(4.0));
}

TEST_CASE("ranks that ask at once wait for the counter one after the other", "[suite]") {
  const ClaimCost claim{1e-3, 2e-3};
  const Schedule schedule = simulate_sweep(std::vector<double>(1000, 10.0), 1000, claim);
  CHECK(schedule.longest_claim_s == Approx(2e-3 + 1000 * 1e-3));
  CHECK(schedule.makespan_s == Approx(10.0 + 1.002));
  // A busy counter gives out no more than one unit a service, however many ranks there are.
  const Schedule tiny = simulate_sweep(std::vector<double>(10000, 1e-3), 1000, claim);
  CHECK(tiny.makespan_s >= 10000 * claim.service_s);
  CHECK(tiny.efficiency < 0.01);
}

TEST_CASE("short units share segments", "[suite]") {
  const Schedule schedule = simulate_sweep(std::vector<double>(100, 0.11), 1, {});
  CHECK(schedule.makespan_s == Approx(11.0));
  CHECK(schedule.segments == 5 + 1 + 1);  // every 2.09 s, the rest, the times
}
