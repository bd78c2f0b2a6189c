#include "model/parameter_list.hpp"

#include <ATen/ATen.h>

#include "model/initialise.hpp"

namespace invaria::model {

template <class Fill>
at::Tensor ParameterList::add(std::string name, at::IntArrayRef shape, Decay decay, const Fill& fill) {
  const at::Tensor value = at::empty(shape, at::kFloat);
  fill(value, InitAddress{seed_, TensorFamily::kDense, next_address_++});
  dense_.push_back({std::move(name), value.requires_grad_(), decay == Decay::kYes});
  return value;
}

at::Tensor ParameterList::add_normal(std::string name, at::IntArrayRef shape, double standard_deviation, Decay decay) {
  return add(std::move(name), shape, decay, [&](const at::Tensor& value, const InitAddress& address) {
    fill_normal(value, standard_deviation, address);
  });
}

at::Tensor ParameterList::add_uniform(std::string name, at::IntArrayRef shape, double low, double high, Decay decay) {
  return add(std::move(name), shape, decay,
             [&](const at::Tensor& value, const InitAddress& address) { fill_uniform(value, low, high, address); });
}

at::Tensor ParameterList::add_constant(std::string name, at::IntArrayRef shape, double value, Decay decay) {
  return add(std::move(name), shape, decay, [&](const at::Tensor& tensor, const InitAddress&) { tensor.fill_(value); });
}

at::Tensor ParameterList::add_factored_normal(std::string name, int64_t n_rows, int64_t n_columns,
                                              double standard_deviation) {
  const at::Tensor value = at::empty({n_rows, n_columns}, at::kFloat);
  fill_normal(value, standard_deviation, {seed_, TensorFamily::kFactored, factored_.size()});
  factored_.push_back({std::move(name), value});
  return value;
}

}  // namespace invaria::model
