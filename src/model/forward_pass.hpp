#pragma once
/// @file
/// How an encoder runs once: its BatchNorm statistics, its precision, and where the draws of its training live.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/batch_norm.hpp"
#include "model/precision.hpp"

namespace invaria::model {

/// Addresses of what is drawn for each image of a training step.
struct SampleDraws {
  uint64_t seed = 0;
  uint64_t step = 0;
  /// [B] a number of each image that no other of the step has, on no rank, and that does not depend on the ranks.
  std::vector<uint64_t> samples;
};

struct ForwardPass {
  // Implicit: most passes draw nothing, and are not rounded.
  ForwardPass(BatchNormPass pass) : batch_norm(std::move(pass)) {}
  ForwardPass(BatchNormPass pass, SampleDraws sample_draws)
      : batch_norm(std::move(pass)), draws(std::move(sample_draws)) {}

  BatchNormPass batch_norm;
  std::optional<SampleDraws> draws;  ///< needed in kTrain by a ViT with drop path
  Precision precision = Precision::kFloat32;

  /// Whether gradients reach the encoder's own parameters.
  bool is_training() const { return batch_norm.is_training(); }
};

}  // namespace invaria::model
