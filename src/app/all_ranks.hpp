#pragma once
/// @file
/// What subcommands that work on all ranks have in common: how they begin, and how errors end them.

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "comm/watchdog.hpp"
#include "core/errors.hpp"

namespace invaria::app {

/// What an error means for whoever started the program.
struct ToldError {
  ExitCode code = ExitCode::kPrecondition;
  std::string what;
};
ToldError told(const std::exception& error);

/// A watchdog that ends all ranks with ExitCode::kStopped where one hangs; none where `limit_s` is 0.
/// @param before  told what hangs, before that
std::unique_ptr<comm::Watchdog> watch_over(const comm::Communicator& comm, double limit_s,
                                           const std::function<void(const std::string& what)>& before);

/// Start MPI, catch signals, and do `work` on every rank. An error that all ranks share is printed once and becomes the
/// exit code; one that a rank throws alone ends all ranks, for the others would wait for it.
ExitCode on_all_ranks(int* argc, char*** argv, const std::function<ExitCode(const comm::Communicator&)>& work);

}  // namespace invaria::app
