#pragma once
/// @file
/// `plan --scaling`: what a pretraining step would take on 8 to 1,024 ranks.

#include <boost/json/array.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "report/writers.hpp"
#include "suite/calibrate.hpp"
#include "suite/plan.hpp"
#include "suite/scaling.hpp"

namespace invaria::app {

/// One encoder's steps on more and more ranks.
struct Scaling {
  std::string encoder;
  int64_t batch = 0;
  suite::StepTime time;
  suite::StepMessages messages;
};

/// Of encoders that differ in more than name, seed and corner, the first. Collective over the place's ranks.
std::vector<Scaling> measure_scaling(const suite::Plan& plan, const suite::CalibrationPlace& place);

/// A table an encoder, then what was measured and what is assumed.
void print_scaling(const std::vector<Scaling>& all, const suite::Network& network, report::Style style);

/// The same for programs.
boost::json::array scaling_record(const std::vector<Scaling>& all, const suite::Network& network);

}  // namespace invaria::app
