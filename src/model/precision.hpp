#pragma once
/// @file
/// In which type a forward pass multiplies.

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <utility>

#include "config/setting.hpp"

namespace invaria::model {

/// Of convolutions and linear layers, forward and backward: factors and results, and what lies between them
/// (BatchNorm's results and a ResNet's residual stream, attention, GELU). A weight's gradient is the result of such a
/// product, and float from there on. Float are sums within a product, BatchNorm's statistics, LayerNorm, a ViT's
/// residual stream, features, and weights (mixed precision, arXiv:1710.03740; bfloat16 needs no loss scaling,
/// arXiv:1905.12322).
enum class Precision {
  kFloat32,   ///< as weights and images are: float, or double in tests
  kBfloat16,  ///< eight bits of mantissa
};

/// `x` as a factor of a product; its gradient comes back in its own type.
inline at::Tensor as_factor(const at::Tensor& x, Precision precision) {
  return precision == Precision::kBfloat16 ? x.to(at::kBFloat16) : x;
}

}  // namespace invaria::model

template <>
struct invaria::config::EnumNames<invaria::model::Precision> {
  using E = model::Precision;
  static constexpr std::array<std::pair<E, const char*>, 2> kNames{
      {{E::kFloat32, "float32"}, {E::kBfloat16, "bfloat16"}}};
};
