#pragma once
/// @file
/// How alike the features of pictures and of transformed pictures are, as arXiv:2111.11398 measures it: f, f' in R^D,
/// mu and Sigma the mean and covariance of the untransformed features.
///
/// Shape legend: B = pictures, D = features, R = directions that are kept.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "config/setting.hpp"

namespace invaria::downstream {

enum class Similarity {
  kCosine,          ///< cos(f, f'); 1: invariant
  kWhitenedCosine,  ///< cos of Sigma^-1/2 (f - mu) and Sigma^-1/2 (f' - mu); 1: invariant, 0: as another picture
  kMahalanobis,     ///< |Sigma^-1/2 (f - f')|; 0: invariant, about sqrt(2 R): as far as another picture
};

constexpr size_t kSimilarityCount = 3;

/// Mean and inverse root of the covariance of features. Directions whose variance is below a millionth of the largest
/// (dead features, and beyond as many as there are pictures) say nothing and are left out; of an encoder that maps all
/// pictures to one point, all.
class Whitening {
 public:
  /// @param features_BD  double; B >= 2 @throws PreconditionError if fewer
  explicit Whitening(const at::Tensor& features_BD);

  at::Tensor apply(const at::Tensor& features_BD) const;  ///< [B, R], mean 0 and covariance I over the fitted features
  int64_t directions() const;                             ///< R

 private:
  at::Tensor mean_D_;
  at::Tensor root_DR_;
};

/// Features of pictures, to be compared with those of the same pictures transformed.
class FeatureSimilarity {
 public:
  /// @param features_BD  double
  /// @param fitted_BD    what whitening is fitted on, as Whitening has it: the same pictures, and better many more
  FeatureSimilarity(const at::Tensor& features_BD, const at::Tensor& fitted_BD);

  /// Every kind of similarity in the order of `Similarity`: the mean over pictures. A feature vector of zeros is alike
  /// itself and nothing else. NaN after a whitening that left nothing. @param transformed_BD  double, rows of the same
  /// pictures @throws PreconditionError if the shape differs
  std::array<double, kSimilarityCount> to(const at::Tensor& transformed_BD) const;
  int64_t directions() const { return whitening_.directions(); }

 private:
  at::Tensor features_BD_;
  Whitening whitening_;
  at::Tensor white_BR_;
};

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::Similarity> {
  using enum invaria::downstream::Similarity;
  static constexpr std::array<std::pair<invaria::downstream::Similarity, const char*>, 3> kNames{
      {{kCosine, "cosine"}, {kWhitenedCosine, "whitened-cosine"}, {kMahalanobis, "mahalanobis"}}};
};
