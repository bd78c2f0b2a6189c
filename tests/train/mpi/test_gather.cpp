#include "train/gather.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "core/philox.hpp"
#include "objective/nt_xent.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;

namespace {

at::Tensor normals(at::IntArrayRef sizes, uint64_t sample) {
  at::Tensor values = at::empty(sizes, at::kDouble);
  Draws draws({.seed = 5, .sample = sample});
  for (int64_t index = 0; index < values.numel(); ++index) values.data_ptr<double>()[index] = draws.normal();
  return values;
}

// A rank's pictures in shares of the pattern 3 : 2 : 4 : 1 ..., or equal ones.
struct Share {
  int64_t first = 0;
  int64_t count = 0;
};

Share share_of(int64_t rank, int64_t ranks, int64_t total, bool equal) {
  constexpr int64_t kPattern[] = {3, 2, 4, 1};
  const auto weight_before = [&](int64_t r) {
    int64_t sum = 0;
    for (int64_t other = 0; other < r; ++other) sum += equal ? 1 : kPattern[other % 4];
    return sum;
  };
  const auto begin = [&](int64_t r) { return total * weight_before(r) / weight_before(ranks); };
  return {begin(rank), begin(rank + 1) - begin(rank)};
}

}  // namespace

TEST_CASE("gathered rows stand in rank order and their gradient is the sum over ranks", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  const int64_t mine = comm.rank() + 1;  // rank r holds r + 1 rows of the value r
  const at::Tensor local = at::full({mine, 2}, static_cast<double>(comm.rank()), at::kDouble).requires_grad_();
  double waited_s = 0.0;
  const at::Tensor global = train::gather_with_gradient(comm, waited_s)(local);
  const int64_t n_rows = comm.size() * (comm.size() + 1) / 2;
  CHECK(global.size(0) == n_rows);
  CHECK(global.requires_grad());

  // Rank r's loss weighs global row k by (r + 1) (k + 1).
  const at::Tensor weights = at::arange(1, n_rows + 1, at::kDouble).unsqueeze(1);
  ((comm.rank() + 1.0) * weights * global).sum().backward();
  const double sum_of_ranks = static_cast<double>(n_rows);
  const int64_t first = mine * (mine - 1) / 2;
  CHECK(at::equal(global.detach().narrow(0, first, mine), local.detach()));
  CHECK((comm.size() == 1 ? waited_s == 0.0 : waited_s > 0.0));
  CHECK(at::allclose(local.grad(), sum_of_ranks * weights.narrow(0, first, mine).expand({mine, 2})));
}

TEST_CASE("NT-Xent over ranks has the loss and the parameter gradients of one process", "[train][mpi][property]") {
  const auto comm = comm::Communicator::world();
  const bool equal = GENERATE(true, false);
  constexpr int64_t kTotal = 256;
  const Share share = share_of(comm.rank(), comm.size(), kTotal, equal);
  const at::Tensor pictures_1 = normals({kTotal, 12}, 1);
  const at::Tensor pictures_2 = pictures_1 + 0.5 * normals({kTotal, 12}, 2);

  const auto loss_of = [&](const at::Tensor& weight, const Share& part, const objective::BatchPlace& place,
                           const objective::GatherRows& gather) {
    const auto embed = [&](const at::Tensor& pictures) {
      return at::mm(pictures.narrow(0, part.first, part.count), weight);
    };
    return objective::nt_xent(embed(pictures_1), embed(pictures_2), 0.2, place, gather);
  };
  const at::Tensor alone = normals({12, 8}, 3).requires_grad_();
  const auto expected = loss_of(alone, {0, kTotal}, {.first = 0, .total = kTotal, .n_ranks = 1}, {});
  expected.loss.backward();

  double waited_s = 0.0;
  const at::Tensor shared = alone.detach().clone().requires_grad_();
  const auto result = loss_of(shared, share, {.first = share.first, .total = kTotal, .n_ranks = comm.size()},
                              train::gather_with_gradient(comm, waited_s));
  result.loss.backward();
  at::Tensor mean = at::stack({result.loss.detach(), result.top1});
  comm.all_reduce_sum(mean);
  mean /= comm.size();
  at::Tensor gradient = shared.grad().clone();
  comm.all_reduce_sum(gradient);
  gradient /= comm.size();

  CHECK(mean[0].item<double>() == Approx(expected.loss.item<double>()).epsilon(1e-12));
  CHECK(mean[1].item<double>() == Approx(expected.top1.item<double>()).epsilon(1e-12));
  CHECK(at::allclose(gradient, alone.grad(), 1e-9, 1e-13));
}

TEST_CASE("a batch of 256 over three shares of 86, 85 and 85 is weighted as one batch", "[train][mpi]") {
  const auto comm = comm::Communicator::world();
  // Ranks past the third hold nothing; with fewer ranks the last one takes what is left.
  const std::vector<int64_t> bounds{0, 86, 171, 256, 256};
  const int64_t rank = comm.rank();
  const int64_t first = bounds[static_cast<size_t>(rank)];
  const int64_t last = rank == comm.size() - 1 ? 256 : bounds[static_cast<size_t>(rank) + 1];
  const at::Tensor views_1 = normals({256, 6}, 1).to(at::kFloat);
  const at::Tensor views_2 = views_1 + normals({256, 6}, 2).to(at::kFloat);
  const auto whole = objective::nt_xent(views_1, views_2, 0.2, {.first = 0, .total = 256, .n_ranks = 1}, {});

  double waited_s = 0.0;
  const auto part = objective::nt_xent(views_1.narrow(0, first, last - first), views_2.narrow(0, first, last - first),
                                       0.2, {.first = first, .total = 256, .n_ranks = comm.size()},
                                       train::gather_with_gradient(comm, waited_s));
  double mean = 0.0;
  for (const double loss : comm.all_gather(part.loss.item<double>())) mean += loss / comm.size();
  CHECK(mean == Approx(whole.loss.item<double>()).epsilon(1e-6));
}
