#pragma once
/// @file
/// The views that a rank makes of each step, made ahead where a core is free for it.
///
/// Shape legend: B views of this rank, of C channels, H rows and W columns; N samples of the global batch.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "augment/views.hpp"
#include "core/worker_thread.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "train/objective.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

/// When views are made.
enum class Loading {
  kInStep,  ///< when asked for
  kAhead,   ///< the host's part of the next step's on a thread, while the caller works on the present ones
};

/// What a rank loads for a step.
struct StepViews {
  at::Tensor views_BCHW;          ///< [B, C, H, W] on the device
  std::vector<ViewPlace> places;  ///< [B] which views these are
  std::vector<int64_t> pictures;  ///< [N] index in the data set of every sample of the global batch
};

/// Which views of a step this rank makes; called from the loading thread.
using WhichViews = std::function<std::vector<ViewPlace>(int64_t step)>;

/// Views are a function of the step alone: how they are loaded changes no number. References must outlive it.
class ViewLoader {
 public:
  ViewLoader(const EncoderPlan& plan, const data::DataSplit& pictures, WhichViews which, c10::Device device,
             Loading loading);
  /// This rank's views of a step, each under its picture's corner. @throws what making them threw, on a thread or not
  StepViews views(int64_t step);

 private:
  /// The host's part of a step: all but the views, and what makes these on the device.
  struct Begun {
    StepViews step;
    std::function<at::Tensor()> finish;
  };
  Begun begin(int64_t step);

  const EncoderPlan& plan_;
  const data::DataSplit& pictures_;
  std::shared_ptr<const augment::Views> how_;
  data::EpochSampler sampler_;
  WhichViews which_;
  c10::Device device_;
  int64_t next_step_ = -1;
  Begun next_;
  std::future<void> next_is_made_;
  std::unique_ptr<WorkerThread> thread_;  // last: it uses the others
};

}  // namespace invaria::train
