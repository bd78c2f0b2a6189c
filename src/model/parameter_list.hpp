#pragma once
/// @file
/// An encoder's trainable tensors as they are made: in order, each drawn at the address of its place.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/parameters.hpp"

namespace invaria::model {

enum class Decay { kYes, kNo };

/// Every method appends one tensor (float, on the CPU) and returns it: the same object that the list holds, so that who
/// made it sees its gradient and its moves to another device.
class ParameterList {
 public:
  explicit ParameterList(uint64_t seed) : seed_(seed) {}

  /// N(0, standard_deviation^2).
  at::Tensor add_normal(std::string name, at::IntArrayRef shape, double standard_deviation, Decay decay);
  /// U[low, high).
  at::Tensor add_uniform(std::string name, at::IntArrayRef shape, double low, double high, Decay decay);
  at::Tensor add_constant(std::string name, at::IntArrayRef shape, double value, Decay decay);
  /// A factored parameter [P, H] of N(0, standard_deviation^2): no autograd leaf.
  at::Tensor add_factored_normal(std::string name, int64_t n_rows, int64_t n_columns, double standard_deviation);

  /// The last dense tensor was a constant: let the next one have the address that it did not draw at.
  void reuse_last_address() { --next_address_; }

  const std::vector<Parameter>& dense() const { return dense_; }
  const std::vector<FactoredParameter>& factored() const { return factored_; }

 private:
  template <class Fill>
  at::Tensor add(std::string name, at::IntArrayRef shape, Decay decay, const Fill& fill);

  uint64_t seed_;
  uint64_t next_address_ = 0;  ///< of a dense tensor
  std::vector<Parameter> dense_;
  std::vector<FactoredParameter> factored_;
};

}  // namespace invaria::model
