// Learned i on an encoder made by hand, whose best i is known.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

constexpr double kFloor = 0.1;  ///< the gate's value at the centre of the square

/// relu(kFloor + sum_k s_k (i_k - 1/2)) with s_k = 1 where the target is 1, else -1: 1.1 at the target, at most 0.1 at
/// every other corner.
double gate(const config::Invariance& i, const config::Invariance& target) {
  double value = kFloor;
  for (size_t axis = 0; axis < i.size(); ++axis) value += (target[axis] == 1.0 ? 1.0 : -1.0) * (i[axis] - 0.5);
  return std::max(value, 0.0);
}

/// A ResNet-18 that on pictures of one colour gives the features (gate(i) red, green, 0, 0, ...): shortcuts pass the
/// two channels on, all other convolutions are zero, and one generated kernel holds the gate.
model::Encoder gated_encoder(const config::Invariance& target) {
  const at::NoGradGuard no_grad;
  const model::Encoder encoder = small_encoder();
  model::StateDict state = encoder.state();
  for (auto& [name, tensor] : state) {
    const bool is_one = name.ends_with("running_var") || (name.ends_with(".weight") && tensor.dim() == 1);
    tensor.fill_(is_one ? 1 : 0);
  }
  for (int64_t channel : {0, 1}) {
    state.at("conv1.weight")[channel][channel][1][1] = 1.0;
    state.at("layer3.0.downsample.0.weight")[channel][channel] = 1.0;
    state.at("layer4.0.downsample.0.weight")[channel][channel] = 1.0;
  }
  const std::string gated = "layer2.0.downsample.0.";
  state.at(gated + "weight")[1][1] = 1.0;
  state.at(gated + "hyper.A")[0][0] = 1.0;  // element 0 of the kernel: from red to the first feature
  state.at(gated + "hyper.B")[0][0] = 1.0;
  double offset = kFloor;
  for (size_t axis = 0; axis < target.size(); ++axis) {
    const double sign = target[axis] == 1.0 ? 1.0 : -1.0;
    state.at("layer2.0.hyper.E")[0][static_cast<int64_t>(axis)] = sign;
    offset -= 0.5 * sign;
  }
  state.at(gated + "hyper.c")[0] = offset;
  freeze(encoder);
  return encoder;
}

/// Pictures of one colour: red tells the class (1 or 2) or the target, green is a draw that says nothing.
Samples coloured(int64_t n, uint64_t sample, bool is_regression) {
  Samples samples;
  const at::Tensor value = is_regression ? 1.5 + 0.4 * noise({n}, sample + 100).clamp(-2, 2)
                                         : 1.0 + at::arange(n, at::kLong).remainder(2).to(at::kDouble);
  const at::Tensor green = 1.5 + 0.7 * noise({n}, sample).clamp(-2, 2);
  samples.pictures = at::stack({value, green, at::zeros_like(green)}, 1)
                         .to(at::kFloat)
                         .view({n, 3, 1, 1})
                         .expand({n, 3, 8, 8})
                         .contiguous();
  if (is_regression) {
    samples.targets_BT = value.unsqueeze(1);
  } else {
    samples.labels_B = at::arange(n, at::kLong).remainder(2);
  }
  return samples;
}

TaskData coloured_task() {
  TaskData task;
  task.n_classes = 2;
  task.train = coloured(64, 60, false);
  task.validation = coloured(64, 61, false);
  task.test = coloured(64, 62, false);
  return task;
}

}  // namespace

TEST_CASE("the encoder made by hand lets the label through at its target and hardly elsewhere", "[downstream]") {
  const config::Invariance target{1.0, 0.0};
  const model::Encoder encoder = gated_encoder(target);
  const Samples samples = coloured(6, 60, false);
  for (const config::Invariance& i : {config::Invariance{1, 0}, {0, 1}, {0.5, 0.5}, {0.9, 0.3}, {1, 1}}) {
    const at::Tensor features =
        extract_features(encoder, encoder.generate(i), model::BatchNormPass::running(), samples.pictures.all());
    const at::Tensor colours = samples.pictures.all().mean({2, 3});
    CHECK(at::allclose(features.select(1, 0), gate(i, target) * colours.select(1, 0), 1e-4, 1e-6));
    CHECK(at::allclose(features.select(1, 1), colours.select(1, 1), 1e-4));
    CHECK(features.narrow(1, 2, features.size(1) - 2).abs().max().item<double>() == 0.0);
  }
}

TEST_CASE("learned-projected reaches the corner at which features carry the label, whichever it is", "[downstream]") {
  const config::Invariance target =
      GENERATE(config::Invariance{1, 0}, config::Invariance{0, 1}, config::Invariance{1, 1}, config::Invariance{0, 0});
  const bool is_regression = GENERATE(false, true);
  const model::Encoder encoder = gated_encoder(target);
  const LearnedInvariance learned =
      learn_projected(encoder, coloured(80, 60, is_regression), is_regression ? 0 : 2, {}, 1, {});
  CHECK(learned.invariance == target);  // clamping makes it exact
  const std::vector<double>& loss = learned.trajectory.loss;
  CHECK(loss[loss.size() - 2] < 0.6 * loss.front());  // the last point has none
}

TEST_CASE("learned-projected reaches that corner by quasi-Newton steps and with a logistic readout", "[downstream]") {
  const config::Invariance target =
      GENERATE(config::Invariance{1, 0}, config::Invariance{0, 1}, config::Invariance{1, 1}, config::Invariance{0, 0});
  const InnerReadout readout = GENERATE(InnerReadout::kRidge, InnerReadout::kLogistic);
  const ProjectedSettings settings{
      .readout = readout, .descent = Descent::kQuasiNewton, .batch = 80, .first_batch = 20, .steps = 10};
  const LearnedInvariance learned = learn_projected(gated_encoder(target), coloured(80, 60, false), 2, settings, 1, {});
  CHECK(learned.invariance == target);
  // Batches of 20, then of 80: not more than steps of each.
  CHECK(learned.encoder_passes <= 10 * (20 + 80));
  CHECK(learned.trajectory.encoder_passes[0] == 20);
  CHECK(learned.trajectory.encoder_passes.back() == learned.encoder_passes);
}

TEST_CASE("several starts find a valley that the centre's descent does not", "[downstream]") {
  // At (0, 0) and wherever else the gate is shut, red does not pass, and no small move of i opens it.
  const config::Invariance target{1, 0};
  const model::Encoder encoder = gated_encoder(target);
  const auto learn = [&](int64_t starts) {
    return learn_projected(encoder, coloured(80, 60, false), 2, {.steps = 1, .starts = starts, .learning_rate = 0.01},
                           1, {});
  };
  CHECK(learn(1).invariance != target);
  CHECK(learn(1).valleys.size() == 1);
  CHECK(learn(5).invariance == target);
  CHECK(learn(5).valleys.size() > 1);
  CHECK(learn(5).valleys.front() == target);
}

TEST_CASE("learned-joint moves i to where the readout's loss is lower, and clamps it there", "[downstream]") {
  const config::Invariance target = GENERATE(config::Invariance{1, 0}, config::Invariance{0, 1});
  const model::Encoder encoder = gated_encoder(target);
  const JointSchedule schedule = GENERATE(JointSchedule::kConstant, JointSchedule::kCosine);
  const JointSettings settings{
      .epochs = 32, .batch = 16, .readout_learning_rate = 0.05, .invariance_learning_rate = 0.05, .schedule = schedule};
  const io::Trajectory trajectory =
      learn_joint(encoder, coloured_task(), settings, Metric::kTop1, 3, {}).learned.trajectory;
  CHECK(trajectory.invariance.front() == config::centre(2));
  CHECK(trajectory.invariance.back() == target);
  for (const config::Invariance& point : trajectory.invariance) {
    for (double value : point) CHECK((value >= 0.0 && value <= 1.0));
  }
  CHECK(trajectory.loss.back() < 0.5 * trajectory.loss[1]);  // the start has none
  CHECK(trajectory.validation.back() > 0.8);
}

TEST_CASE("learned-joint on scaled features moves i the right way, and hardly", "[downstream]") {
  const JointScaling scaling = GENERATE(JointScaling::kBatch, JointScaling::kStart);
  const JointSettings settings{
      .epochs = 24, .batch = 16, .readout_learning_rate = 0.05, .invariance_learning_rate = 0.05, .scaling = scaling};
  const JointResult joint = learn_joint(gated_encoder({1, 0}), coloured_task(), settings, Metric::kTop1, 3, {});
  CHECK(joint.learned.trajectory.invariance.back()[0] > 0.52);
  CHECK(joint.learned.trajectory.invariance.back()[1] < 0.48);
  CHECK(joint.validation_value > 0.8);  // of the readout as it is handed out, on features as they are
}
