#include "model/encoder_settings.hpp"

#include <fmt/format.h>

namespace invaria::model {

void EncoderSettings::validate(const std::string& path, config::Problems& problems) const {
  if (stem == Stem::kImagenet && stem_stride != 2) {
    problems.add(config::join_path(path, "stem_stride"), fmt::format("{}", stem_stride), "2 with the imagenet stem",
                 "leave it out, or use the cifar stem");
  }
}

}  // namespace invaria::model
