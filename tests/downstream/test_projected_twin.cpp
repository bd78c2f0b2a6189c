// learned-projected beside a version written out in loops over numbers, with finite differences for dL/di.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "downstream/features.hpp"
#include "downstream/held_out_loss.hpp"
#include "downstream/learned_invariance.hpp"
#include "tests/downstream/made.hpp"
#include "tests/model/support.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

/// x of a x = b, by Gaussian elimination with pivots.
Rows solve(Rows a, Rows b) {
  const size_t n = a.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    for (size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = a[row][column] / a[column][column];
      for (size_t k = column; k < n; ++k) a[row][k] -= factor * a[column][k];
      for (size_t k = 0; k < b[row].size(); ++k) b[row][k] -= factor * b[column][k];
    }
  }
  for (size_t row = 0; row < n; ++row) {
    for (double& value : b[row]) value /= a[row][row];
  }
  return b;
}

/// Held-out error of W = F_P^T (F_P F_P^T + ridge I)^-1 Y_P on Q: the mean over Q of |f W - y|^2.
double held_out(const Rows& F_P, const Rows& Y_P, const Rows& F_Q, const Rows& Y_Q, double ridge) {
  const size_t n = F_P.size(), dim = F_P[0].size(), outputs = Y_P[0].size();
  Rows gram(n, Row(n, 0.0));
  for (size_t row = 0; row < n; ++row) {
    for (size_t column = 0; column < n; ++column) {
      for (size_t d = 0; d < dim; ++d) gram[row][column] += F_P[row][d] * F_P[column][d];
    }
    gram[row][row] += ridge;
  }
  const Rows dual = solve(gram, Y_P);
  Rows W(dim, Row(outputs, 0.0));
  for (size_t d = 0; d < dim; ++d) {
    for (size_t t = 0; t < outputs; ++t) {
      for (size_t row = 0; row < n; ++row) W[d][t] += F_P[row][d] * dual[row][t];
    }
  }
  double sum = 0.0;
  for (size_t row = 0; row < F_Q.size(); ++row) {
    for (size_t t = 0; t < outputs; ++t) {
      double predicted = 0.0;
      for (size_t d = 0; d < dim; ++d) predicted += F_Q[row][d] * W[d][t];
      sum += (predicted - Y_Q[row][t]) * (predicted - Y_Q[row][t]);
    }
  }
  return sum / static_cast<double>(F_Q.size());
}

/// The loss of one step: features centred and divided by one scalar, their root mean variance, and by sqrt(D).
double plain_loss(Rows features, const Rows& targets, const std::vector<int>& half, double ridge) {
  const size_t n = features.size(), dim = features[0].size();
  double squares = 0.0;
  for (size_t d = 0; d < dim; ++d) {
    double mean = 0.0;
    for (const Row& row : features) mean += row[d] / static_cast<double>(n);
    for (Row& row : features) {
      row[d] -= mean;
      squares += row[d] * row[d];
    }
  }
  const double scale = std::sqrt(squares / static_cast<double>(n * dim)) * std::sqrt(static_cast<double>(dim));
  Rows F[2], Y[2];
  for (size_t row = 0; row < n; ++row) {
    for (double& value : features[row]) value /= scale;
    F[half[row]].push_back(features[row]);
    Y[half[row]].push_back(targets[row]);
  }
  return held_out(F[0], Y[0], F[1], Y[1], ridge) + held_out(F[1], Y[1], F[0], Y[0], ridge);
}

Rows rows_of(const at::Tensor& tensor) {
  Rows rows;
  for (int64_t row = 0; row < tensor.size(0); ++row) {
    const at::Tensor values = tensor[row].to(at::kDouble).contiguous();
    rows.emplace_back(values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel());
  }
  return rows;
}

/// A frozen encoder in double, so that finite differences tell a wrong formula from rounding.
model::Encoder double_encoder() {
  const model::Encoder encoder = small_encoder(4);
  model::testing::set_type(encoder, at::kDouble);
  freeze(encoder);
  return encoder;
}

/// Four classes in turn, or two targets, on noise pictures in double.
Samples noise_samples(int64_t n, bool is_regression) {
  Samples samples;
  samples.labels_B = at::arange(n, at::kLong).remainder(4);
  samples.pictures = noise({4, 3, 8, 8}, 70).index_select(0, samples.labels_B) + 0.7 * noise({n, 3, 8, 8}, 71);
  if (!is_regression) return samples;
  samples.labels_B = at::Tensor();
  samples.targets_BT = 50.0 + 3.0 * noise({n, 2}, 72) + samples.pictures.all().mean({1, 2, 3}).unsqueeze(1);
  return samples;
}

Rows features_at(const model::Encoder& encoder, const config::Invariance& i, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  return rows_of(encoder.forward(images, encoder.generate(i), model::BatchNormPass::running()));
}

/// One-hot less its mean, or coordinates with mean 0 and variance 1.
Rows plain_targets(const Samples& samples) {
  const auto n = static_cast<size_t>(samples.size());
  Rows targets(n);
  for (size_t row = 0; row < n; ++row) {
    if (samples.labels_B.defined()) {
      targets[row] = Row(4, 0.0);
      targets[row][row % 4] = 1.0;
    } else {
      targets[row] = {samples.targets_BT[static_cast<int64_t>(row)][0].item<double>(),
                      samples.targets_BT[static_cast<int64_t>(row)][1].item<double>()};
    }
  }
  for (size_t t = 0; t < targets[0].size(); ++t) {
    double mean = 0.0, variance = 0.0;
    for (const Row& row : targets) mean += row[t] / static_cast<double>(n);
    for (Row& row : targets) {
      row[t] -= mean;
      variance += row[t] * row[t] / static_cast<double>(n);
    }
    if (samples.labels_B.defined()) continue;
    for (Row& row : targets) row[t] /= std::sqrt(variance);
  }
  return targets;
}

/// Which half each sample of a whole batch falls in: classes shuffled by address, their members dealt out in turn.
std::vector<int> plain_halves(const Samples& samples, uint64_t seed, int64_t step) {
  const int64_t classes = samples.labels_B.defined() ? 4 : 1;
  std::vector<int> half(static_cast<size_t>(samples.size()));
  for (int64_t label = 0; label < classes; ++label) {
    std::vector<int64_t> members;
    for (int64_t row = label; row < samples.size(); row += classes) members.push_back(row);
    Draws({.seed = seed,
           .purpose = Purpose::kSupport,
           .epoch = static_cast<uint64_t>(step),
           .sample = static_cast<uint64_t>(label)})
        .shuffle(std::span(members));
    for (size_t place = 0; place < members.size(); ++place)
      half[static_cast<size_t>(members[place])] = static_cast<int>((place + static_cast<size_t>(label)) % 2);
  }
  return half;
}

/// dL/di by central differences of the plain loss.
Row plain_gradient(const std::function<double(const config::Invariance&)>& loss, const config::Invariance& at) {
  constexpr double kStep = 1e-5;
  Row gradient;
  for (size_t axis = 0; axis < at.size(); ++axis) {
    config::Invariance up = at, down = at;
    up[axis] = std::min(1.0, up[axis] + kStep);
    down[axis] = std::max(0.0, down[axis] - kStep);
    gradient.push_back((loss(up) - loss(down)) / (up[axis] - down[axis]));
  }
  return gradient;
}

}  // namespace

TEST_CASE("the projected loss equals the one written out in loops", "[downstream][oracle]") {
  const at::Tensor features = 5.0 + 3.0 * noise({22, 9}, 1), targets = noise({22, 3}, 2);
  std::vector<int> half(22);
  for (size_t row = 0; row < half.size(); ++row) half[row] = row % 5 < 2 ? 0 : 1;  // halves need not be equal
  const double expected = plain_loss(rows_of(features), rows_of(targets), half, 0.6);
  CHECK(projected_loss(features, targets, at::tensor(half, at::kLong), 0.6).item<double>() ==
        Approx(expected).epsilon(1e-10));
}

TEST_CASE("dL/di through encoder and solve equals finite differences", "[downstream][oracle]") {
  const bool is_regression = GENERATE(false, true);
  const model::Encoder encoder = double_encoder();
  const Samples samples = noise_samples(24, is_regression);
  const Rows targets = plain_targets(samples);
  const std::vector<int> half = plain_halves(samples, 3, 0);
  const auto loss = [&](const config::Invariance& i) {
    return plain_loss(features_at(encoder, i, samples.pictures.all()), targets, half, 1.0);
  };
  const auto generator = encoder.frozen_generator();
  for (const config::Invariance& i : {config::Invariance{0.3, 0.8}, {0.5, 0.5}, {0.95, 0.1}}) {
    const model::Generated generated = generator->at(i);
    projected_loss(encoder.forward(samples.pictures.all(), generated, model::BatchNormPass::running()),
                   regression_targets(samples, is_regression ? 0 : 4), at::tensor(half, at::kLong), 1.0)
        .backward();
    const std::vector<double> found = generator->gradient(generated.gradients());
    const Row expected = plain_gradient(loss, i);
    REQUIRE(found.size() == 2);
    for (size_t axis = 0; axis < 2; ++axis) {
      CHECK(std::abs(expected[axis]) > 1e-4);
      CHECK(found[axis] == Approx(expected[axis]).epsilon(1e-5));
    }
  }
}

TEST_CASE("learned-projected takes the steps of its plain twin", "[downstream][oracle]") {
  const bool is_regression = GENERATE(false, true);
  constexpr uint64_t kSeed = 11;
  const model::Encoder encoder = double_encoder();
  const Samples samples = noise_samples(24, is_regression);
  const ProjectedSettings settings{.ridge = {0.7}, .steps = 8, .learning_rate = 0.08};
  const LearnedInvariance learned = learn_projected(encoder, samples, is_regression ? 0 : 4, settings, kSeed, {});

  const Rows targets = plain_targets(samples);
  config::Invariance i{0.5, 0.5};
  Row mean(2, 0.0), square(2, 0.0);
  for (int64_t step = 0; step < settings.steps; ++step) {
    const std::vector<int> half = plain_halves(samples, kSeed, step);
    const auto loss = [&](const config::Invariance& at) {
      return plain_loss(features_at(encoder, at, samples.pictures.all()), targets, half, settings.ridge[0]);
    };
    INFO("step " << step);
    CHECK(learned.trajectory.loss[static_cast<size_t>(step)] == Approx(loss(i)).epsilon(1e-5));
    const Row gradient = plain_gradient(loss, i);
    for (size_t axis = 0; axis < 2; ++axis) {
      CHECK(learned.trajectory.invariance[static_cast<size_t>(step)][axis] == Approx(i[axis]).margin(1e-5));
      mean[axis] = 0.9 * mean[axis] + 0.1 * gradient[axis];
      square[axis] = 0.99 * square[axis] + 0.01 * gradient[axis] * gradient[axis];
      const double t = static_cast<double>(step + 1);
      const double change = (mean[axis] / (1 - std::pow(0.9, t))) / std::sqrt(square[axis] / (1 - std::pow(0.99, t)));
      i[axis] = std::clamp(i[axis] - 0.08 * change, 0.0, 1.0);
    }
  }
  for (size_t axis = 0; axis < 2; ++axis) CHECK(learned.invariance[axis] == Approx(i[axis]).margin(1e-5));
}
