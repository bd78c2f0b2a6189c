#include "train/view_loader.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "augment/render.hpp"

namespace invaria::train {

ViewLoader::ViewLoader(const EncoderPlan& plan, const data::ImageSplit& pictures, data::Share share, c10::Device device,
                       Loading loading)
    : plan_(plan),
      pictures_(pictures),
      sampler_(pictures.n, plan.settings.global_batch, static_cast<uint64_t>(plan.seed)),
      share_(share),
      device_(device),
      thread_(loading == Loading::kAhead ? std::make_unique<WorkerThread>() : nullptr) {}

at::Tensor ViewLoader::views(int64_t step) {
  at::Tensor views_BCHW;
  if (next_is_made_.valid()) {
    next_is_made_.get();
    if (next_step_ == step) views_BCHW = std::move(next_views_BCHW_);  // else the caller went elsewhere
  }
  if (!views_BCHW.defined()) views_BCHW = make(step);
  if (thread_ && step + 1 < plan_.settings.steps) {
    next_step_ = step + 1;
    next_is_made_ = thread_->submit([this, next = next_step_] { next_views_BCHW_ = make(next); });
  }
  // Out of pinned memory the copy runs beside the kernels of the step before.
  return views_BCHW.to(device_, /*non_blocking=*/true);
}

at::Tensor ViewLoader::make(int64_t step) {
  const std::vector<int64_t> batch = sampler_.batch(step);
  std::vector<const uint8_t*> pixels;
  std::vector<uint64_t> sample_ids;
  for (int64_t index = share_.first; index < share_.first + share_.count; ++index) {
    const int64_t sample = batch[static_cast<size_t>(index)];
    pixels.push_back(pictures_.image(sample));
    sample_ids.push_back(static_cast<uint64_t>(sample));
  }
  const config::Invariance& corner = plan_.corners[plan_.corner_index(step)];
  const at::Tensor views_BCHW =
      augment::make_views({pixels, pictures_.height, pictures_.width}, plan_.settings.augment,
                          augment::active_operations(plan_.axes, corner), plan_.settings.view_size,
                          static_cast<uint64_t>(plan_.seed), static_cast<uint64_t>(sampler_.epoch_of(step)), sample_ids)
          .both;
  return device_.is_cuda() ? views_BCHW.pin_memory() : views_BCHW;
}

}  // namespace invaria::train
