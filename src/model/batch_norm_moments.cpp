#include "model/batch_norm_moments.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/sha256.hpp"

namespace invaria::model {

MatrixSize matrix_size(const at::Tensor& x) {
  return {x.numel() / x.size(1), x.size(1)};
}

at::Tensor rows_of(const at::Tensor& x, RowRange rows) {
  return x.defined() ? x.narrow(0, rows.first, rows.count) : x;
}

namespace {

/// Of one group of rows, G = 1; of no rows at all: zeros.
Moments moments_of_rows(const at::Tensor& x) {
  const MatrixSize size = matrix_size(x);
  const auto options = x.options().dtype(at::kDouble);
  const at::Tensor count_G1 = at::full({1, 1}, static_cast<double>(size.rows), options);
  if (size.rows == 0) return {at::zeros({1, size.columns}, options), at::zeros({1, size.columns}, options), count_G1};
  if (x.is_cuda()) {
    const auto [mean_C, invstd_C] = at::batch_norm_stats(x, kBatchNormEpsilon);
    const at::Tensor var_C = (invstd_C.to(at::kDouble).pow(-2) - kBatchNormEpsilon).clamp_min_(0);
    return {mean_C.to(at::kDouble).unsqueeze(0), var_C.unsqueeze(0), count_G1};
  }
  const at::Tensor mean_GC = at::empty({1, size.columns}, options);
  const at::Tensor squares_GC = at::empty({1, size.columns}, options);
  with_element_type(x, [&]<class T>(T) {
    column_moments(size, x.const_data_ptr<T>(), mean_GC.mutable_data_ptr<double>(),
                   squares_GC.mutable_data_ptr<double>());
  });
  return {mean_GC, squares_GC / static_cast<double>(size.rows), count_G1};
}

Moments local_moments(const at::Tensor& x, const std::vector<RowRange>& groups) {
  std::vector<at::Tensor> means, vars, counts;
  for (const RowRange rows : groups) {
    const Moments moments = moments_of_rows(rows_of(x, rows));
    means.push_back(moments.mean_GC);
    vars.push_back(moments.var_GC);
    counts.push_back(moments.count_G1);
  }
  return {at::cat(means), at::cat(vars), at::cat(counts)};
}

/// Of the groups of all ranks. One reduction: sums, sums of squares and counts. Double, so that the difference of
/// squares costs nothing that float had.
Moments over_ranks(const Moments& local, int64_t first, int64_t total, const SumOverRanks& sum_over_ranks) {
  const int64_t n_channels = local.mean_GC.size(1);
  at::Tensor sums = at::zeros({total, 2 * n_channels + 1}, local.mean_GC.options());
  sums.narrow(0, first, local.mean_GC.size(0))
      .copy_(at::cat(
          {local.mean_GC * local.count_G1, (local.var_GC + local.mean_GC.square()) * local.count_G1, local.count_G1},
          1));
  sum_over_ranks(sums);
  const at::Tensor count_G1 = sums.narrow(1, 2 * n_channels, 1);
  const at::Tensor mean_GC = sums.narrow(1, 0, n_channels) / count_G1;
  const at::Tensor var_GC = (sums.narrow(1, n_channels, n_channels) / count_G1 - mean_GC.square()).clamp_min_(0);
  return {mean_GC, var_GC, count_G1};
}

Moments given_moments(const at::Tensor& mean_C, const at::Tensor& var_C) {
  return {mean_C.detach().to(at::kDouble).unsqueeze(0), var_C.detach().to(at::kDouble).unsqueeze(0), {}};
}

/// As torch.nn.BatchNorm2d: momentum 0.1, unbiased variance. Of several groups the average, weighted by their rows.
void move_running_averages(const BatchNormLayer& layer, const Moments& moments) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight_G1 = moments.count_G1 / moments.count_G1.sum();
  const at::Tensor unbiased_GC = moments.var_GC * (moments.count_G1 / (moments.count_G1 - 1));
  const at::Tensor mean_C = (moments.mean_GC * weight_G1).sum(0);
  const at::Tensor var_C = (unbiased_GC * weight_G1).sum(0);
  layer.running_mean_C.lerp_(mean_C.to(layer.running_mean_C.scalar_type()), kBatchNormMomentum);
  layer.running_var_C.lerp_(var_C.to(layer.running_var_C.scalar_type()), kBatchNormMomentum);
  layer.num_batches_tracked.add_(1);
}

}  // namespace

BatchNormGroups groups_of_pass(const at::Tensor& x, const BatchNormPass& pass) {
  if (pass.groups == nullptr) return {{{0, x.size(0)}}, 0, 1, static_cast<bool>(pass.sum_over_ranks)};
  const BatchNormGroups& groups = *pass.groups;
  require(pass.is_training(), "batch_norm: groups are for training");
  int64_t next = 0;
  for (const RowRange rows : groups.local) {
    require(rows.first == next && rows.count >= 0, "batch_norm: groups leave out rows from {} on", next);
    next += rows.count;
  }
  require(next == x.size(0), "batch_norm: groups cover {} of {} rows", next, x.size(0));
  require(groups.first >= 0 && groups.first + static_cast<int64_t>(groups.local.size()) <= groups.total,
          "batch_norm: groups {} to {} of {}", groups.first, groups.first + static_cast<int64_t>(groups.local.size()),
          groups.total);
  return groups;
}

Moments moments_of_pass(const at::Tensor& x, const BatchNormLayer& layer, size_t layer_index, const BatchNormPass& pass,
                        const BatchNormGroups& groups) {
  using Mode = BatchNormPass::Mode;
  if (pass.mode == Mode::kRunning) return given_moments(layer.running_mean_C, layer.running_var_C);
  if (pass.mode == Mode::kGiven) {
    require(pass.given != nullptr && layer_index < pass.given->mean_C.size() && layer_index < pass.given->var_C.size(),
            "batch_norm: no given statistics for layer {}", layer_index);
    return given_moments(pass.given->mean_C[layer_index].to(x.device()), pass.given->var_C[layer_index].to(x.device()));
  }

  const at::NoGradGuard no_grad;
  const bool is_shared = pass.is_training() && pass.sum_over_ranks;
  for (const RowRange rows : groups.local) {
    require(groups.is_split || rows.count * (x.numel() / (x.size(0) * x.size(1))) > 1,
            "batch_norm: batch statistics of one number a channel (layer {})", layer_index);
  }
  const Moments local = local_moments(x, groups.local);
  if (pass.is_training()) {
    const Moments all = is_shared ? over_ranks(local, groups.first, groups.total, pass.sum_over_ranks) : local;
    move_running_averages(layer, all);
    return is_shared ? all.groups(groups.first, static_cast<int64_t>(groups.local.size())) : local;
  }
  require(pass.collected != nullptr && !pass.collected->empty() && layer_index < pass.collected->back().mean_C.size(),
          "batch_norm: kCollect without a place for layer {}", layer_index);
  pass.collected->back().mean_C[layer_index] = local.mean_GC.squeeze(0).to(layer_type(x));
  pass.collected->back().var_C[layer_index] = local.var_GC.squeeze(0).to(layer_type(x));
  return local;
}

BatchNormGroups groups_of_size(int64_t size, std::span<const RowRange> rows_of_ranks, size_t rank) {
  require(size >= 1 && rank < rows_of_ranks.size(), "groups_of_size: groups of {}, rank {} of {}", size, rank,
          rows_of_ranks.size());
  BatchNormGroups groups;
  int64_t next = 0;
  for (const RowRange rows : rows_of_ranks) {
    require(rows.first == next && rows.count >= 0, "groups_of_size: ranks leave out rows from {} on", next);
    next += rows.count;
    groups.is_split |= next % size != 0 && &rows != &rows_of_ranks.back();
  }
  groups.total = (next + size - 1) / size;
  const RowRange own = rows_of_ranks[rank];
  groups.first = std::min(own.first / size, groups.total);
  for (int64_t row = own.first; row < own.first + own.count;) {
    const int64_t end = std::min((row / size + 1) * size, own.first + own.count);
    groups.local.push_back({row - own.first, end - row});
    row = end;
  }
  return groups;
}

std::string BatchNormStatistics::hash() const {
  Sha256 sha;
  for (const std::vector<at::Tensor>* tensors : {&mean_C, &var_C}) {
    for (const at::Tensor& tensor : *tensors) {
      const at::Tensor bytes = tensor.to(at::kCPU, at::kFloat).contiguous();
      sha.update(fmt::format("[{}]", bytes.numel()));
      sha.update(std::as_bytes(std::span(bytes.const_data_ptr<float>(), static_cast<size_t>(bytes.numel()))));
    }
  }
  return sha.hex();
}

}  // namespace invaria::model
