#pragma once
/// @file
/// InfoNCE: the softmax contrastive loss of MoCo (arXiv:1911.05722, Eq. 1), with a queue of negatives, and in-batch as
/// in MoCo v3 (arXiv:2104.02057, Alg. 1).
///
/// l(q) = -log( exp(q.k+ / t) / (exp(q.k+ / t) + sum_- exp(q.k- / t)) ), averaged over the queries of all ranks.
///
/// All embeddings are L2-normalised by the caller, which makes each score a cosine. Gradients reach queries only.
///
/// Shape legend: N = queries of all ranks, n = queries of this rank, M = remembered keys, C = embedding channels.

#include <ATen/core/Tensor.h>

#include "objective/contrast.hpp"

namespace invaria::objective {

/// Contrast every local query with the keys of the whole batch: the positive of local query j is key `place.first + j`,
/// all other keys are negatives.
///
/// @param query_nC  [n, C]
/// @param keys_NC   [N, C], of all ranks in batch order
/// @throws PreconditionError if shapes disagree or the place does not fit
Contrast info_nce(const at::Tensor& query_nC, const at::Tensor& keys_NC, double temperature, const BatchPlace& place);

/// Negatives out of a queue.
struct Negatives {
  at::Tensor keys_MC;
  at::Tensor excluded_nM;  ///< bool: key m is no negative of query j; undefined: none is excluded
};

/// Contrast every local query with its own key and with remembered keys.
/// @param positive_nC  [n, C], the key of each query
/// @throws PreconditionError if shapes disagree or the place does not fit
Contrast info_nce(const at::Tensor& query_nC, const at::Tensor& positive_nC, const Negatives& negatives,
                  double temperature, const BatchPlace& place);

}  // namespace invaria::objective
