#pragma once
/// @file
/// The projectors of contrastive pretraining: Linear (no bias) - BatchNorm - ReLU - Linear (SimCLR, arXiv:2002.05709, Sec. 2.1),
/// one for each pretraining corner, or one shared.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "config/setting.hpp"
#include "model/batch_norm.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

struct ProjectionSettings {
  int64_t hidden = 128;
  int64_t out = 64;
  bool per_corner = true;

  static auto settings();
};

/// `n_heads` projectors D -> hidden -> out.
class ProjectionHeads {
 public:
  /// @param n_heads  the number of corners, or 1 if shared
  ProjectionHeads(const ProjectionSettings& settings, int64_t feature_dim, int64_t n_heads, uint64_t seed);

  /// Features [B, D] -> embeddings [B, out], not normalised.
  at::Tensor forward(int64_t head, const at::Tensor& features_BD, const BatchNormPass& batch_norm) const;
  /// The parameters of one head: only these are touched in a step that uses it.
  const std::vector<Parameter>& parameters(int64_t head) const;
  int64_t size() const;
  StateDict state() const;
  void load_state(const StateDict& state);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace invaria::model
