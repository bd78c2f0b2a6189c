#pragma once
/// @file
/// An encoder's trainable tensors as they are made: in order, each drawn at the address of its place.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/parameters.hpp"

namespace invaria::model {

/// What the optimiser does with a tensor.
enum class Training {
  kDecayed,
  kUndecayed,  ///< trained without weight decay
  kFrozen,     ///< not trained: part of the encoder's state, not of its parameters
};

/// Every method appends one tensor (float, on the CPU) and returns it: the same object that the list holds, so that who
/// made it sees its gradient and its moves to another device.
class ParameterList {
 public:
  explicit ParameterList(uint64_t seed) : seed_(seed) {}

  /// N(0, standard_deviation^2).
  at::Tensor add_normal(std::string name, at::IntArrayRef shape, double standard_deviation, Training training);
  /// U[low, high).
  at::Tensor add_uniform(std::string name, at::IntArrayRef shape, double low, double high, Training training);
  at::Tensor add_constant(std::string name, at::IntArrayRef shape, double value, Training training);
  /// These values, float.
  at::Tensor add_values(std::string name, const at::Tensor& values, Training training);
  /// A factored parameter [P, H] of N(0, standard_deviation^2): no autograd leaf.
  at::Tensor add_factored_normal(std::string name, int64_t n_rows, int64_t n_columns, double standard_deviation);
  /// The same of U[low, high).
  at::Tensor add_factored_uniform(std::string name, int64_t n_rows, int64_t n_columns, double low, double high);

  /// Parameter::rate of the dense tensors that follow.
  void set_rate(double rate) { rate_ = rate; }

  /// The last dense tensor was a constant: let the next one have the address that it did not draw at.
  void reuse_last_address() { --next_address_; }

  const std::vector<Parameter>& dense() const { return dense_; }
  /// What is not trained, by name.
  const StateDict& frozen() const { return frozen_; }
  const std::vector<FactoredParameter>& factored() const { return factored_; }

 private:
  template <class Fill>
  at::Tensor add(std::string name, at::IntArrayRef shape, Training training, const Fill& fill);
  template <class Fill>
  at::Tensor add_factored(std::string name, at::IntArrayRef shape, const Fill& fill);

  uint64_t seed_;
  double rate_ = 1.0;
  uint64_t next_address_ = 0;  ///< of a dense tensor
  std::vector<Parameter> dense_;
  StateDict frozen_;
  std::vector<FactoredParameter> factored_;
};

}  // namespace invaria::model
