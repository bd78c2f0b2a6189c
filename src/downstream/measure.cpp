#include "downstream/measure.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "downstream/learned_invariance.hpp"

namespace invaria::downstream {
namespace {

constexpr int64_t kBatch = 256;  // pictures transformed at a time

at::Tensor features_of_transformed(const FeaturesOf& features_of, const at::Tensor& images_BCHW,
                                   Transformation transformation, double strength) {
  std::vector<at::Tensor> features;
  for (const at::Tensor& batch : images_BCHW.split(kBatch))
    features.push_back(features_of(transform(batch, transformation, strength)));
  return at::cat(features).to(at::kDouble);
}

}  // namespace

std::vector<Transformation> all_transformations() {
  std::vector<Transformation> all;
  for (const auto& [transformation, name] : config::EnumNames<Transformation>::kNames) all.push_back(transformation);
  return all;
}

void MeasureSettings::validate(const std::string& path, config::Problems& problems) const {
  const std::string where = config::join_path(path, "transformations");
  if (transformations.empty()) problems.add(where, "[]", "at least one transformation");
  if (std::set(transformations.begin(), transformations.end()).size() != transformations.size())
    problems.add(where, config::excerpt(config::write(transformations)), "each transformation once");
  if (along_i == 1) problems.add(config::join_path(path, "along_i"), "1", "0, or at least 2: the ends of each axis");
}

int64_t images_measured(const MeasureSettings& settings, int64_t available) {
  int64_t passes = 1;  // of the pictures as they are
  for (const Transformation transformation : settings.transformations)
    passes += std::ssize(strengths(transformation, settings.strengths));
  const auto there = [&](int64_t wanted) { return available > 0 ? std::min(wanted, available) : wanted; };
  return passes * there(settings.images) + there(std::max(settings.whitening_images, settings.images));
}

std::vector<SimilarityCurve> similarity_curves(const FeaturesOf& features_of, const at::Tensor& images_BCHW,
                                               const at::Tensor& fitted_ND, const MeasureSettings& settings,
                                               const std::function<bool()>& stop_requested) {
  const FeatureSimilarity similarity(features_of(images_BCHW).to(at::kDouble), fitted_ND.to(at::kDouble));
  std::vector<SimilarityCurve> curves;
  for (const Transformation transformation : settings.transformations) {
    const size_t first = curves.size();
    for (const auto& [kind, name] : config::EnumNames<Similarity>::kNames) {
      curves.push_back(
          {transformation, kind, strengths(transformation, settings.strengths), {}, similarity.directions()});
    }
    for (const double strength : curves[first].strengths) {
      if (stop_requested()) throw StoppedError("stopped while measuring");
      const auto alike = similarity.to(features_of_transformed(features_of, images_BCHW, transformation, strength));
      for (size_t kind = 0; kind < alike.size(); ++kind) curves[first + kind].values.push_back(alike[kind]);
    }
  }
  return curves;
}

}  // namespace invaria::downstream
