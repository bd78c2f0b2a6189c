// Rows are interleaved: picture k's views are rows 2 k and 2 k + 1, so that the positive of row r is row r xor 1, a
// rank's share is one range of rows, and one gather moves both views.
//
// Shape legend: as in nt_xent.hpp, with A = 2 n anchors of this rank and M = 2 N rows of all ranks.
//
// One custom backward instead of ATen's graph: with s = n_ranks / (2 N), p the softmax of a row (0 at the row itself)
// and y one at the positive, d loss / d logits = s (p - y), so that two matrix products give the gradient and only log
// p is kept.
#include "objective/nt_xent.hpp"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <limits>

#include "core/errors.hpp"

namespace invaria::objective {
namespace {

class SoftmaxOverOthers : public torch::autograd::Function<SoftmaxOverOthers> {
 public:
  // Returns the sum of the anchors' losses and, as a number without gradient, how many anchors score their positive
  // highest.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& rows_MC,
                                                int64_t first, int64_t count, double temperature) {
    const at::Tensor anchors_AC = rows_MC.narrow(0, first, count);
    const at::Tensor logits_AM = at::mm(anchors_AC / temperature, rows_MC.t());
    logits_AM.diagonal(first).fill_(-std::numeric_limits<double>::infinity());
    const at::Tensor positive_A1 =
        at::arange(count, rows_MC.options().dtype(at::kLong)).bitwise_xor(1).add_(first).unsqueeze(1);
    const at::Tensor not_below_AM = logits_AM.ge(logits_AM.gather(1, positive_A1));
    const at::Tensor n_highest = not_below_AM.sum(1).eq_(1).sum().to(rows_MC.dtype());
    const at::Tensor log_p_AM = at::log_softmax(logits_AM, 1);
    const at::Tensor loss = log_p_AM.gather(1, positive_A1).sum().neg_();

    context->save_for_backward({rows_MC, log_p_AM, positive_A1});
    context->saved_data["first"] = first;
    context->saved_data["temperature"] = temperature;
    context->mark_non_differentiable({n_highest});
    return {loss, n_highest};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& rows_MC = saved[0];
    const at::Tensor& positive_A1 = saved[2];
    const int64_t first = context->saved_data["first"].toInt();
    const int64_t count = positive_A1.size(0);
    at::Tensor d_logits_AM = saved[1].exp();
    d_logits_AM.scatter_add_(1, positive_A1, at::full_like(positive_A1, -1, rows_MC.options()));

    at::Tensor d_rows_MC =
        at::mm(d_logits_AM.t(), rows_MC.narrow(0, first, count));    // each row as an other's candidate
    d_rows_MC.narrow(0, first, count).addmm_(d_logits_AM, rows_MC);  // each local row as an anchor
    d_rows_MC.mul_(gradients[0] / context->saved_data["temperature"].toDouble());
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
