#include "bench/checks.hpp"

#include <ATen/ATen.h>

namespace invaria::bench {

void expect_shape(const at::Tensor& made, at::IntArrayRef shape) {
  expect(made.sizes() == shape, "made {} where {} was expected", fmt::join(made.sizes(), " x "),
         fmt::join(shape, " x "));
}

void expect_near(const at::Tensor& made, const at::Tensor& expected, double tolerance) {
  expect_shape(made, expected.sizes());
  const double off = (made - expected).abs().max().item<double>();
  expect(off <= tolerance, "off by up to {:.2g}, more than {:.2g}", off, tolerance);
}

std::function<void(const at::Tensor&)> is_near(at::Tensor expected, double tolerance) {
  return [expected, tolerance](const at::Tensor& made) { expect_near(made, expected, tolerance); };
}

}  // namespace invaria::bench
