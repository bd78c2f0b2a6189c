#include "train/view_loader.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <utility>

namespace invaria::train {

ViewLoader::ViewLoader(const EncoderPlan& plan, const data::DataSplit& pictures, WhichViews which, c10::Device device,
                       Loading loading)
    : plan_(plan),
      pictures_(pictures),
      how_(augment::make_views(plan.settings.views(), pictures.shape)),
      sampler_(pictures.n, plan.settings.global_batch, static_cast<uint64_t>(plan.seed)),
      which_(std::move(which)),
      device_(device),
      thread_(loading == Loading::kAhead ? std::make_unique<WorkerThread>() : nullptr) {}

StepViews ViewLoader::views(int64_t step) {
  Begun begun;
  if (next_is_made_.valid()) {
    next_is_made_.get();
    if (next_step_ == step) begun = std::move(next_);  // else the caller went elsewhere
  }
  if (!begun.finish) begun = begin(step);
  if (thread_ && step + 1 < plan_.settings.steps) {
    next_step_ = step + 1;
    next_is_made_ = thread_->submit([this, next = next_step_] { next_ = begin(next); });
  }
  begun.step.views_BCHW = begun.finish();
  return std::move(begun.step);
}

ViewLoader::Begun ViewLoader::begin(int64_t step) {
  Begun begun{{{}, which_(step), sampler_.batch(step)}, {}};
  const StepViews& made = begun.step;
  std::vector<std::vector<augment::Operation>> active;  // [block]
  const std::vector<CornerBlock> blocks = plan_.blocks(step);
  for (const CornerBlock& block : blocks)
    active.push_back(augment::active_operations(plan_.axes, plan_.corners[block.corner]));
  const auto seed = static_cast<uint64_t>(plan_.seed);
  const auto epoch = static_cast<uint64_t>(sampler_.epoch_of(step));
  std::vector<int64_t> shown;
  std::vector<augment::Parameters> parameters;
  for (const ViewPlace& place : made.places) {
    const int64_t picture = made.pictures[static_cast<size_t>(place.position)];
    shown.push_back(picture);
    parameters.push_back(
        how_->draw(active[block_of(blocks, place.position)], seed, epoch, static_cast<uint64_t>(picture), place.view));
  }
  const data::HeldSamples held = pictures_.samples(shown, at::get_num_threads());
  begun.finish = how_->begin(held.bytes, parameters, device_);
  return begun;
}

}  // namespace invaria::train
