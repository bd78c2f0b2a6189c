#pragma once
/// @file
/// The prompt (arXiv:2302.12712, Sec. 3.2): one more token of a ViT, the mean of 256 MLPs of i, each K -> D -> ReLU ->
/// D: p = (1/256) sum_m (W2_m relu(W1_m i + b1_m) + b2_m).
///
/// As a function that is one MLP of hidden width 256 D, so two matrix products; the 256 output matrices lie side by
/// side in one matrix [D, 256 D]. The factor stays outside, so that an optimiser's steps are those of 256 separate
/// MLPs. Its gradient is rank one: dL/dW2 = (g / 256) h^T with g = dL/dp, and only g's D numbers travel between ranks.
///
/// Shape legend: M MLPs (256), D width of a token, K axes, H hidden numbers of all MLPs (M D).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "model/generator.hpp"
#include "model/parameter_list.hpp"

namespace invaria::model {

inline constexpr int64_t kPromptMlps = 256;

/// Generated::tensors is the token [D], `kept` relu(W1 i + b1) [H].
class Prompt final : public Generator {
 public:
  /// Each MLP as two torch.nn.Linear are drawn: U[-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too.
  /// @throws PreconditionError if there is no axis
  Prompt(int64_t width, int64_t n_axes, ParameterList& parameters);

  Generated generate(const config::Invariance& invariance) const override;
  std::vector<FactoredGradient> backward(const Generated& generated, const std::vector<at::Tensor>& g) const override;
  std::unique_ptr<FrozenGenerator> freeze() const override;
  /// dL/di [K] = W1^T ((W2^T g / 256) [h > 0]).
  std::vector<double> invariance_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const;

 private:
  /// dL/d(W1 i + b1).
  at::Tensor hidden_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const;

  int64_t n_axes_;
  at::Tensor W1_MDK_, b1_MD_;
  at::Tensor W2_DH_;  ///< column m D + j: MLP m's hidden unit j
  at::Tensor b2_MD_;
};

}  // namespace invaria::model
