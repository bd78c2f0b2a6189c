#pragma once
/// @file
/// Progress of long work: one line with share, rate and remaining time, rewritten in place on a terminal; elsewhere
/// silent.

#include <cstdint>
#include <cstdio>
#include <string>

#include "core/timer.hpp"

namespace invaria {

/// One line of progress. Make it on the rank that prints; the others make it with `Progress::quiet()`.
class Progress {
 public:
  /// @param title what is being done, e.g. "pretrain amortised"
  /// @param total units of work in all, at least 1
  /// @param unit  plural name of a unit: "steps", "images"
  Progress(std::string title, int64_t total, std::string unit, std::FILE* stream = stderr);
  static Progress quiet();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units of `total` are finished; `note` is shown at the end of the line (a loss, say). Redraws at most ten
  /// times a second.
  void update(int64_t done, const std::string& note = "");

 private:
  Progress() = default;
  std::string title_;
  int64_t total_ = 1;
  int64_t first_done_ = -1;  ///< where counting began: a resumed run does not credit itself with finished work
  std::string unit_;
  std::FILE* stream_ = nullptr;
  Timer timer_;
  double last_drawn_s_ = -1.0;
};

/// 75 -> "1:15", 3700 -> "1:01:40".
std::string format_duration(double seconds);

}  // namespace invaria
