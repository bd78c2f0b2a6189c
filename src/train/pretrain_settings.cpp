#include "train/pretrain_settings.hpp"

namespace invaria::train {

void PretrainSettings::validate(const std::string& path, config::Problems& problems) const {
  model.validate_image_size(view_size, config::join_path(path, "view_size"), problems);
  if (corners_per_step == CornersPerStep::kMixed &&
      (model.conditioning != model::Conditioning::kFilm || objective.kind != objective::Kind::kSimclr)) {
    problems.add(config::join_path(path, "corners_per_step"), "\"mixed\"",
                 "one, but for the objective simclr with film: the others have one i for all pictures of a step");
  }
  if (objective.kind != objective::Kind::kMocoV2) return;
  if (objective.queue < global_batch) {
    problems.add(config::join_path(path, "objective.queue"), fmt::format("{}", objective.queue),
                 fmt::format("at least global_batch, {}", global_batch), "a step adds a batch of keys");
  }
  if (objective.batch_norm == objective::BatchNormScope::kGroups && global_batch % objective.batch_norm_group != 0) {
    problems.add(config::join_path(path, "objective.batch_norm_group"), fmt::format("{}", objective.batch_norm_group),
                 fmt::format("a divisor of global_batch, {}", global_batch));
  }
}

}  // namespace invaria::train
