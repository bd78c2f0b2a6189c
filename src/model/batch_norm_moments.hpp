#pragma once
/// @file
/// The statistics behind a BatchNorm layer's pass: taken of the batch, by groups of its rows and over ranks, or given;
/// for batch_norm.cpp.
///
/// Shape legend: B images, C channels, G groups of rows.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>

#include "model/batch_norm.hpp"
#include "model/column_kernels.hpp"

namespace invaria::model {

/// Mean and biased variance [G, C], and the number of elements behind them [G, 1]; double, on x's device. One row a
/// group of rows of x.
struct Moments {
  at::Tensor mean_GC;
  at::Tensor var_GC;
  at::Tensor count_G1;  ///< undefined of statistics that were given

  at::Tensor invstd_GC() const { return (var_GC + kBatchNormEpsilon).rsqrt(); }
  Moments groups(int64_t first, int64_t count) const {
    return {mean_GC.narrow(0, first, count), var_GC.narrow(0, first, count),
            count_G1.defined() ? count_G1.narrow(0, first, count) : count_G1};
  }
};

/// Channels last: rows B H W, columns C in memory.
MatrixSize matrix_size(const at::Tensor& x);

/// Some of the batch's images; nothing of nothing.
at::Tensor rows_of(const at::Tensor& x, RowRange rows);

/// The groups of a pass, all spelt out. @throws PreconditionError if they do not cover the rows of x
BatchNormGroups groups_of_pass(const at::Tensor& x, const BatchNormPass& pass);

/// The statistics of this pass by local group, and their side effects: running averages that move in kTrain, what
/// kCollect appends. Collective where the pass is. @throws PreconditionError as batch_norm()
Moments moments_of_pass(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index, const BatchNormPass& pass,
                        const BatchNormGroups& groups);

/// body(T{}) for the tensor's element type: double, float or bfloat16.
template <class Body>
void with_element_type(const at::Tensor& x, const Body& body) {
  switch (x.scalar_type()) {
    case at::kDouble:
      return body(double{});
    case at::kBFloat16:
      return body(c10::BFloat16{});
    default:
      return body(float{});
  }
}

/// The type of a layer's own tensors, and of the coefficients of a pass over x: float for bfloat16, else x's.
inline at::ScalarType layer_type(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? at::kFloat : x.scalar_type();
}

}  // namespace invaria::model
