#pragma once
/// @file
/// Stages timed beside their peers: in turn, in one process's time, on the same data, so that a noisy machine disturbs
/// both alike.

#include <c10/core/Device.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/machine.hpp"
#include "bench/stage.hpp"

namespace invaria::bench {

/// The middle of several numbers, and the least and the greatest.
struct Spread {
  double median = 0.0, low = 0.0, high = 0.0;
};
/// @throws PreconditionError of none
Spread spread_of(std::vector<double> values);

struct PeerRates {
  std::string name;
  std::string version;             ///< of its package
  std::string problem;             ///< why there is no rate: not installed, or what it made was wrong
  std::vector<double> per_s;       ///< units per second, a pair each
  std::vector<double> times_ours;  ///< our rate over its, within a pair
};

struct StageRates {
  std::string name, what, unit;
  std::string problem;  ///< why there is no rate: what our run made was wrong
  std::vector<double> per_s;
  double limit_per_s = 0.0;
  bool is_memory_bound = false;
  std::vector<PeerRates> peers;
};

struct MeasureOptions {
  std::string python = {};              ///< of the peers; empty: without
  std::filesystem::path adapters = {};  ///< folder of the adapters
  int64_t pairs = 7;
  double seconds = 0.2;  ///< that one side of a pair runs at least
  int threads = 1;
  c10::Device device = c10::kCPU;  ///< that the stages were made for
};

/// Check a stage and its peers, then time them in turn. What fails its check has a problem and no rate.
/// @throws EnvironmentError if an adapter cannot be started or ends
StageRates measure(const Stage& stage, const MachinePeaks& peaks, const MeasureOptions& options);

}  // namespace invaria::bench
