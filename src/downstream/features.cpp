#include "downstream/features.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.hpp"

namespace invaria::downstream {

at::Device device_of(const model::Encoder& encoder) {
  return encoder.parameters().front().value.device();
}

at::Tensor extract_features(const model::Encoder& encoder, const model::Generated& generated,
                            const model::BatchNormPass& batch_norm, const Pictures& pictures, int64_t batch) {
  const at::NoGradGuard no_grad;
  at::Tensor features_BD = at::empty({pictures.size(), encoder.feature_dim()});
  for (int64_t first = 0; first < pictures.size(); first += batch) {
    const int64_t count = std::min(batch, pictures.size() - first);
    const at::Tensor images = pictures.range(first, count, device_of(encoder));
    features_BD.narrow(0, first, count).copy_(encoder.forward(images, generated, batch_norm));
  }
  return features_BD;
}

model::BatchNormStatistics reestimate_statistics(const model::Encoder& encoder, const model::Generated& generated,
                                                 const at::Tensor& clean_images_BCHW, int64_t batch) {
  require(clean_images_BCHW.size(0) >= 2, "reestimate_statistics: {} images, expected at least 2",
          clean_images_BCHW.size(0));
  const at::NoGradGuard no_grad;
  const int64_t n = clean_images_BCHW.size(0);
  std::vector<model::BatchNormStatistics> collected;
  std::vector<double> weight;  // share of all pictures
  for (int64_t first = 0; first < n; first += batch) {
    const int64_t size = std::min(batch, n - first);
    encoder.forward(clean_images_BCHW.narrow(0, first, size).to(device_of(encoder)), generated,
                    model::BatchNormPass::collect(collected));
    weight.push_back(static_cast<double>(size) / static_cast<double>(n));
  }
  model::BatchNormStatistics mean = collected.front();
  for (size_t layer = 0; layer < mean.mean_C.size(); ++layer) {
    mean.mean_C[layer] = weight[0] * mean.mean_C[layer];
    mean.var_C[layer] = weight[0] * mean.var_C[layer];
    for (size_t pass = 1; pass < collected.size(); ++pass) {
      mean.mean_C[layer] = mean.mean_C[layer] + weight[pass] * collected[pass].mean_C[layer];
      mean.var_C[layer] = mean.var_C[layer] + weight[pass] * collected[pass].var_C[layer];
    }
  }
  return mean;
}

void freeze(const model::Encoder& encoder) {
  for (const model::Parameter& parameter : encoder.parameters()) parameter.value.set_requires_grad(false);
}

}  // namespace invaria::downstream
