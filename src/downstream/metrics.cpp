#include "downstream/metrics.hpp"

#include <ATen/ATen.h>

#include <map>

#include "core/errors.hpp"
#include "io/records.hpp"

namespace invaria::downstream {
namespace {

void require_labels(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  require(labels_B.defined() && scores_BC.dim() == 2 && labels_B.dim() == 1 && scores_BC.size(0) == labels_B.size(0) &&
              labels_B.size(0) > 0,
          "metrics: scores and labels disagree");
}

void require_targets(const at::Tensor& predictions_BT, const at::Tensor& targets_BT) {
  require(targets_BT.defined() && targets_BT.dim() == 2 && predictions_BT.sizes() == targets_BT.sizes(),
          "metrics: predictions and targets differ in shape");
}

at::Tensor hits_B(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  require_labels(scores_BC, labels_B);
  return scores_BC.argmax(1).eq(labels_B).to(at::kDouble);
}

at::Tensor hits_of_five_B(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  require_labels(scores_BC, labels_B);
  // The label's place: how many classes come before it.
  const at::Tensor own_B1 = scores_BC.gather(1, labels_B.unsqueeze(1));
  const at::Tensor is_smaller_BC = at::arange(scores_BC.size(1), at::kLong).lt(labels_B.unsqueeze(1));
  const at::Tensor before_BC = scores_BC.gt(own_B1).logical_or(scores_BC.eq(own_B1).logical_and(is_smaller_BC));
  return before_BC.sum(1).lt(5).to(at::kDouble);
}

at::Tensor errors_B(const at::Tensor& predictions_BT, const at::Tensor& targets_BT, const at::Tensor& norm_B) {
  require_targets(predictions_BT, targets_BT);
  require(targets_BT.size(1) % 2 == 0 && norm_B.defined() && norm_B.size(0) == targets_BT.size(0),
          "nme: {} targets, expected x and y of each keypoint, and a norm a sample", targets_BT.size(1));
  const at::Tensor distance_BP =
      (predictions_BT - targets_BT).reshape({targets_BT.size(0), -1, 2}).square().sum(2).sqrt();
  return distance_BP.mean(1) / norm_B;
}

at::Tensor areas_B(const at::Tensor& left, const at::Tensor& top, const at::Tensor& right, const at::Tensor& bottom) {
  return (right - left).clamp_min(0) * (bottom - top).clamp_min(0);
}

at::Tensor overlaps_B(const at::Tensor& predictions_B4, const at::Tensor& targets_B4) {
  require_targets(predictions_B4, targets_B4);
  require(targets_B4.size(1) == 4, "box_iou: {} targets, expected left, top, right, bottom", targets_B4.size(1));
  const std::vector<at::Tensor> p = predictions_B4.unbind(1), t = targets_B4.unbind(1);
  const at::Tensor shared_B =
      areas_B(at::max(p[0], t[0]), at::max(p[1], t[1]), at::min(p[2], t[2]), at::min(p[3], t[3]));
  const at::Tensor all_B = areas_B(p[0], p[1], p[2], p[3]) + areas_B(t[0], t[1], t[2], t[3]) - shared_B;
  return at::where(all_B.gt(0), shared_B / all_B, at::zeros_like(all_B));
}

/// The metrics that are means of something of each sample: what; undefined for the others.
at::Tensor of_each_sample(Metric metric, const at::Tensor& scores_BC, const Truth& truth) {
  switch (metric) {
    case Metric::kTop1:
      return hits_B(scores_BC, truth.labels_B);
    case Metric::kTop5:
      return hits_of_five_B(scores_BC, truth.labels_B);
    case Metric::kNme:
      return errors_B(scores_BC, truth.targets_BT, truth.norm_B);
    case Metric::kBoxIou:
      return overlaps_B(scores_BC, truth.targets_BT);
    default:
      return {};
  }
}

at::Tensor weighted_mean_per_class(const at::Tensor& scores_BC, const at::Tensor& labels_B,
                                   const at::Tensor& weight_RB) {
  const at::Tensor none_RC = at::zeros({weight_RB.size(0), scores_BC.size(1)}, at::kDouble);
  const at::Tensor count_RC = none_RC.index_add(1, labels_B, weight_RB);
  const at::Tensor right_RC = none_RC.index_add(1, labels_B, weight_RB * hits_B(scores_BC, labels_B));
  const at::Tensor share_RC = right_RC / count_RC.clamp_min(1e-300);
  return share_RC.sum(1) / count_RC.gt(0).sum(1);
}

/// 1 - residual / total, averaged over coordinates; a total of 0 as scikit-learn has it.
at::Tensor determination(const at::Tensor& residual_RT, const at::Tensor& total_RT) {
  const at::Tensor when_constant = residual_RT.eq(0).to(at::kDouble);
  return at::where(total_RT.gt(0), 1.0 - residual_RT / total_RT, when_constant).mean(1);
}

at::Tensor weighted_r2(const at::Tensor& predictions_BT, const at::Tensor& targets_BT, const at::Tensor& weight_RB) {
  require_targets(predictions_BT, targets_BT);
  const at::Tensor centred_BT = targets_BT - targets_BT.mean(0);  // sums of squares about 0 would cancel
  const at::Tensor n_R1 = weight_RB.sum(1, true);
  const at::Tensor mean_RT = at::mm(weight_RB, centred_BT) / n_R1;
  const at::Tensor total_RT = at::mm(weight_RB, centred_BT.square()) - n_R1 * mean_RT.square();
  return determination(at::mm(weight_RB, (predictions_BT - targets_BT).square()), total_RT);
}

at::Tensor weighted_r2_flat(const at::Tensor& predictions_BT, const at::Tensor& targets_BT,
                            const at::Tensor& weight_RB) {
  require_targets(predictions_BT, targets_BT);
  const at::Tensor centred_BT = targets_BT - targets_BT.mean();
  const at::Tensor n_R1 = weight_RB.sum(1, true) * targets_BT.size(1);
  const at::Tensor mean_R1 = at::mm(weight_RB, centred_BT.sum(1, true)) / n_R1;
  const at::Tensor total_R1 = at::mm(weight_RB, centred_BT.square().sum(1, true)) - n_R1 * mean_R1.square();
  return determination(at::mm(weight_RB, (predictions_BT - targets_BT).square().sum(1, true)), total_R1);
}

/// Average precision of one attribute, [R]; NaN where no sample has it.
at::Tensor weighted_average_precision(const at::Tensor& score_B, const at::Tensor& attribute_B,
                                      const at::Tensor& weight_RB) {
  const auto [sorted_B, order_B] = score_B.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const at::Tensor weight_sorted_RB = weight_RB.index_select(1, order_B);
  const at::Tensor chosen_RB = weight_sorted_RB.cumsum(1);
  const at::Tensor right_RB = (weight_sorted_RB * attribute_B.index_select(0, order_B)).cumsum(1);
  // A threshold lies behind the last of equal scores.
  const int64_t n = sorted_B.size(0);
  const at::Tensor is_last_B =
      at::cat({sorted_B.narrow(0, 0, n - 1).ne(sorted_B.narrow(0, 1, n - 1)), at::ones({1}, at::kBool)});
  const at::Tensor last = is_last_B.nonzero().flatten();
  const at::Tensor right_RG = right_RB.index_select(1, last);
  const at::Tensor precision_RG = right_RG / chosen_RB.index_select(1, last).clamp_min(1e-300);
  const at::Tensor step_RG = at::diff(right_RG, 1, 1, at::zeros({right_RG.size(0), 1}, at::kDouble));
  return (step_RG * precision_RG).sum(1) / right_RB.select(1, n - 1);
}

at::Tensor weighted_map(const at::Tensor& scores_BA, const at::Tensor& attributes_BA, const at::Tensor& weight_RB) {
  require_targets(scores_BA, attributes_BA);
  std::vector<at::Tensor> precisions;
  for (int64_t attribute = 0; attribute < attributes_BA.size(1); ++attribute) {
    precisions.push_back(
        weighted_average_precision(scores_BA.select(1, attribute), attributes_BA.select(1, attribute), weight_RB));
  }
  return at::nanmean(at::stack(precisions, 1), 1);
}

}  // namespace

bool less_is_better(Metric metric) {
  return io::less_is_better(config::name_of(metric));
}

double top1(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  return hits_B(scores_BC, labels_B).mean().item<double>();
}

double top5(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  return hits_of_five_B(scores_BC, labels_B).mean().item<double>();
}

double mean_per_class(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  const at::Tensor right_C = at::bincount(labels_B, hits_B(scores_BC, labels_B), scores_BC.size(1));
  const at::Tensor count_C = at::bincount(labels_B, {}, scores_BC.size(1)).to(at::kDouble);
  const at::Tensor occurs_C = count_C.gt(0);
  return right_C.masked_select(occurs_C).div(count_C.masked_select(occurs_C)).mean().item<double>();
}

double r2(const at::Tensor& predictions_BT, const at::Tensor& targets_BT) {
  require_targets(predictions_BT, targets_BT);
  const at::Tensor residual_1T = (predictions_BT - targets_BT).square().sum(0, true);
  const at::Tensor total_1T = (targets_BT - targets_BT.mean(0)).square().sum(0, true);
  return determination(residual_1T, total_1T).item<double>();
}

double r2_flat(const at::Tensor& predictions_BT, const at::Tensor& targets_BT) {
  return r2(predictions_BT.reshape({-1, 1}), targets_BT.reshape({-1, 1}));
}

double nme(const at::Tensor& predictions_BT, const at::Tensor& targets_BT, const at::Tensor& norm_B) {
  return errors_B(predictions_BT, targets_BT, norm_B).mean().item<double>();
}

double box_iou(const at::Tensor& predictions_B4, const at::Tensor& targets_B4) {
  return overlaps_B(predictions_B4, targets_B4).mean().item<double>();
}

double mean_average_precision(const at::Tensor& scores_BA, const at::Tensor& attributes_BA) {
  return weighted_map(scores_BA, attributes_BA, at::ones({1, scores_BA.size(0)}, at::kDouble)).item<double>();
}

std::pair<at::Tensor, Truth> by_sound(const at::Tensor& scores_BC, const Truth& truth) {
  if (!truth.sounds_B.defined()) return {scores_BC, truth};
  require(truth.sounds_B.size(0) == scores_BC.size(0), "by_sound: sounds of {} samples for {}", truth.sounds_B.size(0),
          scores_BC.size(0));
  // Sounds numbered in the order of their first parts.
  std::map<int64_t, int64_t> number_of;
  std::vector<int64_t> numbers, first;
  const at::Tensor sounds_B = truth.sounds_B.contiguous();
  for (int64_t sample = 0; sample < sounds_B.size(0); ++sample) {
    const auto [found, is_new] =
        number_of.emplace(sounds_B.const_data_ptr<int64_t>()[sample], static_cast<int64_t>(number_of.size()));
    numbers.push_back(found->second);
    if (is_new) first.push_back(sample);
  }
  const at::Tensor number_B = at::tensor(numbers, at::kLong), first_S = at::tensor(first, at::kLong);
  const auto n = static_cast<int64_t>(first.size());
  const auto summed = [&](const at::Tensor& values_BC) {
    return at::zeros({n, values_BC.size(1)}, at::kDouble).index_add(0, number_B, values_BC.to(at::kDouble));
  };
  const auto mean = [&](const at::Tensor& values_BC) {
    return summed(values_BC) / number_B.bincount({}, n).to(at::kDouble).unsqueeze(1);
  };
  Truth of_sounds;
  if (truth.labels_B.defined()) of_sounds.labels_B = truth.labels_B.index_select(0, first_S);
  if (truth.targets_BT.defined()) of_sounds.targets_BT = truth.targets_BT.index_select(0, first_S);
  if (truth.norm_B.defined()) of_sounds.norm_B = truth.norm_B.index_select(0, first_S);
  if (!truth.labels_B.defined()) return {mean(scores_BC), of_sounds};
  const at::Tensor votes_BC = at::one_hot(scores_BC.argmax(1), scores_BC.size(1));
  return {summed(votes_BC) + 0.5 * mean(scores_BC.softmax(1)), of_sounds};
}

double evaluate(Metric metric, const at::Tensor& scores, const Truth& of_samples) {
  const auto [scores_BC, truth] = by_sound(scores, of_samples);
  switch (metric) {
    case Metric::kMeanPerClass:
      return mean_per_class(scores_BC, truth.labels_B);
    case Metric::kR2:
      return r2(scores_BC, truth.targets_BT);
    case Metric::kR2Flat:
      return r2_flat(scores_BC, truth.targets_BT);
    case Metric::kMap:
      return mean_average_precision(scores_BC, truth.targets_BT);
    default:
      return of_each_sample(metric, scores_BC, truth).mean().item<double>();
  }
}

at::Tensor evaluate_weighted(Metric metric, const at::Tensor& scores_BC, const Truth& truth,
                             const at::Tensor& weight_RB) {
  require(weight_RB.dim() == 2 && weight_RB.size(1) == scores_BC.size(0),
          "evaluate_weighted: weights of {} samples for {}", weight_RB.size(-1), scores_BC.size(0));
  switch (metric) {
    case Metric::kMeanPerClass:
      return weighted_mean_per_class(scores_BC, truth.labels_B, weight_RB);
    case Metric::kR2:
      return weighted_r2(scores_BC, truth.targets_BT, weight_RB);
    case Metric::kR2Flat:
      return weighted_r2_flat(scores_BC, truth.targets_BT, weight_RB);
    case Metric::kMap:
      return weighted_map(scores_BC, truth.targets_BT, weight_RB);
    default:
      return at::mv(weight_RB, of_each_sample(metric, scores_BC, truth)) / weight_RB.sum(1);
  }
}

at::Tensor keypoint_norms(const at::Tensor& targets_BT, const std::vector<int64_t>& points) {
  require(targets_BT.dim() == 2 && targets_BT.size(1) % 2 == 0 && (points.empty() || points.size() == 2),
          "keypoint_norms: {} targets and {} points, expected x and y of each keypoint, and none or two points",
          targets_BT.size(1), points.size());
  const at::Tensor points_BP2 = targets_BT.reshape({targets_BT.size(0), targets_BT.size(1) / 2, 2});
  if (points.empty()) {
    const at::Tensor extent_B2 = points_BP2.amax(1) - points_BP2.amin(1);
    return extent_B2.prod(1).sqrt();
  }
  return (points_BP2.select(1, points[0]) - points_BP2.select(1, points[1])).square().sum(1).sqrt();
}

}  // namespace invaria::downstream
