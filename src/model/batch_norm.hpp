#pragma once
/// @file
/// Batch normalisation (arXiv:1502.03167) whose statistics are chosen by the caller of the forward pass.
///
/// The encoder is immutable downstream: re-estimated statistics are an object of their own that is handed in, and collecting them
/// never touches the encoder's buffers.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
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

/// How the BatchNorm layers behave in one forward pass.
struct BatchNormPass {
  enum class Mode {
    kTrain,    ///< batch statistics over all ranks; running averages move (momentum 0.1, unbiased variance, as torch.nn.BatchNorm2d)
    kRunning,  ///< the encoder's running averages; nothing moves
    kGiven,    ///< `given`; nothing moves
    kCollect,  ///< batch statistics of this rank's batch, appended to `collected`; nothing moves
  };
  Mode mode = Mode::kRunning;
  const BatchNormStatistics* given = nullptr;
  std::vector<BatchNormStatistics>* collected = nullptr;  ///< one element is appended a forward pass
  SumOverRanks sum_over_ranks;                            ///< kTrain only

  static BatchNormPass train(SumOverRanks sum_over_ranks) { return {Mode::kTrain, nullptr, nullptr, std::move(sum_over_ranks)}; }
  static BatchNormPass running() { return {}; }
  static BatchNormPass with(const BatchNormStatistics& statistics) { return {Mode::kGiven, &statistics, nullptr, {}}; }
  static BatchNormPass collect(std::vector<BatchNormStatistics>& into) { return {Mode::kCollect, nullptr, &into, {}}; }
};

}  // namespace invaria::model
