#pragma once
/// @file
/// NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR (arXiv:2002.05709, Eq. 1), over the batch of all
/// ranks.
///
/// l(a, p) = -log( exp(cos(z_a, z_p) / t) / sum_{m != a} exp(cos(z_a, z_m) / t) ), averaged over the 2 N anchors.
///
/// Shape legend: N = pictures of all ranks, n = pictures of this rank, C = embedding channels.

#include <ATen/core/Tensor.h>

#include "objective/contrast.hpp"

namespace invaria::objective {

/// Contrast both views of every local picture with all views of all ranks.
///
/// @param views_1_nC  [n, C] embeddings of the first views, not normalised
/// @param views_2_nC  [n, C] embeddings of the second views
/// @param temperature  cosines are divided by it
/// @return weighted over the 2 n anchors of this rank and 2 N of all
/// @throws PreconditionError if shapes disagree or the place does not fit
Contrast nt_xent(const at::Tensor& views_1_nC, const at::Tensor& views_2_nC, double temperature,
                 const BatchPlace& place, const GatherRows& gather);

}  // namespace invaria::objective
