#pragma once
/// @file
/// How long a suite will take on this machine: a short calibration of what repeats most, then arithmetic.

#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Seconds measured here, one process on its own threads.
struct Calibration {
  std::vector<double>
      step_s;  ///< [encoder] one pretraining step of one rank's share of the batch; 0 for untrained encoders
  std::vector<double> image_s;    ///< [encoder] one image through the frozen encoder, forward
  std::vector<double> readout_s;  ///< [task] choosing one readout
};

/// Measure on made pictures of the suite's sizes, with this process alone. `comm` must have one rank; `ranks` says how
/// a batch will be shared.
Calibration calibrate(const Suite& suite, const Manifests& manifests, const Plan& plan, int64_t ranks,
                      const comm::Communicator& comm);

/// Expected seconds of the run's stages.
struct TimeEstimate {
  std::vector<double> encoder_s;  ///< [encoder]
  std::vector<double> unit_s;     ///< [unit]
  double sweep_s = 0.0;           ///< makespan of the units over the ranks, longest first
  double total_s() const;
};
TimeEstimate estimate_time(const Suite& suite, const Plan& plan, const Calibration& calibration, int64_t ranks);

}  // namespace invaria::suite
