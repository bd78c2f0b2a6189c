#pragma once
/// @file
/// Sizes of an encoder known from its settings alone, without making it.

#include <cstdint>

#include "config/stored_shape.hpp"
#include "model/encoder_settings.hpp"
#include "model/precision.hpp"

namespace invaria::model {

/// Multiply-adds of the convolutions, or of the matrix products, of one forward pass times two, generated tensors
/// given, for an image of this shape.
double flops_per_image(const EncoderSettings& settings, const config::ViewShape& image);

/// Bytes that a forward pass keeps for the backward one. A ResNet: input and output of every convolution's BatchNorm;
/// a ViT: what its blocks keep.
double activation_bytes_per_image(const EncoderSettings& settings, const config::ViewShape& image, Precision precision);

/// D, the features of an image.
int64_t feature_dim(const EncoderSettings& settings);

/// Trainable numbers by what a step keeps of them: dense ones have a gradient, factored ones have none.
struct ParameterCounts {
  int64_t dense = 0;
  int64_t factored = 0;

  int64_t total() const { return dense + factored; }
};
ParameterCounts count_parameters(const EncoderSettings& settings, int64_t n_axes, const config::ViewShape& image);

}  // namespace invaria::model
