#include "downstream/similarity.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

constexpr double kLeastVariance = 1e-6;  // of the largest
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double mean_cosine(const at::Tensor& a_BD, const at::Tensor& b_BD) {
  const at::Tensor product_B = (a_BD * b_BD).sum(1);
  const at::Tensor norms_B = a_BD.norm(2, 1) * b_BD.norm(2, 1);
  const at::Tensor alike_B = (a_BD == b_BD).all(1).to(at::kDouble);
  return at::where(norms_B > 0, product_B / norms_B, alike_B).mean().item<double>();
}

}  // namespace

Whitening::Whitening(const at::Tensor& features_BD) {
  require(features_BD.dim() == 2 && features_BD.size(0) >= 2 && features_BD.scalar_type() == at::kDouble,
          "Whitening: expected double features [B, D] of at least two pictures");
  mean_D_ = features_BD.mean(0);
  const at::Tensor centred_BD = features_BD - mean_D_;
  const at::Tensor covariance_DD = centred_BD.t().mm(centred_BD) / static_cast<double>(features_BD.size(0) - 1);
  const auto [variances_D, directions_DD] = at::linalg_eigh(covariance_DD);
  const double largest = variances_D.max().item<double>();
  const at::Tensor kept_R = (variances_D > std::max(kLeastVariance * largest, 0.0)).nonzero().squeeze(1);
  root_DR_ = directions_DD.index_select(1, kept_R) / variances_D.index_select(0, kept_R).sqrt();
}

at::Tensor Whitening::apply(const at::Tensor& features_BD) const {
  return (features_BD - mean_D_).mm(root_DR_);
}

int64_t Whitening::directions() const {
  return root_DR_.size(1);
}

FeatureSimilarity::FeatureSimilarity(const at::Tensor& features_BD, const at::Tensor& fitted_BD)
    : features_BD_(features_BD), whitening_(fitted_BD), white_BR_(whitening_.apply(features_BD)) {}

std::array<double, kSimilarityCount> FeatureSimilarity::to(const at::Tensor& transformed_BD) const {
  require(features_BD_.sizes() == transformed_BD.sizes(), "FeatureSimilarity: features of {} and {} pictures",
          features_BD_.size(0), transformed_BD.size(0));
  if (directions() == 0) return {mean_cosine(features_BD_, transformed_BD), kNaN, kNaN};
  const at::Tensor transformed_BR = whitening_.apply(transformed_BD);
  return {mean_cosine(features_BD_, transformed_BD), mean_cosine(white_BR_, transformed_BR),
          (white_BR_ - transformed_BR).norm(2, 1).mean().item<double>()};
}

}  // namespace invaria::downstream
