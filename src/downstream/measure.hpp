#pragma once
/// @file
/// The invariance of an encoder at one i: how alike features stay under known transformations (arXiv:2302.12712, figure
/// 1; arXiv:2111.11398).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "downstream/similarity.hpp"
#include "downstream/transformations.hpp"

namespace invaria::downstream {

std::vector<Transformation> all_transformations();

/// What `invaria measure` measures.
struct MeasureSettings {
  std::string data;  ///< empty: `invaria measure` must be told
  std::string split = "test";
  int64_t images = 1000;
  int64_t whitening_images = 10000;
  int64_t strengths = 256;
  int64_t along_i = 5;
  std::vector<Transformation> transformations = all_transformations();

  static auto settings() {
    using S = MeasureSettings;
    using config::between;
    using config::setting;
    return std::tuple{
        setting("data", &S::data, "data set of the held-out pictures"),
        setting("split", &S::split, "its split"),
        setting("images", &S::images, "pictures to average over, or all that there are", between(3, 1e6)),
        setting("whitening_images", &S::whitening_images,
                "pictures that mean and covariance of features are taken from, or all that there are, the measured "
                "ones among them: several times as many as features, lest directions be fitted to the pictures",
                between(3, 1e7)),
        setting("strengths", &S::strengths, "of each transformation; flip and grayscale have one", between(1, 1e5)),
        setting("along_i", &S::along_i,
                "values from 0 to 1 that each coordinate of i takes while the others are 1, beside the corners of "
                "pretraining; 0: the corners alone",
                between(0, 1e3)),
        setting("transformations", &S::transformations, "what is done to the pictures"),
    };
  }
  /// At least one transformation, each once; not a single step along i.
  void validate(const std::string& path, config::Problems& problems) const;
};

/// Pictures that measuring one encoder at one i sends through it. @param available  in the split; 0: enough
int64_t images_measured(const MeasureSettings& settings, int64_t available);

/// One kind of similarity under one transformation, over its strengths.
struct SimilarityCurve {
  Transformation transformation = Transformation::kRotation;
  Similarity similarity = Similarity::kCosine;
  std::vector<double> strengths;
  std::vector<double> values;  ///< one a strength: mean over pictures
  int64_t directions = 0;      ///< that whitening kept of the D features
};

/// Features [B, D] of pictures [B, 3, S, S] in [0, 1].
using FeaturesOf = std::function<at::Tensor(const at::Tensor& images_BCHW)>;

/// Every kind of similarity under every transformation, between the features of pictures and of the same pictures
/// transformed.
/// @param images_BCHW     float [B, 3, S, S] in [0, 1], at least two
/// @param fitted_ND       features of the pictures that whitening is fitted on
/// @param stop_requested  asked before each transformation's strength
/// @throws StoppedError if a stop was requested
std::vector<SimilarityCurve> similarity_curves(const FeaturesOf& features_of, const at::Tensor& images_BCHW,
                                               const at::Tensor& fitted_ND, const MeasureSettings& settings,
                                               const std::function<bool()>& stop_requested);

}  // namespace invaria::downstream
