#pragma once
/// @file
/// A rank's share of each step's views, made ahead where a core is free for it.
///
/// Shape legend: B pictures of this rank's share, S side of a view.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <future>
#include <memory>

#include "core/worker_thread.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

/// When views are made.
enum class Loading {
  kInStep,  ///< when asked for
  kAhead,   ///< those of the next step on a thread, while the caller works on the present ones
};

/// Views are a function of the step alone: how they are loaded changes no number. References must outlive it.
class ViewLoader {
 public:
  ViewLoader(const EncoderPlan& plan, const data::ImageSplit& pictures, data::Share share, c10::Device device,
             Loading loading);
  /// Both views of this rank's share of a step, under the step's corner: [2 B, 3, S, S] on the device, first views
  /// first. @throws what making them threw, on a thread or not
  at::Tensor views(int64_t step);

 private:
  at::Tensor make(int64_t step);

  const EncoderPlan& plan_;
  const data::ImageSplit& pictures_;
  data::EpochSampler sampler_;
  data::Share share_;
  c10::Device device_;
  int64_t next_step_ = -1;
  at::Tensor next_views_BCHW_;
  std::future<void> next_is_made_;
  std::unique_ptr<WorkerThread> thread_;  // last: it uses the others
};

}  // namespace invaria::train
