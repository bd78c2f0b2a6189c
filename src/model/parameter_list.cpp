#include "model/parameter_list.hpp"

#include <ATen/ATen.h>

#include "model/initialise.hpp"

namespace invaria::model {

template <class Fill>
at::Tensor ParameterList::add(std::string name, at::IntArrayRef shape, Training training, const Fill& fill) {
  const at::Tensor value = at::empty(shape, at::kFloat);
  fill(value, InitAddress{seed_, TensorFamily::kDense, next_address_++});
  if (training == Training::kFrozen) {
    frozen_.emplace(std::move(name), value);
  } else {
    dense_.push_back({std::move(name), value.requires_grad_(), training == Training::kDecayed, rate_});
  }
  return value;
}

at::Tensor ParameterList::add_normal(std::string name, at::IntArrayRef shape, double standard_deviation,
                                     Training training) {
  return add(std::move(name), shape, training, [&](const at::Tensor& value, const InitAddress& address) {
    fill_normal(value, standard_deviation, address);
  });
}

at::Tensor ParameterList::add_uniform(std::string name, at::IntArrayRef shape, double low, double high,
                                      Training training) {
  return add(std::move(name), shape, training,
             [&](const at::Tensor& value, const InitAddress& address) { fill_uniform(value, low, high, address); });
}

at::Tensor ParameterList::add_constant(std::string name, at::IntArrayRef shape, double value, Training training) {
  return add(std::move(name), shape, training,
             [&](const at::Tensor& tensor, const InitAddress&) { tensor.fill_(value); });
}

at::Tensor ParameterList::add_values(std::string name, const at::Tensor& values, Training training) {
  return add(std::move(name), values.sizes(), training,
             [&](const at::Tensor& tensor, const InitAddress&) { tensor.copy_(values); });
}

template <class Fill>
at::Tensor ParameterList::add_factored(std::string name, at::IntArrayRef shape, const Fill& fill) {
  const at::Tensor value = at::empty(shape, at::kFloat);
  fill(value, InitAddress{seed_, TensorFamily::kFactored, factored_.size()});
  factored_.push_back({std::move(name), value});
  return value;
}

at::Tensor ParameterList::add_factored_normal(std::string name, int64_t n_rows, int64_t n_columns,
                                              double standard_deviation) {
  return add_factored(std::move(name), {n_rows, n_columns}, [&](const at::Tensor& value, const InitAddress& address) {
    fill_normal(value, standard_deviation, address);
  });
}

at::Tensor ParameterList::add_factored_uniform(std::string name, int64_t n_rows, int64_t n_columns, double low,
                                               double high) {
  return add_factored(std::move(name), {n_rows, n_columns}, [&](const at::Tensor& value, const InitAddress& address) {
    fill_uniform(value, low, high, address);
  });
}

}  // namespace invaria::model
