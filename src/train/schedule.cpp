#include "train/schedule.hpp"

#include <cmath>
#include <numbers>

#include "core/errors.hpp"

namespace invaria::train {

double learning_rate(const ScheduleSettings& settings, int64_t step, int64_t steps) {
  require(step >= 0 && step < steps, "learning_rate: step {} of {}", step, steps);
  const double warmup = std::round(settings.warmup_fraction * static_cast<double>(steps));
  const double now = static_cast<double>(step);
  if (now < warmup) return settings.learning_rate * (now + 1.0) / warmup;
  const double progress = (now - warmup) / (static_cast<double>(steps) - warmup);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return settings.learning_rate * (settings.final_fraction + (1.0 - settings.final_fraction) * cosine);
}

}  // namespace invaria::train
