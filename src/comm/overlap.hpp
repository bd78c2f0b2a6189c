#pragma once
/// @file
/// Whether work that a rank could do meanwhile goes to a thread of its own.

#include "comm/communicator.hpp"

namespace invaria::comm {

/// What makes the next views and moves gradients while a training step computes.
enum class Overlap {
  kAutomatic,  ///< kThread where this rank has a core that its compute threads leave free, else kNone
  kThread,     ///< a thread: MPI moves nothing by itself
  kNone,       ///< the computing thread: another one would only take a core from it
};

/// What an Overlap comes to on this rank. Not collective, and ranks may differ.
bool uses_thread(Overlap overlap, const Communicator& communicator);

}  // namespace invaria::comm
