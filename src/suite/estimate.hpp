#pragma once
/// @file
/// How long a suite will take: what was calibrated, added up over its steps and units.

#include <cstdint>
#include <vector>

#include "suite/calibrate.hpp"
#include "suite/plan.hpp"
#include "suite/schedule.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Expected seconds of the run's stages.
struct TimeEstimate {
  std::vector<double> encoder_s;  ///< [encoder]
  std::vector<double> unit_s;     ///< [unit]
  Schedule sweep;                 ///< the units over the ranks, longest first
  int64_t measured_points = 0;    ///< encoders at an i that `invaria measure` measures; 0 without measure.data
  double measure_s = 0.0;         ///< of measuring them on all ranks, which is a run of its own
  double pretraining_s() const;
  double total_s() const { return pretraining_s() + sweep.makespan_s; }
};
/// @param plan  with costs
TimeEstimate estimate_time(const Suite& suite, const Plan& plan, const Calibration& calibration, int64_t ranks);

}  // namespace invaria::suite
