#pragma once
/// @file
/// What the conditioning makes of an invariance i, and how its gradient goes back into the weights that made it.
///
/// The generated tensors are the only thing that a forward pass sees of i. Within a step they are the same on all
/// ranks, so their gradients are all that travels: each rank takes the gradients of the generator's own parameters from
/// the reduced ones.
///
/// Shape legend: B images, K axes.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "config/invariance.hpp"
#include "model/parameters.hpp"

namespace invaria::model {

/// The tensors that a generator makes of i: fresh leaves that require grad. Hypernetwork: the kernels of the residual
/// convolutions [out, in, kh, kw] in torchvision's order; prompt: the token [D]; film: s and t of each normalisation
/// [G, 2, C]. Without conditioning: none.
struct Generated {
  config::Invariance invariance{};  ///< empty if images have different ones
  at::Tensor group_B{};             ///< int64 [B], which of G invariances an image has; undefined: all have the same
  std::vector<at::Tensor> tensors{};
  std::vector<at::Tensor> kept{};  ///< what the generator's backward pass reads; no business of others

  /// The gradient of each tensor, undefined before a backward pass.
  std::vector<at::Tensor> gradients() const;
};

/// The generated tensors of frozen weights as a function of i, with whatever makes many evaluations cheap.
class FrozenGenerator {
 public:
  virtual ~FrozenGenerator() = default;
  /// The same as Encoder::generate, to rounding. @throws PreconditionError as that
  virtual Generated at(const config::Invariance& invariance) = 0;
  /// dL/di [K] at the last `at`, from the gradients of its tensors.
  virtual std::vector<double> gradient(const std::vector<at::Tensor>& g) const = 0;
};

/// One kind of conditioning. Its parameters are the encoder's (ParameterList).
class Generator {
 public:
  virtual ~Generator() = default;
  /// Records no gradient. @throws PreconditionError if i has not K elements in [0, 1]
  virtual Generated generate(const config::Invariance& invariance) const = 0;
  /// For images of different invariances. @throws PreconditionError if this kind of conditioning has one for all
  virtual Generated generate_mixed(const std::vector<config::Invariance>& invariances, const at::Tensor& group_B) const;
  /// Write the gradients of the generator's dense parameters (overwritten), and return the factors of its factored
  /// ones' in their order. Reads weights as they are, so call it before the update.
  /// @param g  gradients of `generated.tensors`, reduced over ranks
  virtual std::vector<FactoredGradient> backward(const Generated& generated,
                                                 const std::vector<at::Tensor>& g) const = 0;
  virtual std::unique_ptr<FrozenGenerator> freeze() const = 0;
};

/// @throws PreconditionError if i has not n_axes elements in [0, 1]
void require_invariance(const config::Invariance& invariance, int64_t n_axes);

/// A vector's numbers on the host.
std::vector<double> to_doubles(const at::Tensor& values);

/// i as a vector [K] of `like`'s type, on its device.
at::Tensor invariance_tensor(const config::Invariance& invariance, const at::Tensor& like);

}  // namespace invaria::model
