#include "downstream/logistic.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"
#include "downstream/principal_axes.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

/// Features of very different spreads beside a column that is nearly constant, and what they say about C outputs.
struct Made {
  at::Tensor features_BD, truth_BC;

  Made(int64_t n, int64_t n_features, int64_t n_outputs, Likelihood likelihood, double noise_share) {
    const at::Tensor spread_D = at::logspace(-1.5, 1, n_features, 10.0, at::kDouble);
    features_BD = noise({n, n_features}, 70) * spread_D + 0.3;
    const at::Tensor scores_BC =
        at::mm(features_BD, noise({n_features, n_outputs}, 71)) + noise_share * noise({n, n_outputs}, 72);
    truth_BC = likelihood == Likelihood::kSigmoid ? scores_BC.gt(3.0).to(at::kDouble)
                                                  : at::one_hot(scores_BC.argmax(1), n_outputs).to(at::kDouble);
  }
};

double objective(const Made& made, Likelihood likelihood, double l2, const LinearParameters& at) {
  return negative_log_likelihood(at.scores(made.features_BD), made.truth_BC, likelihood) /
             static_cast<double>(made.features_BD.size(0)) +
         0.5 * l2 * at.weight_DC.square().sum().item<double>();
}

/// All second derivatives in [W (D x C), b (C)], written out sample by sample.
at::Tensor dense_hessian(const Made& made, Likelihood likelihood, double l2, const LinearParameters& at) {
  const int64_t n = made.features_BD.size(0), n_features = made.features_BD.size(1), n_outputs = made.truth_BC.size(1);
  const at::Tensor probability_BC = probabilities(at.scores(made.features_BD), likelihood);
  const at::Tensor with_one = at::cat({made.features_BD, at::ones({n, 1}, at::kDouble)}, 1);
  at::Tensor hessian = at::zeros({(n_features + 1) * n_outputs, (n_features + 1) * n_outputs}, at::kDouble);
  for (int64_t sample = 0; sample < n; ++sample) {
    const at::Tensor p = probability_BC[sample], x = with_one[sample];
    const at::Tensor jacobian =
        likelihood == Likelihood::kSoftmax ? at::diag(p) - at::outer(p, p) : at::diag(p * (1 - p));
    hessian += at::kron(at::outer(x, x), jacobian) / static_cast<double>(n);
  }
  hessian.diagonal().narrow(0, 0, n_features * n_outputs).add_(l2);
  return hessian;
}

at::Tensor flat(const LinearParameters& parameters) {
  return at::cat({parameters.weight_DC.flatten(), parameters.bias_C});
}

LinearParameters shaped(const at::Tensor& flat, int64_t n_features, int64_t n_outputs) {
  return {flat.narrow(0, 0, n_features * n_outputs).view({n_features, n_outputs}),
          flat.narrow(0, n_features * n_outputs, n_outputs)};
}

/// Newton's method with the dense Hessian and halved steps, until nothing moves.
LinearParameters plain_minimum(const Made& made, Likelihood likelihood, double l2) {
  const int64_t n_features = made.features_BD.size(1), n_outputs = made.truth_BC.size(1);
  LinearParameters at = LinearParameters::zeros(n_features, n_outputs);
  for (int step = 0; step < 200; ++step) {
    const at::Tensor error_BC =
        (probabilities(at.scores(made.features_BD), likelihood) - made.truth_BC) / made.features_BD.size(0);
    const at::Tensor slope = flat({at::mm(made.features_BD.t(), error_BC) + l2 * at.weight_DC, error_BC.sum(0)});
    if (slope.norm().item<double>() < 1e-11) break;
    const at::Tensor move =
        at::mv(at::linalg_pinv(dense_hessian(made, likelihood, l2, at), 1e-14, /*hermitian=*/true), slope);
    double share = 1.0;
    const double before = objective(made, likelihood, l2, at);
    while (share > 1e-6 &&
           objective(made, likelihood, l2, shaped(flat(at) - share * move, n_features, n_outputs)) > before)
      share /= 2;
    at = shaped(flat(at) - share * move, n_features, n_outputs);
  }
  return at;
}

}  // namespace

TEST_CASE("principal axes turn features without loss, and leave no second moment between two of them", "[downstream]") {
  const int64_t n = GENERATE(40, 9, 4);  // more, as many and fewer samples than features
  const at::Tensor features = noise({n, 9}, 73) * at::logspace(-2, 1, 9, 10.0, at::kDouble) + 1.0;
  const PrincipalAxes axes(features);
  const int64_t rank = std::min<int64_t>(n, 9);
  CHECK(axes.features_BR.sizes() == at::IntArrayRef({n, rank}));
  CHECK(at::allclose(at::mm(axes.axis_DR.t(), axes.axis_DR), at::eye(rank, at::kDouble), 0.0, 1e-12));
  CHECK(at::allclose(at::mm(axes.features_BR, axes.axis_DR.t()), features, 1e-10, 1e-10));
  CHECK(at::allclose(at::mm(axes.features_BR.t(), axes.features_BR) / n, at::diag(axes.moment_R), 1e-8, 1e-10));
}

TEST_CASE("logistic regression ends within a millionth of where Newton's method with the dense Hessian ends",
          "[downstream][oracle]") {
  const Likelihood likelihood = GENERATE(Likelihood::kSoftmax, Likelihood::kSigmoid);
  const int64_t n = GENERATE(60, 8);              // 8: fewer samples than features
  const double noise_share = GENERATE(0.0, 5.0);  // 0: features separate the classes
  const double l2 = GENERATE(1e-6, 1e-3, 1.0, 1e4);
  const Made made(n, 12, 3, likelihood, noise_share);
  const double expected = objective(made, likelihood, l2, plain_minimum(made, likelihood, l2));
  const LogisticRegression regression(made.features_BD, made.truth_BC, likelihood);
  INFO("n " << n << ", l2 " << l2 << ", noise " << noise_share);

  LinearParameters cold = LinearParameters::zeros(12, 3);
  const double value = regression.minimise(l2, cold);
  CHECK(value == Approx(objective(made, likelihood, l2, cold)).epsilon(1e-9));
  CHECK(value == Approx(expected).epsilon(1e-6));
  LinearParameters warm = LinearParameters::zeros(12, 3);
  regression.minimise(30 * l2, warm);
  CHECK(regression.minimise(l2, warm) == Approx(expected).epsilon(1e-6));
  LinearParameters close = cold;
  CHECK(regression.minimise(l2, close, {.tolerance = 1e-14}) == Approx(expected).epsilon(1e-10));
}

TEST_CASE("a path of penalties ends at each where a fit from nothing ends, however its steps are spaced",
          "[downstream][oracle]") {
  const Likelihood likelihood = GENERATE(Likelihood::kSoftmax, Likelihood::kSigmoid);
  const double noise_share = GENERATE(0.0, 5.0);
  const Made made(60, 12, 3, likelihood, noise_share);
  const LogisticRegression regression(made.features_BD, made.truth_BC, likelihood);
  LogisticPath path(regression);
  for (const double l2 : {1e3, 0.1, 0.03, 0.01, 1e-5, 0.9e-5}) {
    INFO("l2 " << l2 << ", noise " << noise_share);
    const double value = path.fit(l2);
    CHECK(value == Approx(objective(made, likelihood, l2, path.parameters())).epsilon(1e-9));
    LinearParameters cold = regression.zeros();
    CHECK(value == Approx(regression.minimise(l2, cold, {.tolerance = 1e-12})).epsilon(1e-6));
  }
  CHECK_THROWS_AS(path.fit(1.0), PreconditionError);
  CHECK_THROWS_AS(path.fit(0.9e-5), PreconditionError);
}

TEST_CASE("with few passes a path comes closer than warm starts do", "[downstream]") {
  const Made made(60, 12, 3, Likelihood::kSoftmax, 5.0);
  const LogisticRegression regression(made.features_BD, made.truth_BC, Likelihood::kSoftmax);
  constexpr LogisticEnd kFew{.max_passes = 8};
  LogisticPath path(regression, kFew);
  LinearParameters warm = regression.zeros();
  double above_path = 0.0, above_warm = 0.0;
  for (int n = 0; n <= 20; ++n) {
    const double l2 = std::pow(10.0, -0.25 * n);
    LinearParameters cold = regression.zeros();
    const double least = regression.minimise(l2, cold, {.tolerance = 1e-12});
    above_path += path.fit(l2) - least;
    above_warm += regression.minimise(l2, warm, kFew) - least;
  }
  CHECK(above_path < 0.3 * above_warm);
}

TEST_CASE("a limit of passes ends a fit early, on the way down", "[downstream]") {
  const Made made(60, 12, 3, Likelihood::kSoftmax, 1.0);
  const LogisticRegression regression(made.features_BD, made.truth_BC, Likelihood::kSoftmax);
  double last = std::log(3.0);
  for (int64_t limit : {4, 10, 30, 1000}) {
    LinearParameters at = LinearParameters::zeros(12, 3);
    const double value = regression.minimise(1e-4, at, {.max_passes = limit});
    CHECK(value < last);
    last = value;
  }
}

TEST_CASE("the inverse Hessian undoes the dense one, across the features too", "[downstream][oracle]") {
  const Likelihood likelihood = GENERATE(Likelihood::kSoftmax, Likelihood::kSigmoid);
  const int64_t n = GENERATE(60, 8);
  constexpr double kL2 = 0.01;
  const Made made(n, 12, 3, likelihood, 5.0);
  const LinearParameters at{0.1 * noise({12, 3}, 74), 0.1 * noise({3}, 75)};
  LinearParameters g{noise({12, 3}, 76), noise({3}, 77)};
  g.bias_C = g.bias_C - g.bias_C.mean();  // classes: a shift of all biases changes nothing
  const LinearParameters v =
      LogisticRegression(made.features_BD, made.truth_BC, likelihood).inverse_hessian_times(g, kL2, at);
  const at::Tensor back = at::mv(dense_hessian(made, likelihood, kL2, at), flat(v));
  CHECK(at::allclose(back, flat(g), 0.0, 1e-5));
}
