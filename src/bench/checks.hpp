#pragma once
/// @file
/// What checks of stages are made of. All throw WrongResult.

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <utility>

#include "bench/stage.hpp"

namespace invaria::bench {

template <class... Args>
void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw WrongResult(fmt::format(format, std::forward<Args>(args)...));
}

void expect_shape(const at::Tensor& made, at::IntArrayRef shape);

/// Of one shape, and no value further off than `tolerance`.
void expect_near(const at::Tensor& made, const at::Tensor& expected, double tolerance);
std::function<void(const at::Tensor&)> is_near(at::Tensor expected, double tolerance);

/// What is made when it is first asked for, so that a stage that nobody runs costs nothing.
template <class T>
class Lazy {
 public:
  explicit Lazy(std::function<T()> make) : make_(std::move(make)) {}
  T& get() {
    if (!value_) value_.emplace(make_());
    return *value_;
  }

 private:
  std::function<T()> make_;
  std::optional<T> value_;
};

}  // namespace invaria::bench
