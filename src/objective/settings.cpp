#include "objective/settings.hpp"

#include <cmath>
#include <numbers>

#include "core/errors.hpp"

namespace invaria::objective {

double momentum_at(const ObjectiveSettings& settings, int64_t step, int64_t steps) {
  require(step >= 0 && step <= steps && steps > 0, "momentum_at: step {} of {}", step, steps);
  if (settings.momentum_schedule == MomentumSchedule::kConstant) return settings.momentum;
  const double progress = static_cast<double>(step) / static_cast<double>(steps);
  return 1.0 - (1.0 - settings.momentum) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace invaria::objective
