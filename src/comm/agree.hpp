#pragma once
/// @file
/// Errors that all ranks share: what throws on one rank throws on every rank, so that none waits for one that has left.

#include <functional>

#include "comm/communicator.hpp"

namespace invaria::comm {

/// Collective. Run `work` on every rank, then agree. If it threw anywhere, every rank throws an error of the kind that the lowest failing
/// rank saw, with its message, rank and host. `work` must not hold a collective behind a point where it may throw.
void together(const Communicator& communicator, const std::function<void()>& work);

/// Collective. As together(), with `work` on the root rank only.
void on_root(const Communicator& communicator, const std::function<void()>& work);

}  // namespace invaria::comm
