#pragma once
/// @file
/// Waiting for other ranks without a system call while it is short, and without burning a core while it is long.

#include <sched.h>

#include <chrono>
#include <thread>

#include "comm/mpi.hpp"

namespace invaria::comm {

/// How eagerly a waiting rank may hold its core.
enum class Waiting {
  kSpin,   ///< a core for every rank: spin for some microseconds first
  kYield,  ///< more ranks than cores: hand the core over at once
};

/// One wait: call pause() between two looks at the condition. It spins, then yields, and after a millisecond sleeps.
class Backoff {
 public:
  /// @param progress  communicator on which a longer wait probes, so that MPI moves this rank's unfinished messages
  /// meanwhile
  Backoff(Waiting waiting, MPI_Comm progress)
      : progress_(progress), spins_left_(waiting == Waiting::kSpin ? 4000 : 0) {}

  void pause() {
    if (spins_left_ > 0) {
      --spins_left_;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
      return;
    }
    if (!sleeping_ && ++yields_ % kYieldsPerLook != 0) {
      sched_yield();
      return;
    }
    int found = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, progress_, &found, MPI_STATUS_IGNORE);
    if (sleeping_) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (yields_ == kYieldsPerLook) begin_ = now;
    sleeping_ = now - begin_ > std::chrono::milliseconds(1);
  }

 private:
  static constexpr int kYieldsPerLook = 16;
  MPI_Comm progress_;
  int spins_left_;
  int yields_ = 0;
  bool sleeping_ = false;
  std::chrono::steady_clock::time_point begin_;
};

/// Collective: MPI_Barrier, except that a rank that waits long sleeps. @throws EnvironmentError
void wait_for_all(MPI_Comm comm, Waiting waiting);

}  // namespace invaria::comm
