#pragma once
/// @file
/// The message of the error that a user would mend.

#include <functional>
#include <string>

#include "core/errors.hpp"

namespace invaria {

/// What the ConfigError that `work` throws says; "no ConfigError" if it throws none.
inline std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

}  // namespace invaria
