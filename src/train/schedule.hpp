#pragma once
/// @file
/// The learning rate over a run: linear warm-up, then half a cosine (arXiv:1608.03983, Eq. 5 without restarts).

#include <cstdint>
#include <tuple>

#include "config/setting.hpp"

namespace invaria::train {

/// Defaults: setting A of the quickstart.
struct ScheduleSettings {
  double learning_rate = 2e-3;
  double warmup_fraction = 0.05;
  double final_fraction = 0.0;

  static auto settings() {
    using S = ScheduleSettings;
    return std::tuple{
        config::setting("learning_rate", &S::learning_rate, "the peak, reached after the warm-up", config::above(0)),
        config::setting("warmup_fraction", &S::warmup_fraction, "share of the steps with a linear rise",
                        config::between(0, 1)),
        config::setting("final_fraction", &S::final_fraction, "of the peak, where the cosine ends",
                        config::between(0, 1))};
  }
};

/// The rate of step `step` of `steps`. The warm-up takes round(warmup_fraction * steps) = W steps: rate (step + 1) / W
/// of the peak; the first step after it has the peak, and the end of the cosine is what step `steps` would have.
/// @throws PreconditionError unless 0 <= step < steps
double learning_rate(const ScheduleSettings& settings, int64_t step, int64_t steps);

}  // namespace invaria::train
