#pragma once
/// @file
/// The measuring of a finished run's encoders: every encoder at its corners, and along every axis of i.

#include <cstdint>
#include <vector>

#include "config/invariance.hpp"
#include "suite/run.hpp"

namespace invaria::suite {

/// One encoder at one i: what a rank claims.
struct MeasureUnit {
  size_t encoder = 0;  ///< index into Plan::encoders
  config::Invariance invariance;
};

/// Every encoder at the corners of its pretraining; a conditioned one also at `along_i` values of each coordinate while
/// the others are 1. Each point once, in order of encoders, then of i.
std::vector<MeasureUnit> measure_units(const Plan& plan, int64_t along_i);

/// Measure what suite.measure says of every encoder that `context.output` has, under running BatchNorm statistics, and
/// put each unit's curves into a segment there. Units that were measured with the same settings are kept.
///
/// Collective. @param datasets  holds suite.measure.data
/// @return kFinished or kStopped
/// @throws ConfigError on all ranks if a checkpoint is damaged; EnvironmentError if a segment cannot be written
RunEnd measure(const Suite& suite, const Plan& plan, const Datasets& datasets, const RunContext& context);

}  // namespace invaria::suite
