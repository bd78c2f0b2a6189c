#include "downstream/metrics.hpp"

#include <ATen/ATen.h>

#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

at::Tensor hits_B(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  require(scores_BC.dim() == 2 && labels_B.dim() == 1 && scores_BC.size(0) == labels_B.size(0) && labels_B.size(0) > 0,
          "metrics: scores and labels disagree: {} rows and {} labels", scores_BC.size(0), labels_B.numel());
  return scores_BC.argmax(1).eq(labels_B).to(at::kDouble);
}

}  // namespace

double top1(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  return hits_B(scores_BC, labels_B).mean().item<double>();
}

double mean_per_class(const at::Tensor& scores_BC, const at::Tensor& labels_B) {
  const at::Tensor right_C = at::bincount(labels_B, hits_B(scores_BC, labels_B), scores_BC.size(1));
  const at::Tensor count_C = at::bincount(labels_B, {}, scores_BC.size(1)).to(at::kDouble);
  const at::Tensor occurs_C = count_C.gt(0);
  return right_C.masked_select(occurs_C).div(count_C.masked_select(occurs_C)).mean().item<double>();
}

double r2(const at::Tensor& predictions_BT, const at::Tensor& targets_BT) {
  require(predictions_BT.sizes() == targets_BT.sizes() && targets_BT.dim() == 2,
          "r2: predictions and targets differ in shape");
  const at::Tensor residual_T = (predictions_BT - targets_BT).square().sum(0);
  const at::Tensor total_T = (targets_BT - targets_BT.mean(0)).square().sum(0);
  return (1.0 - residual_T / total_T).mean().item<double>();
}

double r2_flat(const at::Tensor& predictions_BT, const at::Tensor& targets_BT) {
  return r2(predictions_BT.reshape({-1, 1}), targets_BT.reshape({-1, 1}));
}

}  // namespace invaria::downstream
