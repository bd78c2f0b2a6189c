#include "objective/embedding_health.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <cmath>

#include "core/errors.hpp"

namespace invaria::objective {
namespace {

at::Tensor uniformity(const at::Tensor& x_NC) {
  const int64_t n = x_NC.size(0);
  const at::Tensor potential_NN = (2.0 - 2.0 * at::mm(x_NC, x_NC.t())).clamp_min_(0.0).mul_(-2.0).exp_();
  const at::Tensor sum = potential_NN.sum() - potential_NN.diagonal().sum();  // no picture with itself
  return (sum / static_cast<double>(n * (n - 1))).log();
}

at::Tensor deviation(const at::Tensor& x_NC) {
  return x_NC.std(0, /*unbiased=*/false).mean() * std::sqrt(static_cast<double>(x_NC.size(1)));
}

}  // namespace

EmbeddingHealth embedding_health(const at::Tensor& first_NC, const at::Tensor& second_NC) {
  require(first_NC.dim() == 2 && first_NC.sizes() == second_NC.sizes() && first_NC.size(0) >= 2,
          "embedding_health: two views of [N, C], N at least 2, expected; found [{}] and [{}]",
          fmt::join(first_NC.sizes(), ", "), fmt::join(second_NC.sizes(), ", "));
  const at::NoGradGuard no_grad;
  const at::Tensor x_NC = first_NC.to(at::kDouble), y_NC = second_NC.to(at::kDouble);
  return {(x_NC - y_NC).square().sum(1).mean(), (uniformity(x_NC) + uniformity(y_NC)) / 2.0,
          (deviation(x_NC) + deviation(y_NC)) / 2.0};
}

}  // namespace invaria::objective
