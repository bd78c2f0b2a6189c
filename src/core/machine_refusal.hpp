#pragma once
/// @file
/// Errors of libraries that are the machine's doing: memory that is not to be had, threads that cannot be started.

#include <exception>
#include <string>

namespace invaria {

/// What to tell the user if the error is of that kind, with the mend; empty if it is not.
std::string machine_refusal(const std::exception& error);

}  // namespace invaria
