#pragma once
/// @file
/// What the contrastive losses share: where a rank stands in the global batch, and what one evaluation reports.
///
/// Shape legend: N = pictures of all ranks, n = pictures of this rank, C = embedding channels.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace invaria::objective {

/// Concatenates the rows of all ranks in rank order, with gradient (backward: sum over ranks, own rows kept). Identity
/// for one rank.
using GatherRows = std::function<at::Tensor(const at::Tensor& local)>;

/// Where this rank's pictures stand in the global batch.
struct BatchPlace {
  int64_t first = 0;  ///< global index of the first local picture
  int64_t total = 0;  ///< N
  int64_t n_ranks = 1;
};

/// What one evaluation reports. Both stay on the device: reading them would stall the stream.
///
/// Sums over this rank's anchors are weighted by n_ranks / (anchors of all ranks), so that the MEAN over ranks of
/// losses and of parameter gradients is that of the global batch, also when ranks hold unequal shares.
struct Contrast {
  at::Tensor loss;  ///< scalar, nats
  at::Tensor top1;  ///< scalar in [0, 1] in the mean over ranks: share of anchors whose positive scores highest
};

/// Rows divided by their Euclidean norms, as torch.nn.functional.normalize: a zero row stays zero.
/// @param rows_nC  the norm is taken along the last dimension
at::Tensor unit_rows(const at::Tensor& rows_nC);

}  // namespace invaria::objective
