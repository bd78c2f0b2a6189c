#pragma once
/// @file
/// The momentum encoder of MoCo (arXiv:1911.05722, Sec. 3.2, Eq. 2): parameters that are exponential moving averages of
/// the encoder's and the projectors', moved in the optimiser's pass.
///
/// What is averaged are the parameters, the hypernetwork's included, never generated kernels: at i it generates its
/// own. BatchNorm's running statistics are its own too. The averages of a corner's projector move in the steps that
/// train it.
///
/// Shape legend: n views, C embedding channels, H W pixels.

#include "model/encoder.hpp"
#include "model/projection_heads.hpp"
#include "train/objective.hpp"

namespace invaria::train {

class MomentumEncoder {
 public:
  /// A copy of the start's encoder and projectors, on the CPU.
  explicit MomentumEncoder(const ObjectiveStart& start);

  /// What it makes of i, once a step. Records no gradient.
  model::Generated generate(const config::Invariance& invariance) const;
  /// Keys [n, C], unit vectors without gradient. Collective where `pass` is. Drop path
  /// leaves out the same blocks of a view as in the encoder.
  at::Tensor keys(const at::Tensor& views_nCHW, const model::Generated& generated, int64_t head,
                  const model::ForwardPass& pass) const;

  /// What the update of the encoder and these heads moves along.
  WeightAverages averages(double momentum, std::span<const int64_t> heads) const;

  /// "encoder/..." and "heads/...".
  model::StateDict state() const;
  void load_state(const model::StateDict& state);
  void to(c10::Device device);

 private:
  model::Encoder encoder_;
  model::ProjectionHeads heads_;
};

}  // namespace invaria::train
