#pragma once
/// @file
/// How good predictions are, over a whole set at once: fractions in [0, 1], but r2 may be negative and nme above 1.
///
/// Shape legend: B samples, C classes, T targets (A attributes, or 2 P coordinates of P points), R resamples.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/setting.hpp"

namespace invaria::downstream {

enum class Metric { kTop1, kTop5, kMeanPerClass, kR2, kR2Flat, kNme, kBoxIou, kMap };

/// Whether the metric is an error: less is better.
bool less_is_better(Metric metric);

/// What a set says, to hold predictions against.
struct Truth {
  at::Tensor labels_B;    ///< int64 [B], of classes
  at::Tensor targets_BT;  ///< double [B, T], of numbers and attributes (0 or 1)
  at::Tensor norm_B;      ///< double [B], what nme divides each sample's errors by; of keypoints
  at::Tensor sounds_B;    ///< int64 [B], of which sound each sample is a part; undefined where none has parts
};

/// Share of rows whose largest score is at the label.
double top1(const at::Tensor& scores_BC, const at::Tensor& labels_B);
/// Share of rows whose label is among the five largest scores; of equal scores, those of smaller classes come first.
double top5(const at::Tensor& scores_BC, const at::Tensor& labels_B);
/// Mean over the classes that occur of the share of their samples that are right.
double mean_per_class(const at::Tensor& scores_BC, const at::Tensor& labels_B);
/// Coefficient of determination, 1 - residual / total sum of squares, per coordinate over the whole set, averaged over
/// coordinates. As in scikit-learn, a coordinate that is constant in the set counts 1 if predicted exactly, else 0.
double r2(const at::Tensor& predictions_BT, const at::Tensor& targets_BT);
/// The same over all coordinates flattened into one list, as the paper's code has it: a constant pose already scores
/// well.
double r2_flat(const at::Tensor& predictions_BT, const at::Tensor& targets_BT);
/// Normalised mean error of keypoints (x, y, x, y, ...): the distance between predicted and true point over the
/// sample's norm (keypoint_norms()), averaged over points and samples.
double nme(const at::Tensor& predictions_BT, const at::Tensor& targets_BT, const at::Tensor& norm_B);
/// Mean over samples of intersection over union of boxes (left, top, right, bottom). A predicted box of no area has 0.
double box_iou(const at::Tensor& predictions_B4, const at::Tensor& targets_B4);
/// Mean over attributes of the average precision, sum over thresholds of (recall step) x precision, without
/// interpolation (scikit-learn's average_precision_score). Attributes that no sample has are left out; NaN if none is
/// left.
double mean_average_precision(const at::Tensor& scores_BA, const at::Tensor& attributes_BA);

/// What is judged of samples that are parts of sounds: each sound once. Its score of a class is the parts whose largest
/// score is there (a majority vote) and, to part equal votes, half the mean of their softmaxes; its predicted targets
/// are the mean of its parts'. Sounds are in the order of their first parts. Without parts: the same as came in.
std::pair<at::Tensor, Truth> by_sound(const at::Tensor& scores_BC, const Truth& truth);

/// Any of these, of parts by_sound(). @throws PreconditionError if shapes disagree or `truth` lacks what the metric
/// asks for
double evaluate(Metric metric, const at::Tensor& scores_BC, const Truth& truth);

/// A metric of many weightings of one set at once; parts are samples here.
/// @param weight_RB  double [R, B], at least 0: how often each sample counts
/// @return double [R]; what evaluate() would give with every sample repeated as often as its weight says
at::Tensor evaluate_weighted(Metric metric, const at::Tensor& scores_BC, const Truth& truth,
                             const at::Tensor& weight_RB);

/// What nme divides by: the distance between two true points where `points` names them (such as the outer corners of
/// the eyes), else sqrt(width x height) of the box around the true points (arXiv:1703.07332).
/// @param points  empty, or two indices of keypoints
at::Tensor keypoint_norms(const at::Tensor& targets_BT, const std::vector<int64_t>& points);

}  // namespace invaria::downstream

template <>
struct invaria::config::EnumNames<invaria::downstream::Metric> {
  using enum invaria::downstream::Metric;
  static constexpr std::array<std::pair<invaria::downstream::Metric, const char*>, 8> kNames{
      {{kTop1, "top1"},
       {kTop5, "top5"},
       {kMeanPerClass, "mean_per_class"},
       {kR2, "r2"},
       {kR2Flat, "r2_flat"},
       {kNme, "nme"},
       {kBoxIou, "box_iou"},
       {kMap, "map"}}};
};
