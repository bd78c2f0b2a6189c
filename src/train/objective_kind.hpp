#pragma once
/// @file
/// What sets one objective apart, all of it in the objective's own file: how it is made, what it reads, what it needs.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "objective/settings.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

class Objective;
struct ObjectiveStart;

/// What an objective adds to the memory of a step, for estimates before anything runs.
struct Footprint {
  int64_t views_kept = 2;         ///< views of a picture whose activations the backward pass needs
  bool momentum_encoder = false;  ///< a second set of weights
  int64_t keys_per_corner = 0;    ///< embeddings remembered for each corner
};

/// A setting below `pretraining` that an objective does not read, and why: a suite that gives it is refused.
struct UnreadSetting {
  std::string path;
  std::string why;
};

struct ObjectiveKind {
  std::unique_ptr<Objective> (*make)(const ObjectiveStart& start);
  Footprint (*footprint)(const objective::ObjectiveSettings& settings);
  /// Of ObjectiveSettings, beside kind and temperature, which all read.
  std::span<const char* const> reads;
  bool has_predictor = false;  ///< reads PretrainSettings::predictor
  bool mixes_corners = false;  ///< takes steps whose pictures have several corners
  /// What else nothing reads under these settings; may be null.
  std::vector<UnreadSetting> (*unread)(const objective::ObjectiveSettings& settings) = nullptr;
  /// What must hold between settings; may be null.
  void (*validate)(const PretrainSettings& settings, const std::string& path, config::Problems& problems) = nullptr;
};

/// One constant each, defined where the objective is.
namespace kinds {
#define INVARIA_OBJECTIVE(kind, name, what) extern const ObjectiveKind kind;
INVARIA_OBJECTIVES(INVARIA_OBJECTIVE)
#undef INVARIA_OBJECTIVE
}  // namespace kinds

const ObjectiveKind& kind_of(const objective::ObjectiveSettings& settings);

/// All that the objective does not read.
std::vector<UnreadSetting> unread_settings(const objective::ObjectiveSettings& settings);

}  // namespace invaria::train
