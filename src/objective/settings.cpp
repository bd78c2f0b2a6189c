#include "objective/settings.hpp"

#include <cmath>
#include <numbers>

#include "core/errors.hpp"

namespace invaria::objective {

std::vector<UnreadSetting> unread_settings(const ObjectiveSettings& settings) {
  std::vector<UnreadSetting> unread;
  const auto add = [&unread](std::initializer_list<const char*> names, const std::string& why) {
    for (const char* name : names) unread.push_back({name, why});
  };
  const std::string why = "kind is " + config::name_of(settings.kind);
  if (settings.kind == Kind::kSimclr) add({"momentum", "momentum_schedule"}, why);
  if (settings.kind != Kind::kMocoV2) {
    add({"queue", "mask_own_keys", "batch_norm", "batch_norm_group"}, why);
  } else if (settings.batch_norm == BatchNormScope::kSync) {
    add({"batch_norm_group"}, "batch_norm is sync");
  }
  return unread;
}

double momentum_at(const ObjectiveSettings& settings, int64_t step, int64_t steps) {
  require(step >= 0 && step <= steps && steps > 0, "momentum_at: step {} of {}", step, steps);
  if (settings.momentum_schedule == MomentumSchedule::kConstant) return settings.momentum;
  const double progress = static_cast<double>(step) / static_cast<double>(steps);
  return 1.0 - (1.0 - settings.momentum) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace invaria::objective
