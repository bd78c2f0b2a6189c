// Rows are interleaved: picture k's views are rows 2 k and 2 k + 1, so that the positive of row r is row r xor 1, a
// rank's share is one range of rows, and one gather moves both views.
//
// Shape legend: as in nt_xent.hpp, with A = 2 n anchors of this rank and M = 2 N rows of all ranks.
//
// With s = n_ranks / (2 N), p the softmax of a row (0 at the row itself) and y one at the positive, d loss / d logits =
// s (p - y). So the gradient is made beside the loss, a tile of anchors at a time, and no [A, M] matrix ever exists:
// of a step with 65,536 rows it would take 17 GB.
#include "objective/nt_xent.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <limits>

#include "core/errors.hpp"
#include "objective/softmax_rows.hpp"

namespace invaria::objective {
namespace {

constexpr int64_t kTileValues = int64_t{1} << 18;  // logits of a tile: a MiB, so that it stays in a core's cache
constexpr int64_t kTileValuesOnGpu = int64_t{1} << 26;

int64_t anchors_of_a_tile(const at::Tensor& rows_MC, int64_t count) {
  const int64_t values = rows_MC.is_cuda() ? kTileValuesOnGpu : kTileValues * at::get_num_threads();
  return std::clamp<int64_t>(values / rows_MC.size(0), 1, std::max<int64_t>(count, 1));
}

/// What the logits of a tile's anchors come to, see RowSoftmax; they themselves become exp(logit - greatest).
struct TileSoftmax {
  at::Tensor loss;       ///< scalar, the sum over anchors
  at::Tensor n_highest;  ///< scalar
  at::Tensor total_T1;
};

/// Whatever the type and the device; the twin of the one below. @param place  of the first anchor among the candidates
TileSoftmax exponentials_slowly(at::Tensor logits_TM, int64_t place) {
  logits_TM.diagonal(place).fill_(-std::numeric_limits<double>::infinity());
  const at::Tensor positive_T1 =
      at::arange(place, place + logits_TM.size(0), logits_TM.options().dtype(at::kLong)).bitwise_xor(1).unsqueeze(1);
  const at::Tensor score_T1 = logits_TM.gather(1, positive_T1);
  const at::Tensor n_highest = logits_TM.ge(score_T1).sum(1).eq_(1).sum().to(logits_TM.scalar_type());
  const at::Tensor greatest_T1 = logits_TM.amax(1, true);
  const at::Tensor total_T1 = logits_TM.sub_(greatest_T1).exp_().sum(1, true);
  return {(total_T1.log() + greatest_T1 - score_T1).sum(), n_highest, total_T1};
}

TileSoftmax exponentials_of_floats(at::Tensor logits_TM, int64_t place) {
  const int64_t n = logits_TM.size(0), n_candidates = logits_TM.size(1);
  at::Tensor numbers_3T = at::empty({3, n});  // total, loss without its logarithm, hits
  float* number = numbers_3T.mutable_data_ptr<float>();
  float* logits = logits_TM.mutable_data_ptr<float>();
  at::parallel_for(0, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t anchor = begin; anchor < end; ++anchor) {
      const int64_t self = place + anchor;
      const RowSoftmax row = exponentials(logits + anchor * n_candidates, n_candidates, self, self ^ 1);
      number[anchor] = row.total;
      number[n + anchor] = row.greatest - row.score;
      number[2 * n + anchor] = row.is_highest ? 1.0F : 0.0F;
    }
  });
  return {(numbers_3T[0].log() + numbers_3T[1]).sum(), numbers_3T[2].sum(), numbers_3T[0].unsqueeze(1)};
}

class SoftmaxOverOthers : public torch::autograd::Function<SoftmaxOverOthers> {
 public:
  // Returns the sum of the anchors' losses and, as a number without gradient, how many anchors score their positive
  // highest.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& rows_MC,
                                                int64_t first, int64_t count, double temperature) {
    const int64_t tile = anchors_of_a_tile(rows_MC, count);
    const bool is_float = rows_MC.is_cpu() && rows_MC.scalar_type() == at::kFloat;
    at::Tensor loss = at::zeros({}, rows_MC.options());
    at::Tensor n_highest = at::zeros({}, rows_MC.options());
    at::Tensor d_rows_MC = at::zeros_like(rows_MC);
    at::Tensor buffer_TM = at::empty({tile, rows_MC.size(0)}, rows_MC.options());
    for (int64_t begin = 0; begin < count; begin += tile) {
      const int64_t n = std::min(tile, count - begin);
      const int64_t place = first + begin;
      const at::Tensor anchors_TC = rows_MC.narrow(0, place, n);
      at::Tensor logits_TM = buffer_TM.narrow(0, 0, n);
      at::mm_out(logits_TM, anchors_TC / temperature, rows_MC.t());
      const TileSoftmax softmax =
          is_float ? exponentials_of_floats(logits_TM, place) : exponentials_slowly(logits_TM, place);
      loss += softmax.loss;
      n_highest += softmax.n_highest;
      // p = e / total, with e in place of the logits.
      d_rows_MC.addmm_(logits_TM.t(), anchors_TC / softmax.total_T1);  // each row as an other's candidate
      d_rows_MC.narrow(0, place, n).add_(at::mm(logits_TM, rows_MC).div_(softmax.total_T1));  // and as an anchor
    }
    // - y: both views of a local picture are anchor and positive of each other.
    const at::Tensor pairs_nkC = rows_MC.narrow(0, first, count).unflatten(0, {count / 2, 2});
    d_rows_MC.narrow(0, first, count).sub_(pairs_nkC.flip(1).flatten(0, 1), 2.0);
    context->save_for_backward({d_rows_MC});
    context->saved_data["temperature"] = temperature;
    context->mark_non_differentiable({n_highest});
    return {loss, n_highest};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const at::Tensor d_rows_MC =
        context->get_saved_variables()[0] * (gradients[0] / context->saved_data["temperature"].toDouble());
    return {d_rows_MC, {}, {}, {}};
  }
};

}  // namespace

Contrast nt_xent(const at::Tensor& views_1_nC, const at::Tensor& views_2_nC, double temperature,
                 const BatchPlace& place, const GatherRows& gather) {
  require(views_1_nC.dim() == 2 && views_1_nC.sizes() == views_2_nC.sizes(),
          "nt_xent: both views must be [n, C] alike; found {} and {} dimensions, {} and {} numbers", views_1_nC.dim(),
          views_2_nC.dim(), views_1_nC.numel(), views_2_nC.numel());
  const int64_t n = views_1_nC.size(0);
  const int64_t channels = views_1_nC.size(1);
  require(place.n_ranks >= 1 && place.total >= 1 && place.first >= 0 && place.first + n <= place.total,
          "nt_xent: {} pictures from {} do not fit into a batch of {} over {} ranks", n, place.first, place.total,
          place.n_ranks);

  const at::Tensor views_n2C = at::stack({views_1_nC, views_2_nC}, 1);
  const at::Tensor local = unit_rows(views_n2C).flatten(1);
  const at::Tensor global = gather ? gather(local) : local;
  require(global.dim() == 2 && global.size(0) == place.total && global.size(1) == 2 * channels,
          "nt_xent: the gathered batch must be [{}, {}] and has {} rows", place.total, 2 * channels, global.size(0));

  const auto results =
      SoftmaxOverOthers::apply(global.reshape({2 * place.total, channels}), 2 * place.first, 2 * n, temperature);
  const double weight = static_cast<double>(place.n_ranks) / static_cast<double>(2 * place.total);
  return {results[0] * weight, results[1] * weight};
}

}  // namespace invaria::objective
