#include "downstream/bootstrap.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::downstream {

at::Tensor resample_weights(int64_t n, int64_t first, int64_t count, uint64_t seed) {
  at::Tensor weight_RB = at::zeros({count, n}, at::kDouble);
  double* weights = weight_RB.mutable_data_ptr<double>();
  for (int64_t resample = 0; resample < count; ++resample, weights += n) {
    Draws draws({.seed = seed, .purpose = Purpose::kBootstrap, .sample = static_cast<uint64_t>(first + resample)});
    for (int64_t draw = 0; draw < n; ++draw) weights[draws.below(n)] += 1.0;
  }
  return weight_RB;
}

double percentile(const std::vector<double>& sorted, double share) {
  require(!sorted.empty() && share >= 0.0 && share <= 1.0, "percentile: {} of {} values", share, sorted.size());
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

namespace {

/// A metric in every resample, NaN where it is not defined: [resamples].
at::Tensor resampled(Metric metric, const at::Tensor& scores, const Truth& of_samples, int64_t resamples,
                     uint64_t seed) {
  constexpr int64_t kAtOnce = 50;  // 50 weightings of 50,000 samples are 20 MB
  const at::NoGradGuard no_grad;
  const auto [scores_BC, truth] = by_sound(scores, of_samples);
  at::Tensor value_R = at::empty({resamples}, at::kDouble);
  for (int64_t first = 0; first < resamples; first += kAtOnce) {
    const int64_t count = std::min(kAtOnce, resamples - first);
    value_R.narrow(0, first, count)
        .copy_(evaluate_weighted(metric, scores_BC, truth, resample_weights(scores_BC.size(0), first, count, seed)));
  }
  return value_R;
}

std::vector<double> finite(const at::Tensor& value_R) {
  std::vector<double> values(value_R.const_data_ptr<double>(), value_R.const_data_ptr<double>() + value_R.numel());
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  return values;
}

}  // namespace

Interval bootstrap_interval(Metric metric, const at::Tensor& scores_BC, const Truth& truth, int64_t resamples,
                            uint64_t seed) {
  std::vector<double> values = finite(resampled(metric, scores_BC, truth, resamples, seed));
  if (values.size() < 2) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.025), percentile(values, 0.975)};
}

double difference_standard_error(Metric metric, const at::Tensor& a_BC, const at::Tensor& b_BC, const Truth& truth,
                                 int64_t resamples, uint64_t seed) {
  const std::vector<double> differences =
      finite(resampled(metric, a_BC, truth, resamples, seed) - resampled(metric, b_BC, truth, resamples, seed));
  if (differences.size() < 2) return 0.0;
  return at::tensor(differences, at::kDouble).std().item<double>();
}

}  // namespace invaria::downstream
