#pragma once
/// @file
/// Features of a frozen encoder at a fixed i, and the BatchNorm statistics that belong to it.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "downstream/pictures.hpp"
#include "downstream/settings.hpp"
#include "model/encoder.hpp"

namespace invaria::downstream {

/// Pictures that go through an encoder at once.
inline constexpr int64_t kFeatureBatch = 512;

/// Features [n, D] on the CPU of pictures, in batches, without gradient. The result does not depend on the
/// batch size beyond rounding.
at::Tensor extract_features(const model::Encoder& encoder, const model::Generated& generated,
                            const model::BatchNormPass& batch_norm, const Pictures& pictures,
                            int64_t batch = kFeatureBatch);

/// Mean and variance of every BatchNorm layer at this i: the average over batches of clean, unlabelled pictures,
/// each batch weighted by its size (all are of size `batch` but for the last).
model::BatchNormStatistics reestimate_statistics(const model::Encoder& encoder, const model::Generated& generated,
                                                 const at::Tensor& clean_images_BCHW, int64_t batch);

/// Stop gradients from being computed for the encoder's parameters: downstream, only i learns.
void freeze(const model::Encoder& encoder);

/// The device that the encoder lives on.
at::Device device_of(const model::Encoder& encoder);

}  // namespace invaria::downstream
