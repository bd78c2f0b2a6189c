#pragma once
/// @file
/// How long a suite will take on this machine: a short calibration of what repeats most, then arithmetic.

#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/schedule.hpp"
#include "suite/suite.hpp"

namespace invaria::suite {

/// Where a calibration runs and whom it stands for.
struct CalibrationPlace {
  const comm::Communicator& comm;
  c10::Device device;
  int64_t ranks = 1;   ///< of the run that is planned; comm's size, or any number where comm has one rank
  int64_t nodes = 1;   ///< on which they run
  int64_t beside = 1;  ///< how many ranks of one node compute at once in this process, so that they share its memory
  /// What one measurement should take at most, in floating-point operations: seconds on one core. Steps and passes that
  /// take more are measured on fewer pictures.
  double operations = kOperations;

  static constexpr double kOperations = 2e11;
};

/// Of one rank in the steps that calibrate() measures at most: for the memory that they take.
int64_t pictures_measured(const train::EncoderPlan& plan, int64_t ranks);

/// Seconds measured here.
struct Calibration {
  std::vector<double> step_s;   ///< [encoder] one pretraining step; 0 for untrained encoders
  std::vector<double> image_s;  ///< [encoder] one image through the frozen encoder, forward
  /// [encoder][task] learning i once; 0 for encoders without conditioning
  std::vector<std::vector<double>> projected_s, joint_s;
  std::vector<std::vector<double>> episodes_s;  ///< [encoder][task] learning i on all of a repeat's episodes; or 0
  std::vector<std::vector<double>> readout_s;   ///< [encoder][task] choosing one readout
  ClaimCost claim;                              ///< of the sweep's counter
};

/// Measure on made pictures of the suite's sizes. Collective: with several ranks, each computes its share as it will in
/// the run; one rank alone computes one rank's share of `ranks` and knows nothing of the time that messages take.
Calibration calibrate(const Suite& suite, const Summaries& summaries, const Plan& plan, const CalibrationPlace& place);

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
