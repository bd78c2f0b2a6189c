#pragma once
/// @file
/// The three ways to fail, by who can mend it. Each is caught once, in main, and becomes an exit code.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace invaria {

/// What the process tells its caller.
enum class ExitCode : int {
  kOk = 0,            ///< every job finished
  kSomeFailed = 1,    ///< some job or encoder failed; the rest is on disk
  kConfig = 2,        ///< the user's input is wrong
  kEnvironment = 3,   ///< the machine refused: MPI, CUDA, files
  kPrecondition = 4,  ///< a bug of ours
  kStopped = 75,      ///< stopped on request; the same command continues
};

/// The user's input is wrong and the user can mend it: a suite, an option, a data file.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The machine refused: which call, which code, which rank and host.
struct EnvironmentError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A caller broke a documented precondition: a bug in this program.
struct PreconditionError : std::logic_error {
  using std::logic_error::logic_error;
};

/// Throw PreconditionError with the formatted message unless `condition` holds.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw PreconditionError(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void throw_config(fmt::format_string<Args...> format, Args&&... args) {
  throw ConfigError(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void throw_environment(fmt::format_string<Args...> format, Args&&... args) {
  throw EnvironmentError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace invaria
