#pragma once
/// @file
/// Features turned to the axes along which their second moments are uncorrelated, where linear fits are easy.
///
/// Shape legend: B samples, D features, R = min(B, D) axes.

#include <ATen/core/Tensor.h>

namespace invaria::downstream {

/// Features x as z V^T with V^T V = 1. A linear fit whose penalty is on |W| alone has W_x = V W_z, since what lies
/// across all features changes no prediction and costs.
struct PrincipalAxes {
  at::Tensor features_BR;  ///< z = x V
  at::Tensor axis_DR;      ///< V
  at::Tensor moment_R;     ///< mean z^2, not negative; the mean of z_j z_k is zero

  /// @param features_BD  double
  explicit PrincipalAxes(const at::Tensor& features_BD);
};

}  // namespace invaria::downstream
