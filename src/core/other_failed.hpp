#pragma once
/// @file
/// The error of a rank that is well itself.

#include "core/errors.hpp"

namespace invaria {

/// Thrown where another rank has failed, whose own error says why: of several ranks' errors this one tells nothing.
struct OtherFailed : EnvironmentError {
  using EnvironmentError::EnvironmentError;
};

}  // namespace invaria
