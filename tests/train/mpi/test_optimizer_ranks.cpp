#include "comm/gradient_reducer.hpp"
#include "tests/train/optimizer_support.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

constexpr int kParts = 4;  // gradients are sums of four parts, which 1, 2 or 4 ranks share

// What the ranks from `first` to `last` of kParts add to each gradient, so that the mean over ranks is the sum over
// parts.
std::vector<FactoredUpdate> share_of_gradients(Model& model, uint64_t step, int first, int last, int ranks) {
  std::vector<at::Tensor> dense(model.dense.size());
  std::vector<FactoredUpdate> sum;
  for (int part = first; part < last; ++part) {
    const auto updates = model.gradients(1000 * static_cast<uint64_t>(part) + step);
    if (sum.empty()) {
      for (size_t index = 0; index < dense.size(); ++index)
        dense[index] = at::zeros_like(model.dense[index].value.grad());
      sum = updates;
      for (auto& update : sum) update.gradient.g_P = at::zeros_like(update.gradient.g_P);
    }
    for (size_t index = 0; index < dense.size(); ++index) dense[index] += ranks * model.dense[index].value.grad();
    for (size_t index = 0; index < sum.size(); ++index) sum[index].gradient.g_P += ranks * updates[index].gradient.g_P;
  }
  for (size_t index = 0; index < dense.size(); ++index) model.dense[index].value.mutable_grad() = dense[index];
  // h is a function of the invariance and the weights alone: the same on every rank.
  const auto common = model.factored.size();
  for (size_t index = 0; index < common; ++index) {
    sum[index].gradient.h_H = normals({model.factored[index].value_PH.size(1)}, 30 + index, step + 1).relu();
  }
  return sum;
}

void step(Model& model, Optimizer& optimizer, const std::vector<FactoredUpdate>& updates) {
  optimizer.step(0.01, std::vector<const model::Parameter*>{&model.dense[0], &model.dense[1]}, updates);
}

}  // namespace

TEST_CASE("reducing g alone gives every rank the same weights, and those of one process", "[train][mpi][oracle]") {
  const auto comm = comm::Communicator::world();
  const auto reducer = comm::make_mpi_reducer(comm, 1 << 14);
  const OptimizerSettings settings = settings_of(GENERATE(from_range(kAlgorithms)));
  Model shared;
  Model alone;
  Optimizer shared_optimizer(settings);
  Optimizer alone_optimizer(settings);
  const int first = kParts * comm.rank() / comm.size();
  const int last = kParts * (comm.rank() + 1) / comm.size();
  const int64_t bytes_before = comm.bytes_reduced();

  for (uint64_t number = 0; number < 20; ++number) {
    const auto updates = share_of_gradients(shared, number, first, last, comm.size());
    for (const auto& parameter : shared.dense) reducer->add(parameter.value.grad());
    for (const auto& update : updates) reducer->add(update.gradient.g_P);
    reducer->finish();
    step(shared, shared_optimizer, updates);
    step(alone, alone_optimizer, share_of_gradients(alone, number, 0, kParts, 1));
  }

  int64_t reduced = 0;
  for (const auto& parameter : shared.dense) reduced += parameter.value.numel();
  for (const auto& parameter : shared.factored) reduced += parameter.value_PH.size(0);
  if (comm.size() > 1) CHECK(comm.bytes_reduced() - bytes_before == 20 * 4 * reduced);  // g, never g h^T
  for (const auto& [name, value] : shared.values()) {
    INFO(name);
    CHECK(relative_difference(value, alone.values()[name]) < 1e-6);
    const at::Tensor all = comm.all_gather_rows(value.flatten().unsqueeze(0));
    for (int64_t rank = 1; rank < all.size(0); ++rank) CHECK(at::equal(all[rank], all[0]));
  }
}
