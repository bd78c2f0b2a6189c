#pragma once
/// @file
/// Percentile bootstrap over a test set's samples (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
/// Ch. 13): how far a metric of this readout would move with other test samples. Not over trainings: those are the
/// repeats and encoder seeds.

#include "downstream/metrics.hpp"

namespace invaria::downstream {

/// Ends of a 95 % interval; NaN where there is none.
struct Interval {
  double low;
  double high;
};

/// How often resample r = first, ..., first + count - 1 holds each of n samples: [count, n] double, rows sum to n.
/// Addressed by (seed, resample).
at::Tensor resample_weights(int64_t n, int64_t first, int64_t count, uint64_t seed);

/// The 2.5th and 97.5th percentile (linear between values) of a metric over `resamples` resamples with replacement,
/// paired: all metrics and arms on sets of one size see the same resamples. Parts of sounds are judged and drawn
/// by_sound(). Resamples in which the metric is not
/// defined are left out; NaN with fewer than two.
Interval bootstrap_interval(Metric metric, const at::Tensor& scores_BC, const Truth& truth, int64_t resamples,
                            uint64_t seed);

/// Standard error of the difference of a metric between two predictions of one set: its standard deviation over paired
/// resamples (ibid., Ch. 6). 0 with fewer than two resamples in which both are defined.
double difference_standard_error(Metric metric, const at::Tensor& a_BC, const at::Tensor& b_BC, const Truth& truth,
                                 int64_t resamples, uint64_t seed);

/// Percentile `share` in [0, 1] of sorted values, linear between them (NumPy's default).
double percentile(const std::vector<double>& sorted, double share);

}  // namespace invaria::downstream
