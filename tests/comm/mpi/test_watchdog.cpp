#include "comm/watchdog.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::comm;

namespace {

void sleep_s(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// What the watchdog said first on any rank, while one rank comes to a barrier after `late_s`; empty if nothing.
std::string said_of_late_rank(const Communicator& comm, double timeout_s, double late_s, bool is_patient) {
  std::mutex mutex;
  std::string first;
  {
    const Watchdog watchdog(comm, timeout_s, [&](const std::string& what) {
      const std::lock_guard lock(mutex);
      if (first.empty()) first = what;
    });
    std::optional<Patience> patience;
    if (is_patient) patience.emplace(comm);
    comm.any(false);
    if (comm.rank() == comm.size() - 1) sleep_s(late_s);
    comm.barrier();
  }
  std::string all;
  for (const std::string& said : comm.all_gather(first)) all += said;
  return all;
}

}  // namespace

TEST_CASE("a rank that does not come to a collective is named, with the collective", "[comm][mpi]") {
  const Communicator comm = Communicator::world();
  const std::string said = said_of_late_rank(comm, 0.4, 1.5, false);
  if (comm.size() == 1) {
    CHECK(said.empty());
    return;
  }
  INFO(said);
  CHECK(said.find("waits in a barrier") != std::string::npos);
  const std::string late = "late is rank " + std::to_string(comm.size() - 1) + " on " + comm.host();
  CHECK(said.find(late + ", which was last in an agreement") != std::string::npos);
}

TEST_CASE("who waits patiently, or not for long, is left alone", "[comm][mpi]") {
  const Communicator comm = Communicator::world();
  CHECK(said_of_late_rank(comm, 0.4, 1.2, true).empty());
  CHECK(said_of_late_rank(comm, 5.0, 0.2, false).empty());
}

TEST_CASE("a rank that stops while others wait for it is called silent, not late", "[comm][mpi]") {
  const Communicator comm = Communicator::world();
  if (comm.size() == 1) return;
  const int last = comm.size() - 1;
  const std::vector<std::string> pids = comm.all_gather(std::to_string(getpid()));
  std::mutex mutex;
  std::string first;
  {
    const Watchdog watchdog(comm, 1.0, [&](const std::string& what) {
      const std::lock_guard lock(mutex);
      if (first.empty()) first = what;
      kill(std::stoi(pids[static_cast<size_t>(last)]), SIGCONT);
    });
    if (comm.rank() == last) {
      sleep_s(0.25);  // the others wait, and it is still heard of
      raise(SIGSTOP);
    }
    comm.barrier();
  }
  const std::string said = comm.all_gather(first).front();
  INFO(said);
  CHECK(said.find("rank " + std::to_string(last) + " on " + comm.host() + " has not been heard of") !=
        std::string::npos);
  CHECK(said.find("waits in a barrier") != std::string::npos);
}
