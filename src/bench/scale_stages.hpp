#pragma once
/// @file
/// What ranks do together, beside one of them that does its share by itself: how well more ranks do more work.

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace invaria::bench {

/// Of a stage, a pair each.
struct ScaleRates {
  std::string name, what, unit;
  std::string problem;             ///< why there is no rate: what the ranks made together was wrong
  std::vector<double> alone;       ///< units per second of rank 0 by itself, while the others sleep; empty: it cannot
  std::vector<double> side;        ///< of the slowest rank, all at once and each for itself: what they take from each
                                   ///< other's memory and cores without a word
  std::vector<double> together;    ///< of a rank, in one world
  std::vector<double> efficiency;  ///< together over alone
  std::vector<double> exposed;     ///< share of a step in which it waits for others, mean over ranks
};

struct ScaleStage {
  std::string name, what;
};
/// What there is: "scale/..." each.
std::vector<ScaleStage> scale_stages();

/// Collective, on two ranks or more. In turn, so that a noisy machine disturbs all alike.
/// @param name     of one of the stages
/// @param seconds  that one side of a pair runs at least
/// @throws PreconditionError on one rank, or if there is no such stage
ScaleRates measure_scale(const std::string& name, const comm::Communicator& comm, int64_t pairs, double seconds);

}  // namespace invaria::bench
