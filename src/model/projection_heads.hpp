#pragma once
/// @file
/// What stands between features and loss in contrastive pretraining: small MLPs, one for each pretraining corner, or
/// one shared. A hidden layer is Linear (- BatchNorm) - ReLU, the last one Linear (- BatchNorm without affine). A
/// Linear that BatchNorm follows has no bias.
///
/// SimCLR (arXiv:2002.05709, Sec. 2.1; BatchNorm as in its appendix): 2 layers, batch_norm hidden. MoCo v2
/// (arXiv:2003.04297): 2 layers, none. MoCo v3 (arXiv:2104.02057, Sec. 4): projector of 3 layers (ResNet: 2) and
/// predictor of 2, all; of a ResNet the authors' predictor ends in a Linear without BatchNorm (hidden) and, other than
/// here, without bias.
///
/// Shape legend: B rows, D features.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "config/setting.hpp"
#include "model/batch_norm.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// Which layers of a head BatchNorm follows; the last one without affine.
enum class HeadNorm { kNone, kHidden, kAll };

}  // namespace invaria::model

template <>
struct invaria::config::EnumNames<invaria::model::HeadNorm> {
  using E = model::HeadNorm;
  static constexpr std::array<std::pair<E, const char*>, 3> kNames{
      {{E::kNone, "none"}, {E::kHidden, "hidden"}, {E::kAll, "all"}}};
};

namespace invaria::model {

inline constexpr int64_t kMostHeadLayers = 3;

struct ProjectionSettings {
  int64_t hidden = 128;
  int64_t out = 64;
  bool per_corner = true;
  int64_t layers = 2;
  HeadNorm batch_norm = HeadNorm::kHidden;

  static auto settings() {
    using S = ProjectionSettings;
    using config::between, config::setting;
    return std::tuple{
        setting("hidden", &S::hidden, "width of the projector's hidden layers", between(1, 16384)),
        setting("out", &S::out, "channels of an embedding", between(1, 16384)),
        setting("per_corner", &S::per_corner,
                "one projector (and predictor) for each pretraining corner, else one for all"),
        setting("layers", &S::layers, "linear layers of the projector", between(1, kMostHeadLayers)),
        setting("batch_norm", &S::batch_norm, "which of them BatchNorm follows; the last without affine")};
  }
};

/// MoCo v3's predictor: from embeddings to embeddings.
struct PredictorSettings {
  int64_t hidden = 128;
  int64_t layers = 2;
  HeadNorm batch_norm = HeadNorm::kAll;

  static auto settings() {
    using S = PredictorSettings;
    using config::between, config::setting;
    return std::tuple{
        setting("hidden", &S::hidden, "width of the predictor's hidden layers", between(1, 16384)),
        setting("layers", &S::layers, "linear layers of the predictor", between(1, kMostHeadLayers)),
        setting("batch_norm", &S::batch_norm, "which of them BatchNorm follows; the last without affine")};
  }
};

/// `n_heads` MLPs of one shape. Copying shares tensors.
class ProjectionHeads {
 public:
  /// Projectors D -> hidden ... -> out, named "projector.<head>.linear1.weight", ".bn1.weight", ...
  ///
  /// Fresh weights on the CPU, drawn by address from `seed`, distributed as torch.nn.Linear's: U(-1, 1) / sqrt(fan_in).
  /// @param n_heads  the number of corners, or 1 if shared
  ProjectionHeads(const ProjectionSettings& settings, int64_t feature_dim, int64_t n_heads, uint64_t seed);
  /// Predictors `channels` -> hidden ... -> `channels`, named "predictor.<head>...", likewise.
  ProjectionHeads(const PredictorSettings& settings, int64_t channels, int64_t n_heads, uint64_t seed);

  /// Rows [B, D] -> embeddings [B, out], not normalised. Collective in kTrain, as Encoder::forward.
  /// @throws PreconditionError in the modes kGiven and kCollect, which are the encoder's
  at::Tensor forward(int64_t head, const at::Tensor& rows_BD, const BatchNormPass& batch_norm) const;
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
