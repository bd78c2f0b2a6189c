#pragma once
/// @file
/// Finds the rank for which the others wait in vain: one that is stopped, hangs, or lies on a node that has gone.
///
/// A thread of each rank tells rank 0 from time to time what the rank waits for, and rank 0 answers. Who has not been
/// heard of is silent; who is heard of and does not come to a collective in which others wait is late. Threads sleep in
/// between and cost no core.

#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.hpp"

namespace invaria::comm {

class Watchdog {
 public:
  /// Collective. A world of one rank is not watched.
  /// @param timeout_s  a rank that is silent or late for longer is reported
  /// @param on_hang    told rank, host and the collective in which others wait; called on one rank at least, from the
  ///                   watching thread, while other threads of the rank may be anywhere: it should end all ranks
  Watchdog(const Communicator& communicator, double timeout_s, std::function<void(const std::string&)> on_hang);
  /// Collective, unless an exception unwinds the stack.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// While it lives this rank may wait for others as long as it takes: where work is unequal by its nature.
class Patience {
 public:
  explicit Patience(const Communicator& communicator);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  std::shared_ptr<Communicator::State> state_;
};

}  // namespace invaria::comm
