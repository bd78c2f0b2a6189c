#pragma once
/// @file
/// FiLM (arXiv:1709.07871) as conditioning: i modulates the scale and shift of every normalisation. h = relu(W i + c),
/// and per layer (s, t) = A h + a, used as in modulation.hpp.
///
/// Unlike kernels, s and t may differ from image to image, so corners can be mixed in a batch.
///
/// Shape legend: K axes, H hidden units, C channels of a layer, G invariances.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/backbone.hpp"
#include "model/encoder_settings.hpp"
#include "model/generator.hpp"
#include "model/parameter_list.hpp"

namespace invaria::model {

/// Generated::tensors are s and t of each layer, [G, 2, C]; `kept` the invariances [G, K] and h [G, H].
class Film final : public Generator {
 public:
  /// W ~ N(0, 1), c ~ U[-1/2, 1/2), a = 0, and A such that s and t start with the settings' deviation where one axis is
  /// on. All have the settings' rate.
  /// @throws PreconditionError if there is no axis
  Film(const FilmSettings& settings, const std::vector<NormSite>& sites, int64_t n_axes, ParameterList& parameters);

  Generated generate(const config::Invariance& invariance) const override;
  Generated generate_mixed(const std::vector<config::Invariance>& invariances,
                           const at::Tensor& group_B) const override;
  std::vector<FactoredGradient> backward(const Generated& generated, const std::vector<at::Tensor>& g) const override;
  std::unique_ptr<FrozenGenerator> freeze() const override;
  /// dL/di [K] = W^T (sum over layers of A^T g, where h > 0). For one invariance.
  std::vector<double> invariance_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const;

 private:
  struct Layer {
    at::Tensor A_OH;  ///< O = 2 C: s, then t
    at::Tensor a_O;
  };
  Generated generate_rows(const std::vector<config::Invariance>& invariances) const;
  /// dL/d(W i + c), [G, H].
  at::Tensor hidden_gradient(const Generated& generated, const std::vector<at::Tensor>& g) const;

  int64_t n_axes_;
  at::Tensor W_HK_, c_H_;
  std::vector<Layer> layers_;
};

}  // namespace invaria::model
