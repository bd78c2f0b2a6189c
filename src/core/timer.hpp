#pragma once
/// @file
/// Wall-clock intervals on the steady clock, and dates for records.

#include <chrono>
#include <string>

namespace invaria {

/// Seconds since construction or the last restart.
class Timer {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Seconds since the last restart, and start again.
  double lap() {
    const double elapsed = seconds();
    start_ = Clock::now();
    return elapsed;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Now in UTC as ISO 8601 to the millisecond: 2024-05-01T12:00:00.123Z.
std::string utc_now();

}  // namespace invaria
