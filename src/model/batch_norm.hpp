#pragma once
/// @file
/// Batch normalisation (arXiv:1502.03167) whose statistics are chosen by the caller of the forward pass.
///
/// The encoder is immutable downstream: re-estimated statistics are an object of their own that is handed in, and
/// collecting them never touches the encoder's buffers.
///
/// Shape legend: B images, C channels, H W pixels.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/parameters.hpp"

namespace invaria::model {

/// Mean and biased variance of every BatchNorm layer of an encoder, in layer order; float [C] each.
struct BatchNormStatistics {
  std::vector<at::Tensor> mean_C;
  std::vector<at::Tensor> var_C;
  /// SHA-256 over all values.
  std::string hash() const;
};

/// Consecutive rows of a batch.
struct RowRange {
  int64_t first = 0;
  int64_t count = 0;
};

/// A batch whose rows are normalised in groups, each by its own statistics, as if each were alone in the batch: GPUs of
/// a fixed size (MoCo's ShuffleBN, arXiv:1911.05722, Sec. 3.3) whatever the number of ranks, or the corners of a mixed
/// batch.
struct BatchNormGroups {
  std::vector<RowRange> local;  ///< this rank's rows of each group, in order, without gaps, from row 0; may be empty
  int64_t first = 0;            ///< index of local[0] among the groups of all ranks
  int64_t total = 0;            ///< groups of all ranks
  bool is_split = false;        ///< whether a group may have rows on several ranks
};

/// The groups of `size` consecutive rows of the global batch (the last may be smaller), as one rank sees them.
/// @param rows_of_ranks  the rows of the global batch that each rank holds, in rank order, without gaps
/// @throws PreconditionError if they leave rows out
BatchNormGroups groups_of_size(int64_t size, std::span<const RowRange> rows_of_ranks, size_t rank);

/// How the BatchNorm layers behave in one forward pass.
///
/// Gradients reach an encoder's own parameters in kTrain only; in the other modes it is frozen: they reach kernels and
/// images.
struct BatchNormPass {
  enum class Mode {
    kTrain,    ///< batch statistics over all ranks; running averages move (momentum 0.1, unbiased variance, as
               ///< torch.nn.BatchNorm2d)
    kRunning,  ///< the encoder's running averages; nothing moves
    kGiven,    ///< `given`; nothing moves
    kCollect,  ///< batch statistics of this rank's batch, appended to `collected`; nothing moves
  };
  Mode mode = Mode::kRunning;
  const BatchNormStatistics* given = nullptr;
  std::vector<BatchNormStatistics>* collected = nullptr;  ///< one element is appended a forward pass
  SumOverRanks sum_over_ranks;  ///< kTrain only; gets double tensors, once a layer forward and once backward
  const BatchNormGroups* groups = nullptr;  ///< kTrain only; null: one group, the rows of all ranks

  bool is_training() const { return mode == Mode::kTrain; }

  static BatchNormPass train(SumOverRanks sum_over_ranks) {
    return {Mode::kTrain, nullptr, nullptr, std::move(sum_over_ranks), nullptr};
  }
  /// In groups, which must outlive the pass.
  static BatchNormPass train(SumOverRanks sum_over_ranks, const BatchNormGroups& groups) {
    return {Mode::kTrain, nullptr, nullptr, std::move(sum_over_ranks), &groups};
  }
  static BatchNormPass running() { return {}; }
  static BatchNormPass with(const BatchNormStatistics& statistics) {
    return {Mode::kGiven, &statistics, nullptr, {}, nullptr};
  }
  static BatchNormPass collect(std::vector<BatchNormStatistics>& into) {
    return {Mode::kCollect, nullptr, &into, {}, nullptr};
  }
};

/// One BatchNorm layer's tensors; float [C] but for the counter, an int64 scalar.
struct BatchNormLayer {
  at::Tensor weight_C;
  at::Tensor bias_C;
  at::Tensor running_mean_C;
  at::Tensor running_var_C;
  at::Tensor num_batches_tracked;
};

/// What follows the normalisation in the same pass over memory.
enum class Activation { kNone, kRelu };

inline constexpr double kBatchNormEpsilon = 1e-5;
inline constexpr double kBatchNormMomentum = 0.1;

/// activation(weight (x - mean) / sqrt(var + 1e-5) + bias (+ residual)), per channel; differentiable in x and residual,
/// and in weight and bias where they require grad.
///
/// Collective over the ranks behind `pass.sum_over_ranks`, forward and backward, in kTrain (SyncBN): every rank's
/// pixels count alike, so local batches may differ in size; dL/dweight and dL/dbias are this rank's share of their sum
/// over ranks. In groups the running averages move towards the average of the groups' means and unbiased variances,
/// each weighted by its rows, so that they too do not depend on the ranks; ranks exchange gradients only if a group is
/// split.
///
/// @param x         [B, C, H, W] (any strides; channels-last is fastest) or [B, C], of the layer's type, float or
///                  double, or bfloat16 before a float layer. Consumed: where no gradient is recorded the result may
///                  take its place.
/// @param layer_index  its place in BatchNormStatistics; kCollect writes that place of `pass.collected->back()`, sized
/// by the caller
/// @param residual  same shape and type as x, or undefined
/// @return same shape and type as x, channels-last
/// @throws PreconditionError if shapes or types disagree, groups do not cover the rows, or batch statistics are asked
/// of a single number a channel
at::Tensor batch_norm(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index, const BatchNormPass& pass,
                      Activation activation, const at::Tensor& residual = {});

}  // namespace invaria::model
