#pragma once
/// @file
/// How long repeated work takes on ranks, and on threads that stand for ranks.

#include <cstdint>
#include <functional>

#include "comm/communicator.hpp"
#include "suite/calibrate.hpp"

namespace invaria::suite {

inline constexpr int64_t kMostCalls = 41;  ///< that one measurement makes

/// Seconds of a call: the median of some after one that warms up; fewer where each takes long, more where one is short
/// beside what else a machine does. `place.beside` threads do it at once, each as a rank would, since cores share
/// caches and memory: of the slowest rank and thread, since all wait for it. Collective.
/// @param make  gives a thread something of its own to repeat, on ranks of its own
double typical_seconds(const CalibrationPlace& place,
                       const std::function<std::function<void()>(const comm::Communicator&)>& make);

}  // namespace invaria::suite
