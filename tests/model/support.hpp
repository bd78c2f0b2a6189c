#pragma once
/// @file
/// What the model's tests share: addressed random tensors, closeness of the greatest difference.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <string>

#include "model/encoder.hpp"
#include "model/hypernetwork.hpp"
#include "model/initialise.hpp"
#include "tests/support/catch.hpp"

namespace invaria::model::testing {

/// N(0, 1) of this shape; different for each seed.
inline at::Tensor random_tensor(at::IntArrayRef shape, uint64_t seed) {
  at::Tensor values = at::empty(shape, at::kFloat);
  fill_normal(values, 1.0, {.seed = seed, .family = TensorFamily::kDense, .index = 987});
  return values;
}

/// Greatest absolute difference, relative to the greatest absolute value expected.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor reference = expected.detach().to(at::kDouble);
  const double scale = reference.abs().max().item<double>();
  const double difference = (found.detach().to(at::kDouble) - reference).abs().max().item<double>();
  return scale > 0 ? difference / scale : difference;
}

/// A small encoder for tests: 18 layers, 8 channels, K axes.
inline Encoder small_encoder(Conditioning conditioning, int64_t n_axes = 2, uint64_t seed = 3) {
  EncoderSettings settings;
  settings.width = 8;
  settings.conditioning = conditioning;
  return Encoder(settings, n_axes, seed, 32);
}

/// The settings of a small encoder of any kind: a ResNet of this width, or a ViT of two blocks with drop path.
inline EncoderSettings small_settings(Architecture backbone, Conditioning conditioning, int64_t width) {
  EncoderSettings settings;
  settings.backbone = backbone;
  settings.conditioning = conditioning;
  settings.width = width;
  settings.vit = {.patch = 4, .width = 48, .depth = 2, .drop_path = 0.3};
  return settings;
}

/// Make every floating tensor of the encoder one of this type, where it stands: oracles in double tell a wrong formula
/// from rounding.
inline void set_type(const Encoder& encoder, at::ScalarType type) {
  for (const Parameter& parameter : encoder.parameters()) parameter.value.set_data(parameter.value.detach().to(type));
  for (const FactoredParameter& parameter : encoder.factored_parameters()) {
    parameter.value_PH.set_data(parameter.value_PH.to(type));
  }
  for (const auto& [name, tensor] : encoder.buffers()) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
  }
}

inline const Hypernetwork& hypernetwork_of(const Encoder& encoder) {
  return dynamic_cast<const Hypernetwork&>(*encoder.generator());
}

/// Numbers in the residual convolutions' kernels: all [out, in, kh, kw] but the stem's.
inline int64_t n_residual(const Encoder& encoder) {
  int64_t n = 0;
  for (const Parameter& parameter : encoder.parameters()) {
    if (parameter.value.dim() == 4 && parameter.name != "conv1.weight") n += parameter.value.numel();
  }
  return n;
}

}  // namespace invaria::model::testing
