#pragma once
/// @file
/// How good predictions are, as fractions in [0, 1] (r2 may be negative), over a whole set at once.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "config/setting.hpp"

namespace invaria::downstream {

enum class Metric { kTop1, kMeanPerClass, kR2, kR2Flat };

/// Share of rows whose largest score is at the label.
double top1(const at::Tensor& scores_BC, const at::Tensor& labels_B);
/// Mean over the classes that occur of the share of their samples that are right.
double mean_per_class(const at::Tensor& scores_BC, const at::Tensor& labels_B);
/// Coefficient of determination, 1 - residual / total sum of squares, per coordinate over the whole set, averaged over
/// coordinates.
double r2(const at::Tensor& predictions_BT, const at::Tensor& targets_BT);
/// The same over all coordinates flattened into one list, as the paper's code has it: a constant pose already scores
/// well.
double r2_flat(const at::Tensor& predictions_BT, const at::Tensor& targets_BT);

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::Metric> {
  using enum invaria::downstream::Metric;
  static constexpr std::array<std::pair<invaria::downstream::Metric, const char*>, 4> kNames{
      {{kTop1, "top1"}, {kMeanPerClass, "mean_per_class"}, {kR2, "r2"}, {kR2Flat, "r2_flat"}}};
};
