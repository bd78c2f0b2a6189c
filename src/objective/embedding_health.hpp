#pragma once
/// @file
/// Numbers that tell learning from collapse, out of the embeddings of a batch in two views.
///
/// Shape legend: N pictures, C embedding channels.

#include <ATen/core/Tensor.h>

namespace invaria::objective {

/// Below this deviation embeddings count as collapsed.
inline constexpr double kCollapsedDeviation = 0.1;

/// All are double scalars on the embeddings' device.
struct EmbeddingHealth {
  /// Mean of |x - y|^2 over positive pairs (arXiv:2005.10242, Eq. 2 with alpha = 2): 0 is full invariance, 2 chance.
  at::Tensor alignment;
  /// log of the mean of exp(-2 |x - y|^2) over pairs of different pictures (arXiv:2005.10242, Eq. 3 with t = 2), the
  /// mean over both views: 0 is collapse, about -4 the uniform sphere.
  at::Tensor uniformity;
  /// sqrt(C) times the standard deviation of a channel, the mean over channels and views (arXiv:2011.10566, Sec. 4.1):
  /// 0 is collapse to a point, 1 the uniform sphere.
  at::Tensor deviation;
};

/// @param first_NC, second_NC  unit rows of the same pictures, in any type
/// @throws PreconditionError unless they have one shape and two rows or more
EmbeddingHealth embedding_health(const at::Tensor& first_NC, const at::Tensor& second_NC);

}  // namespace invaria::objective
