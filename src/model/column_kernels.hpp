#pragma once
/// @file
/// Passes over a row-major float matrix [rows, columns] with one coefficient a column: what BatchNorm does to
/// channels-last images (rows B H W, columns C) and to embeddings (rows B). Memory-bound, so what can share a pass
/// does: ReLU and the residual sum.
///
/// Sums are taken in float within fixed chunks of rows and in double across them, in order: results do not depend on
/// threads.

#include <cstdint>

namespace invaria::model {

/// A matrix's size.
struct MatrixSize {
  int64_t rows = 0;
  int64_t columns = 0;
};

/// Per column the mean and the sum of squared deviations from it (Chan, Golub, LeVeque 1979, for joining chunks).
/// Writes `columns` numbers to each.
void column_moments(MatrixSize size, const float* x, double* mean, double* squared_deviations);

/// y = scale x + shift (+ residual), then max(., 0) if `relu`. NaN stays NaN. `residual` may be null; y may be x.
struct AffineForward {
  MatrixSize size;
  const float* x = nullptr;
  const float* residual = nullptr;
  const float* scale = nullptr;  ///< [columns]
  const float* shift = nullptr;  ///< [columns]
  bool relu = false;
  float* y = nullptr;
};
void column_affine(const AffineForward& pass);

/// The incoming gradient: `dy` where y > 0 and 0 elsewhere if y is given (behind a ReLU), else `dy`.
struct IncomingGradient {
  const float* dy = nullptr;
  const float* y = nullptr;
};

/// Per column sum g and sum g (x - mean), g the incoming gradient.
void column_gradient_sums(MatrixSize size, IncomingGradient gradient, const float* x, const float* mean, double* sum_g,
                          double* sum_g_deviation);

/// dx = a g + b (x - mean) + c per column; with `x` null, dx = a g. `dresidual` = g if given.
struct AffineBackward {
  MatrixSize size;
  IncomingGradient gradient;
  const float* x = nullptr;
  const float* mean = nullptr;
  const float* a = nullptr;
  const float* b = nullptr;
  const float* c = nullptr;
  float* dx = nullptr;
  float* dresidual = nullptr;
};
void column_affine_backward(const AffineBackward& pass);

}  // namespace invaria::model
