// BatchNorm against ATen's, and split over ranks against one rank.
#include <barrier>
#include <mutex>
#include <thread>

#include "model/column_kernels.hpp"
#include "tests/model/support.hpp"

namespace invaria::model {
namespace {

using testing::random_tensor;
using testing::relative_error;

/// A layer with non-trivial numbers everywhere.
BatchNormLayer make_layer(int64_t channels, at::ScalarType type = at::kFloat) {
  return {(random_tensor({channels}, 1) * 0.3 + 1.0).to(type).requires_grad_(),
          random_tensor({channels}, 2).to(type).requires_grad_(), random_tensor({channels}, 3).to(type),
          random_tensor({channels}, 4).square().add(0.5).to(type), at::zeros({}, at::kLong)};
}

/// What one forward and backward pass gives.
struct Outcome {
  at::Tensor y, dx, dresidual, dweight, dbias, running_mean, running_var;
};

/// Gradient of sum(y * coefficients).
Outcome outcome_of(const at::Tensor& y, const at::Tensor& x, const at::Tensor& residual, const BatchNormLayer& layer,
                   const at::Tensor& coefficients) {
  (y * coefficients).sum().backward();
  return {y.detach(),
          x.grad(),
          residual.defined() ? residual.grad() : at::Tensor(),
          layer.weight_C.grad(),
          layer.bias_C.grad(),
          layer.running_mean_C,
          layer.running_var_C};
}

/// The oracle: ATen's operations one after the other.
Outcome oracle(const at::Tensor& x_in, const at::Tensor& residual_in, const BatchNormLayer& layer, bool is_training,
               Activation activation, const at::Tensor& coefficients) {
  const at::Tensor x = x_in.clone().requires_grad_();
  const at::Tensor residual = residual_in.defined() ? residual_in.clone().requires_grad_() : at::Tensor();
  at::Tensor y = std::get<0>(at::native_batch_norm(x, layer.weight_C, layer.bias_C, layer.running_mean_C,
                                                   layer.running_var_C, is_training, 0.1, 1e-5));
  if (residual.defined()) y = y + residual;
  if (activation == Activation::kRelu) y = y.relu();
  return outcome_of(y, x, residual, layer, coefficients);
}

Outcome ours(const at::Tensor& x_in, const at::Tensor& residual_in, const BatchNormLayer& layer,
             const BatchNormPass& pass, Activation activation, const at::Tensor& coefficients) {
  const at::Tensor x = x_in.clone().requires_grad_();
  const at::Tensor residual = residual_in.defined() ? residual_in.clone().requires_grad_() : at::Tensor();
  return outcome_of(batch_norm(x, layer, 0, pass, activation, residual), x, residual, layer, coefficients);
}

void check_same(const at::Tensor& found, const at::Tensor& expected, double tolerance) {
  REQUIRE(found.defined() == expected.defined());
  if (expected.defined()) CHECK(relative_error(found, expected) < tolerance);
}

/// Sums over `n` threads that play ranks, in rank order.
class ThreadRanks {
 public:
  explicit ThreadRanks(int n) : barrier_(n), parts_(static_cast<size_t>(n)) {}
  SumOverRanks sum(size_t rank) {
    return [this, rank](at::Tensor& values) {
      parts_[rank] = values.clone();
      barrier_.arrive_and_wait();
      at::Tensor total = at::zeros_like(values);
      for (const at::Tensor& part : parts_) total += part;
      barrier_.arrive_and_wait();
      values.copy_(total);
    };
  }

 private:
  std::barrier<> barrier_;
  std::vector<at::Tensor> parts_;
};

}  // namespace

TEST_CASE("batch normalisation equals ATen's, forward, backward and running averages", "[model][oracle]") {
  const at::ScalarType type = GENERATE(at::kFloat, at::kDouble);
  const bool is_training = GENERATE(true, false);
  const bool has_residual = GENERATE(true, false);
  const Activation activation = GENERATE(Activation::kNone, Activation::kRelu);
  // Odd counts leave remainders in every blocking; a large mean would show a cancelling variance; embeddings have no
  // pixels.
  const auto shape = GENERATE(std::vector<int64_t>{6, 16, 8, 8}, std::vector<int64_t>{5, 7, 3, 5},
                              std::vector<int64_t>{33, 130, 9, 7}, std::vector<int64_t>{64, 128});
  CAPTURE(type, is_training, has_residual, static_cast<int>(activation), shape);
  const at::Tensor x = random_tensor(shape, 11).mul(2.0).add(5.0).to(type);
  const at::Tensor residual = has_residual ? random_tensor(shape, 12).to(type) : at::Tensor();
  const at::Tensor coefficients = random_tensor(shape, 13).to(type);
  const double tolerance = type == at::kDouble ? 1e-12 : 3e-6;

  const BatchNormLayer layer = make_layer(shape[1], type);
  const BatchNormLayer twin = make_layer(shape[1], type);
  const Outcome expected = oracle(x, residual, twin, is_training, activation, coefficients);
  const Outcome found = ours(x, residual, layer, is_training ? BatchNormPass::train({}) : BatchNormPass::running(),
                             activation, coefficients);
  check_same(found.y, expected.y, tolerance);
  check_same(found.dx, expected.dx, tolerance);
  check_same(found.dresidual, expected.dresidual, tolerance);
  check_same(found.running_mean, expected.running_mean, tolerance);
  check_same(found.running_var, expected.running_var, tolerance);
  CHECK(layer.num_batches_tracked.item<int64_t>() == (is_training ? 1 : 0));
  if (is_training) {
    check_same(found.dweight, expected.dweight, tolerance);
    check_same(found.dbias, expected.dbias, tolerance);
  } else {
    CHECK_FALSE(found.dweight.defined());  // frozen
    CHECK_FALSE(found.dbias.defined());
  }

  const at::NoGradGuard no_grad;
  const at::Tensor without_gradient =
      batch_norm(x.clone(), make_layer(shape[1], type), 0,
                 is_training ? BatchNormPass::train({}) : BatchNormPass::running(), activation, residual);
  CHECK(at::equal(without_gradient, found.y));
}

TEST_CASE("statistics over ranks with uneven shares equal those of the whole batch", "[model][property]") {
  const auto shares = GENERATE(std::vector<int64_t>{5, 3}, std::vector<int64_t>{1, 6, 1});
  const at::Tensor x = random_tensor({8, 6, 5, 3}, 21).mul(2.0).add(5.0).to(at::kDouble);
  const at::Tensor residual = random_tensor(x.sizes(), 22).to(at::kDouble);
  const at::Tensor coefficients = random_tensor(x.sizes(), 23).to(at::kDouble);
  const BatchNormLayer whole_layer = make_layer(6, at::kDouble);
  const Outcome whole = ours(x, residual, whole_layer, BatchNormPass::train({}), Activation::kRelu, coefficients);

  ThreadRanks ranks(static_cast<int>(shares.size()));
  std::vector<Outcome> parts(shares.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < shares.size(); ++rank) {
    threads.emplace_back([&, rank] {
      int64_t first = 0;
      for (size_t before = 0; before < rank; ++before) first += shares[before];
      const auto share = [&](const at::Tensor& tensor) { return tensor.narrow(0, first, shares[rank]); };
      parts[rank] = ours(share(x), share(residual), make_layer(6, at::kDouble), BatchNormPass::train(ranks.sum(rank)),
                         Activation::kRelu, share(coefficients));
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::vector<at::Tensor> y, dx;
  at::Tensor dweight = at::zeros({6}, at::kDouble);
  at::Tensor dbias = at::zeros({6}, at::kDouble);
  for (const Outcome& part : parts) {
    y.push_back(part.y);
    dx.push_back(part.dx);
    dweight += part.dweight;
    dbias += part.dbias;
    check_same(part.running_mean, whole.running_mean, 1e-12);
    check_same(part.running_var, whole.running_var, 1e-12);
  }
  check_same(at::cat(y), whole.y, 1e-12);
  check_same(at::cat(dx), whole.dx, 1e-12);
  check_same(dweight, whole.dweight, 1e-12);
  check_same(dbias, whole.dbias, 1e-12);
}

TEST_CASE("groups are normalised as if each were alone, wherever the ranks cut the batch", "[model][property]") {
  constexpr int64_t kSize = 3;  // groups of 3, 3 and 2 rows
  // One rank; cuts between groups; cuts within groups; a rank with a part of one group only.
  const auto shares = GENERATE(std::vector<int64_t>{8}, std::vector<int64_t>{3, 5}, std::vector<int64_t>{4, 4},
                               std::vector<int64_t>{1, 1, 6});
  const at::Tensor x = random_tensor({8, 6, 5, 3}, 24).mul(2.0).add(5.0).to(at::kDouble);
  const at::Tensor residual = random_tensor(x.sizes(), 25).to(at::kDouble);
  const at::Tensor coefficients = random_tensor(x.sizes(), 26).to(at::kDouble);
  std::vector<at::Tensor> y, dx, dresidual;
  at::Tensor dweight = at::zeros({6}, at::kDouble);
  at::Tensor running_mean = at::zeros({6}, at::kDouble);
  at::Tensor running_var = at::zeros({6}, at::kDouble);
  for (const RowRange rows : {RowRange{0, 3}, RowRange{3, 3}, RowRange{6, 2}}) {
    const auto share = [&](const at::Tensor& tensor) { return tensor.narrow(0, rows.first, rows.count); };
    const Outcome alone = ours(share(x), share(residual), make_layer(6, at::kDouble), BatchNormPass::train({}),
                               Activation::kRelu, share(coefficients));
    y.push_back(alone.y);
    dx.push_back(alone.dx);
    dresidual.push_back(alone.dresidual);
    dweight += alone.dweight;
    running_mean += alone.running_mean * (static_cast<double>(rows.count) / 8);
    running_var += alone.running_var * (static_cast<double>(rows.count) / 8);
  }

  std::vector<RowRange> rows_of_ranks;
  for (const int64_t count : shares)
    rows_of_ranks.push_back(
        {rows_of_ranks.empty() ? 0 : rows_of_ranks.back().first + rows_of_ranks.back().count, count});
  ThreadRanks ranks(static_cast<int>(shares.size()));
  std::vector<Outcome> parts(shares.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < shares.size(); ++rank) {
    threads.emplace_back([&, rank] {
      const auto share = [&](const at::Tensor& tensor) {
        return tensor.narrow(0, rows_of_ranks[rank].first, shares[rank]);
      };
      const BatchNormGroups groups = groups_of_size(kSize, rows_of_ranks, rank);
      const SumOverRanks sum = shares.size() > 1 ? ranks.sum(rank) : SumOverRanks();
      parts[rank] = ours(share(x), share(residual), make_layer(6, at::kDouble), BatchNormPass::train(sum, groups),
                         Activation::kRelu, share(coefficients));
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::vector<at::Tensor> found_y, found_dx, found_dresidual;
  at::Tensor found_dweight = at::zeros({6}, at::kDouble);
  for (const Outcome& part : parts) {
    found_y.push_back(part.y);
    found_dx.push_back(part.dx);
    found_dresidual.push_back(part.dresidual);
    found_dweight += part.dweight;
    check_same(part.running_mean, running_mean, 1e-12);
    check_same(part.running_var, running_var, 1e-12);
  }
  check_same(at::cat(found_y), at::cat(y), 1e-12);
  check_same(at::cat(found_dx), at::cat(dx), 1e-12);
  check_same(at::cat(found_dresidual), at::cat(dresidual), 1e-12);
  check_same(found_dweight, dweight, 1e-12);
}

TEST_CASE("ranks exchange gradients only where a group is split", "[model]") {
  const std::vector<RowRange> aligned = {{0, 4}, {4, 4}};
  const std::vector<RowRange> straddling = {{0, 5}, {5, 3}};
  CHECK_FALSE(groups_of_size(2, aligned, 0).is_split);
  CHECK(groups_of_size(2, straddling, 0).is_split);
  CHECK(groups_of_size(2, straddling, 1).is_split);
  CHECK(groups_of_size(2, straddling, 1).first == 2);
  CHECK(groups_of_size(2, straddling, 1).total == 4);

  int n_sums = 0;
  const BatchNormGroups groups = groups_of_size(2, aligned, 1);
  const BatchNormPass pass = BatchNormPass::train([&](at::Tensor&) { ++n_sums; }, groups);
  const at::Tensor x = random_tensor({4, 3}, 27);
  // The other rank's groups are missing here, so that running averages mean nothing.
  ours(x, {}, make_layer(3), pass, Activation::kNone, x);
  CHECK(n_sums == 1);  // forward, for the running averages
}

TEST_CASE("a mean of a thousand deviations leaves the variance four digits", "[model]") {
  const at::Tensor x = random_tensor({4096, 16}, 31).add(1000.0);
  std::vector<double> mean(16), squares(16);
  column_moments<float>({4096, 16}, x.const_data_ptr<float>(), mean.data(), squares.data());
  const at::Tensor expected = x.to(at::kDouble).var(0, false);
  for (size_t column = 0; column < 16; ++column) {
    CHECK(squares[column] / 4096 == Approx(expected[static_cast<int64_t>(column)].item<double>())
                                        .epsilon(1e-4));  // a float's square of 1000 is off by 0.06
  }
}

TEST_CASE("batch normalisation does not depend on the number of threads", "[model][property]") {
  const at::Tensor x = random_tensor({64, 16, 16, 16}, 41);
  const at::Tensor coefficients = random_tensor(x.sizes(), 42);
  const int before = at::get_num_threads();
  std::vector<Outcome> outcomes;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    outcomes.push_back(ours(x, {}, make_layer(16), BatchNormPass::train({}), Activation::kRelu, coefficients));
  }
  at::set_num_threads(before);
  CHECK(at::equal(outcomes[0].y, outcomes[1].y));
  CHECK(at::equal(outcomes[0].dx, outcomes[1].dx));
  CHECK(at::equal(outcomes[0].dweight, outcomes[1].dweight));
}

TEST_CASE("a NaN passes through the fused ReLU", "[model]") {
  at::Tensor x = random_tensor({4, 3, 2, 2}, 51);
  x.view(-1)[7] = std::nan("");
  const at::NoGradGuard no_grad;
  CHECK(batch_norm(x, make_layer(3), 0, BatchNormPass::running(), Activation::kRelu).isnan().sum().item<int64_t>() ==
        1);
}

TEST_CASE("given statistics are used as given, collected ones are those of the batch, and neither moves a buffer",
          "[model]") {
  const Encoder encoder = testing::small_encoder(Conditioning::kHypernetwork);
  const std::string hash = encoder.hash();
  const Generated generated = encoder.generate({0.0, 1.0});
  const at::Tensor images = random_tensor({16, 3, 32, 32}, 61);
  std::vector<BatchNormStatistics> collected;
  const at::NoGradGuard no_grad;
  const at::Tensor by_batch = encoder.forward(images, generated, BatchNormPass::collect(collected));
  REQUIRE(collected.size() == 1);
  const at::Tensor given = encoder.forward(images, generated, BatchNormPass::with(collected[0]));
  const at::Tensor running = encoder.forward(images, generated, BatchNormPass::running());

  CHECK(relative_error(given, by_batch) < 1e-5);
  CHECK(relative_error(running, by_batch) > 0.1);
  CHECK(encoder.hash() == hash);
  // The stem's statistics, computed apart.
  const at::Tensor stem = at::conv2d(images, encoder.parameters().front().value, {}, 2, 1);
  CHECK(relative_error(collected[0].mean_C.front(), stem.mean({0, 2, 3})) < 1e-5);
  CHECK(relative_error(collected[0].var_C.front(), stem.var({0, 2, 3}, false)) < 1e-5);

  BatchNormStatistics altered = collected[0];
  altered.var_C.back() = altered.var_C.back().clone();
  CHECK(altered.hash() == collected[0].hash());
  altered.var_C.back()[0] += 1e-3;
  CHECK(altered.hash() != collected[0].hash());

  const at::Tensor trained = encoder.forward(images, generated, BatchNormPass::train({}));
  CHECK(relative_error(trained, by_batch) < 1e-6);
  CHECK(encoder.hash() != hash);
}

TEST_CASE("CUDA batch normalisation equals the CPU's", "[model][cuda]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  const bool is_training = GENERATE(true, false);
  const bool in_groups = GENERATE(true, false);
  const at::ScalarType type = GENERATE(at::kFloat, at::kBFloat16);
  const double tolerance = type == at::kFloat ? 1e-5 : 0.01;  // a residual is added to what was rounded
  const at::Tensor x = random_tensor({6, 16, 8, 8}, 71).add(3.0).to(type);
  const at::Tensor residual = random_tensor(x.sizes(), 72).to(type);
  const at::Tensor coefficients = random_tensor(x.sizes(), 73).to(type);
  const std::vector<RowRange> one_rank = {{0, 6}};
  const BatchNormGroups groups = groups_of_size(in_groups ? 4 : 6, one_rank, 0);
  const BatchNormPass pass = is_training ? BatchNormPass::train([](at::Tensor&) {}, groups) : BatchNormPass::running();
  const Outcome expected = ours(x, residual, make_layer(16), pass, Activation::kRelu, coefficients);
  BatchNormLayer layer = make_layer(16);
  for (at::Tensor* tensor : {&layer.weight_C, &layer.bias_C}) *tensor = tensor->detach().cuda().requires_grad_();
  for (at::Tensor* tensor : {&layer.running_mean_C, &layer.running_var_C, &layer.num_batches_tracked})
    *tensor = tensor->cuda();
  const Outcome found = ours(x.cuda(), residual.cuda(), layer, pass, Activation::kRelu, coefficients.cuda());
  check_same(found.y.cpu(), expected.y, tolerance);
  check_same(found.dx.cpu(), expected.dx, tolerance);
  check_same(found.dresidual.cpu(), expected.dresidual, tolerance);
  check_same(found.running_mean.cpu(), expected.running_mean, 1e-5);
  check_same(found.running_var.cpu(), expected.running_var, 1e-5);
  if (is_training) check_same(found.dweight.cpu(), expected.dweight, tolerance);
}

}  // namespace invaria::model
