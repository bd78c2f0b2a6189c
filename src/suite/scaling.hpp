#pragma once
/// @file
/// How long a pretraining step would take on more ranks than there are: what it computes, measured here, and what it
/// says, by the alpha-beta model (R. Hockney, "The communication challenge for MPP", Parallel Computing 20, 1994): a
/// message of n bytes takes latency + n / bandwidth.

#include <cstdint>

#include "train/pretrain_settings.hpp"

namespace invaria::suite {

/// Seconds of a step on one rank that talks to nobody.
struct StepTime {
  double fixed_s = 0.0;    ///< whatever the batch: generating weights, the optimiser
  double picture_s = 0.0;  ///< of each picture, in two views, forward and backward
};

/// Links between ranks.
struct Network {
  double latency_s = 5e-6;
  double bytes_per_s = 25e9;  ///< of each rank, in each direction: an adapter of 200 Gbit/s
};

/// What a step says to other ranks.
struct StepMessages {
  double gradient_bytes = 0.0;   ///< reduced, while the backward pass goes on
  double embedding_bytes = 0.0;  ///< of one picture, gathered forward, and their gradients summed backward
  int64_t small_sums = 0;        ///< of a BatchNorm layer's moments, forward and backward, one after the other
};

/// Of a SimCLR-like step: every dense parameter's gradient, both views' embeddings, two sums a BatchNorm layer.
StepMessages messages_of(const train::EncoderPlan& plan);

struct ScaledStep {
  double compute_s = 0.0;
  double exposed_s = 0.0;  ///< of what is said, what nothing hides
  double total_s() const { return compute_s + exposed_s; }
};

/// A step of `pictures` in all on `ranks`, shared out evenly. Sums take the faster of a ring and of recursive doubling
/// (R. Thakur et al., "Optimization of collective communication operations in MPICH", IJHPCA 19, 2005); gradients
/// travel behind the backward pass, two thirds of what a picture takes; nothing else is hidden.
ScaledStep scaled_step(const StepTime& time, const StepMessages& messages, const Network& network, int64_t pictures,
                       int64_t ranks);

}  // namespace invaria::suite
