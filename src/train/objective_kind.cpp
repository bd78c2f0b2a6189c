#include "train/objective_kind.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace invaria::train {

const ObjectiveKind& kind_of(const objective::ObjectiveSettings& settings) {
#define INVARIA_OBJECTIVE(kind, name, what) &kinds::kind,
  static const ObjectiveKind* const all[] = {INVARIA_OBJECTIVES(INVARIA_OBJECTIVE)};
#undef INVARIA_OBJECTIVE
  return *all[static_cast<size_t>(settings.kind)];
}

std::vector<UnreadSetting> unread_settings(const objective::ObjectiveSettings& settings) {
  const ObjectiveKind& kind = kind_of(settings);
  const std::string why = "kind is " + config::name_of(settings.kind);
  std::vector<UnreadSetting> unread;
  const auto add = [&](const auto& setting) {
    const std::string_view name = setting.name;
    const bool is_read = name == "kind" || name == "temperature" ||
                         std::any_of(kind.reads.begin(), kind.reads.end(), [&](auto* read) { return name == read; });
    if (!is_read) unread.push_back({"objective." + std::string(name), why});
  };
  std::apply([&](const auto&... setting) { (add(setting), ...); }, objective::ObjectiveSettings::settings());
  if (!kind.has_predictor) unread.push_back({"predictor", "the objective is " + config::name_of(settings.kind)});
  if (kind.unread != nullptr) {
    for (UnreadSetting& more : kind.unread(settings)) unread.push_back(std::move(more));
  }
  return unread;
}

}  // namespace invaria::train
