#pragma once
/// @file
/// Errors that all ranks share: what throws on one rank throws on every rank, so that none waits for one that has left.

#include <functional>

#include "comm/communicator.hpp"

namespace invaria::comm {

/// Marks an error that every rank throws: all may leave in good order. One without the mark is this rank's alone, and
/// the others wait for it somewhere: end them (abort_all).
struct SharedFailure {
  virtual ~SharedFailure() = default;
};

/// Collective. Run `work` on every rank, then agree. If it threw anywhere, every rank throws an error of the kind that
/// the lowest failing rank saw, with its message, rank and host. `work` must not hold a collective behind a point where
/// it may throw.
void together(const Communicator& communicator, const std::function<void()>& work);

/// Collective. As together(), with `work` on the root rank only.
void on_root(const Communicator& communicator, const std::function<void()>& work);

/// End all ranks at once with this exit code: for a rank that cannot reach the next collective.
[[noreturn]] void abort_all(int exit_code);

}  // namespace invaria::comm
