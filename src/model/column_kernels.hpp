#pragma once
/// @file
/// Passes over a row-major matrix [rows, columns] with one coefficient a column: what BatchNorm does to
/// channels-last images (rows B H W, columns C) and to embeddings (rows B). Memory-bound, so what can share a pass
/// does: ReLU and the residual sum.
///
/// T is float, double or c10::BFloat16, whose numbers are computed with as float and rounded to nearest, ties to even.
/// Sums are taken in float (of double: in double) within fixed chunks of rows and in double across them, in order:
/// results do not depend on threads.

#include <ATen/OpMathType.h>

#include <cstdint>

namespace invaria::model {

/// A matrix's size.
struct MatrixSize {
  int64_t rows = 0;
  int64_t columns = 0;
};

/// Per column the mean and the sum of squared deviations from it (Chan, Golub, LeVeque 1979, for joining chunks).
/// Writes `columns` numbers to each.
template <class T>
void column_moments(MatrixSize size, const T* x, double* mean, double* squared_deviations);

/// y = scale x + shift (+ residual), then max(., 0) if `relu`. NaN stays NaN. `residual` may be null; y may be x.
template <class T>
struct AffineForward {
  MatrixSize size;
  const T* x = nullptr;
  const T* residual = nullptr;
  const at::opmath_type<T>* scale = nullptr;  ///< [columns]
  const at::opmath_type<T>* shift = nullptr;  ///< [columns]
  bool relu = false;
  T* y = nullptr;
};
template <class T>
void column_affine(const AffineForward<T>& pass);

/// The incoming gradient: `dy` where y > 0 and 0 elsewhere if y is given (behind a ReLU), else `dy`.
template <class T>
struct IncomingGradient {
  const T* dy = nullptr;
  const T* y = nullptr;
};

/// Per column sum g and sum g (x - mean), g the incoming gradient.
template <class T>
void column_gradient_sums(MatrixSize size, IncomingGradient<T> gradient, const T* x, const at::opmath_type<T>* mean,
                          double* sum_g, double* sum_g_deviation);

/// dx = a g + b (x - mean) + c per column; with `x` null, dx = a g. `dresidual` = g if given.
template <class T>
struct AffineBackward {
  MatrixSize size;
  IncomingGradient<T> gradient;
  const T* x = nullptr;
  const at::opmath_type<T>* mean = nullptr;
  const at::opmath_type<T>* a = nullptr;
  const at::opmath_type<T>* b = nullptr;
  const at::opmath_type<T>* c = nullptr;
  T* dx = nullptr;
  T* dresidual = nullptr;
};
template <class T>
void column_affine_backward(const AffineBackward<T>& pass);

}  // namespace invaria::model
