#include "model/generator.hpp"

#include <ATen/ATen.h>

#include "core/errors.hpp"

namespace invaria::model {

std::vector<at::Tensor> Generated::gradients() const {
  std::vector<at::Tensor> g;
  for (const at::Tensor& tensor : tensors) g.push_back(tensor.grad());
  return g;
}

Generated Generator::generate_mixed(const std::vector<config::Invariance>&, const at::Tensor&) const {
  throw PreconditionError("only film gives the images of a batch different invariances");
}

std::vector<double> to_doubles(const at::Tensor& values) {
  const at::Tensor host = values.to(at::kCPU, at::kDouble).contiguous();
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

void require_invariance(const config::Invariance& invariance, int64_t n_axes) {
  require(static_cast<int64_t>(invariance.size()) == n_axes, "the invariance has {} elements, expected {}",
          invariance.size(), n_axes);
  for (const double element : invariance)
    require(element >= 0.0 && element <= 1.0, "the invariance has element {}, outside [0, 1]", element);
}

at::Tensor invariance_tensor(const config::Invariance& invariance, const at::Tensor& like) {
  return at::tensor(invariance, at::kDouble).to(like.options());
}

}  // namespace invaria::model
