#include "train/pretrain_settings.hpp"

#include "train/objective_kind.hpp"

namespace invaria::train {

void PretrainSettings::validate(const std::string& path, config::Problems& problems) const {
  model.validate_image_size(view_size, config::join_path(path, "view_size"), problems);
  if (corners_per_step == CornersPerStep::kMixed &&
      (model.conditioning != model::Conditioning::kFilm || !kind_of(objective).mixes_corners)) {
    problems.add(config::join_path(path, "corners_per_step"), "\"mixed\"",
                 "one, but for the objective simclr with film: the others have one i for all pictures of a step");
  }
  if (const auto check = kind_of(objective).validate) check(*this, path, problems);
}

}  // namespace invaria::train
