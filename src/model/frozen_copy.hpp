#pragma once
/// @file
/// A frozen generator that is nothing but the generator: for those as cheap as what they generate.

#include <optional>
#include <utility>

#include "core/errors.hpp"
#include "model/generator.hpp"

namespace invaria::model {

/// @tparam G  a copyable Generator whose copies share tensors, with
///            `std::vector<double> invariance_gradient(const Generated&, const std::vector<at::Tensor>& g) const`
template <class G>
class FrozenCopy final : public FrozenGenerator {
 public:
  explicit FrozenCopy(G generator) : generator_(std::move(generator)) {}

  Generated at(const config::Invariance& invariance) override {
    last_ = generator_.generate(invariance);
    return *last_;
  }
  std::vector<double> gradient(const std::vector<at::Tensor>& g) const override {
    require(last_.has_value(), "FrozenCopy: gradient() before at()");
    return generator_.invariance_gradient(*last_, g);
  }

 private:
  G generator_;
  std::optional<Generated> last_;
};

}  // namespace invaria::model
