#pragma once
/// @file
/// What a suite's work takes on this machine: a short calibration of what repeats most (estimate.hpp adds it up).

#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "suite/load.hpp"
#include "suite/plan.hpp"
#include "suite/scaling.hpp"
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
  /// That short work is repeated for at least, in seconds, since other work on the machine shows less so.
  double least_s = 0.1;

  static constexpr double kOperations = 2e11;
};

/// Of one rank in the steps that calibrate() measures at most: for the memory that they take.
int64_t pictures_measured(const train::EncoderPlan& plan, int64_t ranks);

/// What a step takes by itself and what each picture adds, from steps of two sizes. Collective.
StepTime measure_step_time(const train::EncoderPlan& plan, const CalibrationPlace& place);

/// Seconds measured here.
struct Calibration {
  std::vector<double> step_s;   ///< [encoder] one pretraining step; 0 for untrained encoders
  std::vector<double> image_s;  ///< [encoder] one image through the frozen encoder, forward
  /// [encoder][task] learning i once; 0 for encoders without conditioning
  std::vector<std::vector<double>> projected_s, joint_s;
  std::vector<std::vector<double>> episodes_s;  ///< [encoder][task] learning i on all of a repeat's episodes; or 0
  std::vector<std::vector<double>> readout_s;   ///< [encoder][task] choosing one readout
  ClaimCost claim;                              ///< of the sweep's counter
  int64_t measured_pictures = 0;                ///< that the split to be measured holds; 0: nobody counted
};

/// Measure on made pictures of the suite's sizes. Collective: with several ranks, each computes its share as it will in
/// the run; one rank alone computes one rank's share of `ranks` and knows nothing of the time that messages take.
Calibration calibrate(const Suite& suite, const Summaries& summaries, const Plan& plan, const CalibrationPlace& place);

}  // namespace invaria::suite
