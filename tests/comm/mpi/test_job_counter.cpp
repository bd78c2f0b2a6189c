// The sweep's counter: every number once, whatever the transport, while rank 0 computes, and at no cost.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "comm/exchange.hpp"
#include "comm/job_counter.hpp"
#include "tests/comm/mpi/reference.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::comm;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// All ranks' numbers, sorted.
std::vector<int64_t> gather_numbers(const std::vector<int64_t>& mine) {
  const auto bytes = std::as_bytes(std::span(mine));
  const auto sizes = gather_records<int64_t>(MPI_COMM_WORLD, int64_t(bytes.size()));
  int64_t total = 0;
  for (const int64_t size : sizes) total += size;
  std::vector<int64_t> all(size_t(total) / sizeof(int64_t));
  gather_bytes(MPI_COMM_WORLD, bytes, sizes, std::as_writable_bytes(std::span(all)));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("every number is given out exactly once over all ranks", "[comm][counter]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    for (int repeat = 0; repeat < 2; ++repeat) {
      // Every rank claims its fill: racing for a common total, rank 0 would have all before a message arrives.
      constexpr int64_t kClaims = 200;
      std::vector<int64_t> mine;
      {
        JobCounter counter(communicator);
        for (int64_t k = 0; k < kClaims; ++k) mine.push_back(counter.claim());
      }
      const bool rising = std::is_sorted(mine.begin(), mine.end());
      const auto all = gather_numbers(mine);
      CHECK(rising);
      CHECK(int64_t(all.size()) == kClaims * communicator.size());
      int64_t wrong = 0;
      for (size_t k = 0; k < all.size(); ++k) wrong += all[k] != int64_t(k);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("claims are answered while rank 0 computes outside MPI", "[comm][counter]") {
  const auto communicator = Communicator::world(Transport::kMessages);
  double slowest_s = 0.0;
  {
    JobCounter counter(communicator);
    communicator.barrier();
    if (communicator.is_root()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    } else {
      for (int k = 0; k < 20; ++k) {
        const auto begin = Clock::now();
        counter.claim();
        slowest_s = std::max(slowest_s, seconds_since(begin));
      }
    }
  }
  CHECK(slowest_s < 0.2);
}

TEST_CASE("an idle counter burns no core, nor does a rank that is done early", "[comm][counter]") {
  const auto communicator = Communicator::world(Transport::kMessages);
  communicator.barrier();
  std::clock_t idle = 0;
  {
    JobCounter counter(communicator);
    communicator.barrier();
    const std::clock_t begin = std::clock();
    // Meanwhile nothing runs but rank 0's look-out for claims.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    idle = std::clock() - begin;
  }
  CHECK(double(idle) / CLOCKS_PER_SEC < 0.05);

  // The others wait in the destructor for rank 0.
  std::clock_t begin = 0;
  {
    JobCounter counter(communicator);
    communicator.barrier();
    begin = std::clock();
    if (communicator.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  CHECK(double(std::clock() - begin) / CLOCKS_PER_SEC < 0.25);  // of half a second
}
