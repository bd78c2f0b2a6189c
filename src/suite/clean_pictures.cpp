#include "suite/clean_pictures.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "core/philox.hpp"
#include "downstream/task.hpp"

namespace invaria::suite {

bool reestimates(const Suite& suite, const train::EncoderPlan& encoder) {
  return encoder.is_conditioned() && encoder.settings.model.has_batch_norm() && suite.downstream.batch_norm.enabled;
}

at::Tensor clean_pictures(const train::EncoderPlan& encoder, const data::ImageSplit& split, int64_t most) {
  std::vector<int64_t> order(static_cast<size_t>(split.n));
  std::iota(order.begin(), order.end(), int64_t{0});
  Draws({.seed = static_cast<uint64_t>(encoder.seed), .purpose = Purpose::kCalibration}).shuffle(std::span(order));
  order.resize(static_cast<size_t>(std::min(split.n, most)));
  return downstream::render_clean(split, order, encoder.settings.augment, encoder.settings.view_size);
}

}  // namespace invaria::suite
