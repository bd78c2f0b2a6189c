#pragma once
/// @file
/// Sizes of an encoder known from its settings alone, without making it.

#include <cstdint>

#include "model/encoder.hpp"

namespace invaria::model {

/// Multiply-adds of one forward pass times two, kernels given, for a square image of this side.
double flops_per_image(const EncoderSettings& settings, int64_t image_size);

/// Trainable numbers, the hypernetwork's included.
int64_t n_parameters(const EncoderSettings& settings, int64_t n_axes);

}  // namespace invaria::model
