#include <algorithm>
#include <set>

#include "core/errors.hpp"
#include "data/sampler.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::data;

TEST_CASE("an epoch uses each sample at most once and drops what is left over", "[data][sampler]") {
  EpochSampler sampler(25, 8, 3);
  REQUIRE(sampler.steps_per_epoch() == 3);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t step = epoch * 3; step < epoch * 3 + 3; ++step) {
      const auto batch = sampler.batch(step);
      CHECK(batch.size() == 8);
      seen.insert(batch.begin(), batch.end());
    }
    CHECK(seen.size() == 24);
    CHECK(*seen.begin() >= 0);
    CHECK(*seen.rbegin() < 25);
  }
}

TEST_CASE("epochs and seeds have orders of their own", "[data][sampler]") {
  EpochSampler sampler(64, 32, 3);
  EpochSampler other(64, 32, 4);
  CHECK(sampler.batch(0) != sampler.batch(2));
  CHECK(sampler.batch(0) != other.batch(0));
}

TEST_CASE("a step's batch does not depend on the steps asked for before", "[data][sampler]") {
  EpochSampler forward(40, 7, 9);
  std::vector<std::vector<int64_t>> in_order;
  for (int64_t step = 0; step < 15; ++step) in_order.push_back(forward.batch(step));
  for (const int64_t step : {14, 0, 7, 3, 14}) {
    CHECK(EpochSampler(40, 7, 9).batch(step) == in_order[static_cast<size_t>(step)]);
    CHECK(forward.batch(step) == in_order[static_cast<size_t>(step)]);
  }
}

TEST_CASE("a batch larger than the data set is refused", "[data][sampler]") {
  CHECK_THROWS_AS(EpochSampler(10, 11, 0), PreconditionError);
  CHECK_THROWS_AS(EpochSampler(10, 0, 0), PreconditionError);
  CHECK(EpochSampler(10, 10, 0).batch(5).size() == 10);
}

TEST_CASE("the ranks' shares tile the global batch in rank order and differ by at most one", "[data][sampler]") {
  const int64_t global_batch = GENERATE(1, 5, 256, 257);
  const int world = GENERATE(1, 2, 3, 4, 7);
  int64_t next = 0;
  for (int rank = 0; rank < world; ++rank) {
    const Share share = local_share(global_batch, rank, world);
    CHECK(share.first == next);
    CHECK(share.count >= global_batch / world);
    CHECK(share.count <= global_batch / world + 1);
    next += share.count;
  }
  CHECK(next == global_batch);
}

TEST_CASE("256 over 3 ranks is 86, 85, 85", "[data][sampler]") {
  CHECK(local_share(256, 0, 3).count == 86);
  CHECK(local_share(256, 1, 3).count == 85);
  CHECK(local_share(256, 2, 3).count == 85);
  CHECK_THROWS_AS(local_share(256, 3, 3), PreconditionError);
}
