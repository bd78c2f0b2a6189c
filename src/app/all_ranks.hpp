#pragma once
/// @file
/// What subcommands that work on all ranks have in common: how they begin, and how errors end them.

#include <functional>

#include "comm/communicator.hpp"
#include "core/errors.hpp"

namespace invaria::app {

/// Start MPI, catch signals, and do `work` on every rank. An error that all ranks share is printed once and becomes the
/// exit code; one that a rank throws alone ends all ranks, for the others would wait for it.
ExitCode on_all_ranks(int* argc, char*** argv, const std::function<ExitCode(const comm::Communicator&)>& work);

}  // namespace invaria::app
