#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "train/objective_kind.hpp"

using namespace invaria;
using namespace invaria::train;
using objective::BatchNormScope;
using objective::Kind;
using objective::ObjectiveSettings;

namespace {

ObjectiveSettings settings_of(Kind kind, BatchNormScope scope = BatchNormScope::kSync) {
  ObjectiveSettings settings;
  settings.kind = kind;
  settings.batch_norm = scope;
  settings.queue = 512;
  return settings;
}

}  // namespace

TEST_CASE("each objective says which settings nothing reads", "[train][objective][settings]") {
  const auto unread = [](Kind kind, BatchNormScope scope) {
    std::vector<std::string> paths;
    for (const UnreadSetting& setting : unread_settings(settings_of(kind, scope))) {
      CHECK_FALSE(setting.why.empty());
      paths.push_back(setting.path);
    }
    return paths;
  };
  using Paths = std::vector<std::string>;
  CHECK(unread(Kind::kSimclr, BatchNormScope::kSync) ==
        Paths{"objective.momentum", "objective.momentum_schedule", "objective.queue", "objective.mask_own_keys",
              "objective.batch_norm", "objective.batch_norm_group", "predictor"});
  CHECK(unread(Kind::kMocoV2, BatchNormScope::kSync) == Paths{"predictor", "objective.batch_norm_group"});
  CHECK(unread(Kind::kMocoV2, BatchNormScope::kGroups) == Paths{"predictor"});
  CHECK(unread(Kind::kMocoV3, BatchNormScope::kSync) ==
        Paths{"objective.queue", "objective.mask_own_keys", "objective.batch_norm", "objective.batch_norm_group"});
}

TEST_CASE("each objective says what a step keeps beside the network", "[train][objective]") {
  const auto footprint = [](Kind kind) { return kind_of(settings_of(kind)).footprint(settings_of(kind)); };
  CHECK(footprint(Kind::kSimclr).views_kept == 2);
  CHECK_FALSE(footprint(Kind::kSimclr).momentum_encoder);
  CHECK(footprint(Kind::kMocoV2).views_kept == 1);
  CHECK(footprint(Kind::kMocoV2).momentum_encoder);
  CHECK(footprint(Kind::kMocoV2).keys_per_corner == 512);
  CHECK(footprint(Kind::kMocoV3).views_kept == 2);
  CHECK(footprint(Kind::kMocoV3).momentum_encoder);
  CHECK(footprint(Kind::kMocoV3).keys_per_corner == 0);
}
