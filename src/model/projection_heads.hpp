#pragma once
/// @file
/// The projectors of contrastive pretraining: Linear (no bias) - BatchNorm - ReLU - Linear (SimCLR, arXiv:2002.05709,
/// Sec. 2.1), one for each pretraining corner, or one shared.
///
/// Shape legend: B rows, D features.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "config/setting.hpp"
#include "model/batch_norm.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

struct ProjectionSettings {
  int64_t hidden = 128;
  int64_t out = 64;
  bool per_corner = true;

  static auto settings() {
    using S = ProjectionSettings;
    return std::tuple{
        config::setting("hidden", &S::hidden, "width of the projector's hidden layer", config::between(1, 16384)),
        config::setting("out", &S::out, "channels of an embedding", config::between(1, 16384)),
        config::setting("per_corner", &S::per_corner, "one projector for each pretraining corner, else one for all")};
  }
};

/// `n_heads` projectors D -> hidden -> out. Copying shares tensors.
class ProjectionHeads {
 public:
  /// Fresh weights on the CPU, drawn by address from `seed`, distributed as torch.nn.Linear's: U(-1, 1) / sqrt(fan_in).
  /// @param n_heads  the number of corners, or 1 if shared
  ProjectionHeads(const ProjectionSettings& settings, int64_t feature_dim, int64_t n_heads, uint64_t seed);

  /// Features [B, D] -> embeddings [B, out], not normalised. Collective in kTrain, as Encoder::forward.
  /// @throws PreconditionError in the modes kGiven and kCollect, which are the encoder's
  at::Tensor forward(int64_t head, const at::Tensor& features_BD, const BatchNormPass& batch_norm) const;
  /// The parameters of one head: only these are touched in a step that uses it.
  const std::vector<Parameter>& parameters(int64_t head) const;
  int64_t size() const;
  /// Parameters and buffers by name, sharing the heads' memory.
  StateDict state() const;
  /// Copy values in; nothing changes if anything is wrong. @throws ConfigError naming missing, unknown or misshapen
  /// entries
  void load_state(const StateDict& state);
  /// Move every tensor, of all copies of these heads. Gradients are left behind.
  void to(at::Device device);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace invaria::model
