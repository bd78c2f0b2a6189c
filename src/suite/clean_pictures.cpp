#include "suite/clean_pictures.hpp"

#include <vector>

#include "downstream/task.hpp"

namespace invaria::suite {

bool reestimates(const Suite& suite, const train::EncoderPlan& encoder) {
  return encoder.is_conditioned() && encoder.settings.model.has_batch_norm() &&
         suite.downstream.bn_statistics != downstream::BnStatistics::kRunning;
}

at::Tensor clean_pictures(const train::EncoderPlan& encoder, const data::DataSplit& split, int64_t most) {
  const std::vector<int64_t> pictures = downstream::sample_pictures(split, most, static_cast<uint64_t>(encoder.seed));
  return downstream::render_clean(split, pictures, encoder.settings.views());
}

}  // namespace invaria::suite
