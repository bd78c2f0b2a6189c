#pragma once
/// @file
/// NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR (arXiv:2002.05709, Eq. 1), over the batch of all
/// ranks.
///
/// l(a, p) = -log( exp(cos(z_a, z_p) / t) / sum_{m != a} exp(cos(z_a, z_m) / t) ), averaged over the 2 N anchors.
///
/// Shape legend: N = pictures of all ranks, n = pictures of this rank, C = embedding channels.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <tuple>

#include "config/setting.hpp"

namespace invaria::objective {

struct NtXentSettings {
  double temperature = 0.2;

  static auto settings() {
    return std::tuple{config::setting("temperature", &NtXentSettings::temperature, "cosines are divided by it",
                                      config::between(1e-3, 100.0))};
  }
};

/// Concatenates the rows of all ranks in rank order, with gradient (backward: sum over ranks, own rows kept). Identity
/// for one rank.
using GatherRows = std::function<at::Tensor(const at::Tensor& local)>;

/// Where this rank's pictures stand in the global batch.
struct BatchPlace {
  int64_t first = 0;  ///< global index of the first local picture
  int64_t total = 0;  ///< N
  int64_t n_ranks = 1;
};

/// What one evaluation reports.
struct NtXentResult {
  at::Tensor
      loss;  ///< scalar; (n_ranks / (2 N)) times the sum over this rank's 2 n anchors, so that the MEAN over ranks of
             ///< losses and of parameter gradients is that of the global batch, also when ranks hold unequal shares
  at::Tensor top1;  ///< scalar in [0, 1], the same weighting: share of anchors whose positive scores highest
};

/// Contrast both views of every local picture with all views of all ranks.
///
/// @param views_1_nC  [n, C] embeddings of the first views, not normalised
/// @param views_2_nC  [n, C] embeddings of the second views
/// @throws PreconditionError if shapes disagree or the place does not fit
NtXentResult nt_xent(const at::Tensor& views_1_nC, const at::Tensor& views_2_nC, const NtXentSettings& settings,
                     const BatchPlace& place, const GatherRows& gather);

}  // namespace invaria::objective
