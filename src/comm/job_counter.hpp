#pragma once
/// @file
/// The sweep's work queue: one atomic counter over all ranks of all nodes. No rank is a master: every rank computes.

#include <cstdint>
#include <memory>

#include "comm/communicator.hpp"

namespace invaria::comm {

/// Gives out 0, 1, 2, ... each exactly once over all ranks.
///
/// On one node the counter lives in a shared window (about 0.1 us a claim). Across nodes a thread on rank 0 answers
/// claims while that rank computes, since one-sided MPI over TCP makes no progress outside MPI calls; the thread sleeps
/// between looks, so a claim takes up to about a millisecond and costs no core.
class JobCounter {
 public:
  /// Collective.
  explicit JobCounter(const Communicator& communicator);
  /// Collective: waits, asleep, until all ranks have stopped claiming. A rank that an exception carries out of here
  /// does not wait.
  ~JobCounter();
  JobCounter(const JobCounter&) = delete;
  JobCounter& operator=(const JobCounter&) = delete;

  /// The next number. Not collective. One thread of a rank at a time. @throws EnvironmentError if rank 0 cannot be
  /// reached
  int64_t claim();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace invaria::comm
