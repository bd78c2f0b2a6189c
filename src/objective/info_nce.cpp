#include "objective/info_nce.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <limits>

#include "core/errors.hpp"

namespace invaria::objective {
namespace {

/// @param positive_n1  each row's column of its positive
Contrast softmax_contrast(const at::Tensor& logits_nM, const at::Tensor& positive_n1, const BatchPlace& place) {
  const double weight = static_cast<double>(place.n_ranks) / static_cast<double>(place.total);
  const at::Tensor loss = at::log_softmax(logits_nM, 1).gather(1, positive_n1).sum().neg();
  const at::Tensor scores_nM = logits_nM.detach();
  const at::Tensor not_below_nM = scores_nM.ge(scores_nM.gather(1, positive_n1));
  const at::Tensor n_highest = not_below_nM.sum(1).eq_(1).sum().to(logits_nM.scalar_type());
  return {loss * weight, n_highest * weight};
}

void require_fits(const at::Tensor& query_nC, const BatchPlace& place) {
  require(query_nC.dim() == 2, "info_nce: queries have shape [{}], expected [n, C]", fmt::join(query_nC.sizes(), ", "));
  require(place.n_ranks >= 1 && place.total >= 1 && place.first >= 0 && place.first + query_nC.size(0) <= place.total,
          "info_nce: {} queries from {} do not fit into a batch of {} over {} ranks", query_nC.size(0), place.first,
          place.total, place.n_ranks);
}

}  // namespace

Contrast info_nce(const at::Tensor& query_nC, const at::Tensor& keys_NC, double temperature, const BatchPlace& place) {
  require_fits(query_nC, place);
  require(keys_NC.dim() == 2 && keys_NC.size(0) == place.total && keys_NC.size(1) == query_nC.size(1),
          "info_nce: keys have shape [{}], expected [{}, {}]", fmt::join(keys_NC.sizes(), ", "), place.total,
          query_nC.size(1));
  const at::Tensor logits_nN = at::mm(query_nC / temperature, keys_NC.detach().t());
  const at::Tensor positive_n = at::arange(query_nC.size(0), query_nC.options().dtype(at::kLong)) + place.first;
  return softmax_contrast(logits_nN, positive_n.unsqueeze(1), place);
}

Contrast info_nce(const at::Tensor& query_nC, const at::Tensor& positive_nC, const Negatives& negatives,
                  double temperature, const BatchPlace& place) {
  require_fits(query_nC, place);
  const int64_t n = query_nC.size(0);
  const at::Tensor& keys_MC = negatives.keys_MC;
  require(positive_nC.sizes() == query_nC.sizes() && keys_MC.dim() == 2 && keys_MC.size(1) == query_nC.size(1),
          "info_nce: positives [{}] and negatives [{}] for queries [{}]", fmt::join(positive_nC.sizes(), ", "),
          fmt::join(keys_MC.sizes(), ", "), fmt::join(query_nC.sizes(), ", "));
  const at::Tensor& excluded_nM = negatives.excluded_nM;
  require(!excluded_nM.defined() || excluded_nM.sizes() == at::IntArrayRef({n, keys_MC.size(0)}),
          "info_nce: the mask has shape [{}], expected [{}, {}]", fmt::join(excluded_nM.sizes(), ", "), n,
          keys_MC.size(0));
  const at::Tensor scaled_nC = query_nC / temperature;
  const at::Tensor positive_n1 = (scaled_nC * positive_nC.detach()).sum(1, true);
  at::Tensor negative_nM = at::mm(scaled_nC, keys_MC.detach().t());
  if (excluded_nM.defined())
    negative_nM = negative_nM.masked_fill(excluded_nM, -std::numeric_limits<double>::infinity());
  return softmax_contrast(at::cat({positive_n1, negative_nM}, 1),
                          at::zeros({n, 1}, query_nC.options().dtype(at::kLong)), place);
}

}  // namespace invaria::objective
