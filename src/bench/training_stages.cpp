#include "bench/training_stages.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <cmath>
#include <memory>

#include "bench/checks.hpp"
#include "bench/made.hpp"
#include "io/files.hpp"
#include "model/cost.hpp"
#include "model/encoder.hpp"
#include "model/projection_heads.hpp"
#include "objective/nt_xent.hpp"
#include "train/optimizer.hpp"

namespace invaria::bench {
namespace {

namespace json = boost::json;

constexpr double kTemperature = 0.2;
constexpr double kLearningRate = 1e-3;
constexpr double kMomentum = 0.99;  ///< of the averages that an update moves along

/// Equation 1 of SimCLR (arXiv:2002.05709), as it is printed.
at::Tensor plain_nt_xent(const at::Tensor& first_nC, const at::Tensor& second_nC) {
  const int64_t n = first_nC.size(0);
  const at::Tensor rows_MC = objective::unit_rows(at::cat({first_nC, second_nC}));
  const at::Tensor logits_MM = (at::mm(rows_MC, rows_MC.t()) / kTemperature)
                                   .masked_fill(at::eye(2 * n, rows_MC.options().dtype(at::kBool)), -INFINITY);
  return at::cross_entropy_loss(logits_MM, at::arange(2 * n, rows_MC.options().dtype(at::kLong)).roll(n));
}

Stage nt_xent_stage(const std::filesystem::path& folder, int64_t rows, c10::Device device) {
  constexpr int64_t kChannels = 128;
  const int64_t n = rows / 2;
  const std::filesystem::path file = folder / fmt::format("embeddings-{}.f32", rows);
  const auto views_2nC = std::make_shared<Lazy<at::Tensor>>([=] {
    const at::Tensor shared_nC = normals({n, kChannels}, 1);
    const at::Tensor made_2nC = at::stack({shared_nC, shared_nC + normals({n, kChannels}, 2)}).to(at::kFloat);
    write_values(file, made_2nC);
    return made_2nC.to(device);
  });
  const auto gradient_of = [](const at::Tensor& given_2nC, const auto& loss_of) {
    const at::AutoGradMode with_gradient(true);
    const at::Tensor leaf_2nC = given_2nC.detach().clone().requires_grad_();
    loss_of(leaf_2nC[0], leaf_2nC[1]).backward();
    return leaf_2nC.grad();
  };
  const auto expected = std::make_shared<Lazy<at::Tensor>>(
      [=] { return (gradient_of(views_2nC->get().to(at::kDouble), plain_nt_xent) * rows).to(at::kFloat).cpu(); });
  const auto is_gradient = [=](const at::Tensor& made_2nC) { expect_near(made_2nC * rows, expected->get(), 1e-4); };
  const auto work = static_cast<double>(rows * rows);
  Stage stage{.name = fmt::format("train/nt-xent-{}", rows),
              .what = fmt::format("NT-Xent of {} x {}, loss and gradient", rows, kChannels),
              .unit = "losses",
              .items = 1.0,
              .work = {3.0 * 2.0 * work * kChannels, 0.0},
              .run =
                  [=] {
                    const objective::BatchPlace alone{.first = 0, .total = n, .n_ranks = 1};
                    return std::vector{gradient_of(views_2nC->get(), [&](const auto& first_nC, const auto& second_nC) {
                      return objective::nt_xent(first_nC, second_nC, kTemperature, alone, {}).loss;
                    })};
                  },
              .check = is_gradient,
              .adapter = "training.py",
              .peers = {}};
  const json::object request{{"stage", "nt-xent"},
                             {"input", file.string()},
                             {"shape", {2, n, kChannels}},
                             {"temperature", kTemperature},
                             {"package", "torch"}};
  for (const char* peer : {"torch", "torch.compile"}) stage.peers.push_back({peer, request, is_gradient});
  return stage;
}

/// What a step is timed of.
struct StepSize {
  model::EncoderSettings encoder;
  int64_t pictures = 0;
  int64_t view_size = 0;
  model::Precision precision = model::Precision::kFloat32;
};

/// A SimCLR step of an encoder without conditioning on views that are there.
class PlainStep {
 public:
  PlainStep(const StepSize& size, c10::Device device)
      : precision_(size.precision),
        encoder_(size.encoder, 0, 1, size.view_size),
        heads_(model::ProjectionSettings{}, encoder_.feature_dim(), 1, 2),
        optimizer_({}),
        views_BCHW_(normals({2 * size.pictures, 3, size.view_size, size.view_size}, 3).to(at::kFloat).to(device)) {
    encoder_.to(device);
    heads_.to(device);
    for (const model::Parameter& parameter : encoder_.parameters()) trained_.push_back(&parameter);
    for (const model::Parameter& parameter : heads_.parameters(0)) trained_.push_back(&parameter);
  }

  const at::Tensor& views() const { return views_BCHW_; }
  /// Positions of a ViT, which are not trained; of a ResNet nothing.
  at::Tensor positions() const {
    const model::StateDict buffers = encoder_.buffers();
    const auto found = buffers.find("pos_embed");
    return found == buffers.end() ? at::empty({0}) : found->second;
  }
  const std::vector<const model::Parameter*>& trained() const { return trained_; }

  /// Features of the views by batch statistics, without gradient. Moves running statistics, which no step reads.
  at::Tensor features() const {
    const at::NoGradGuard no_grad;
    return encoder_.forward(views_BCHW_, {}, pass());
  }

  /// The step's loss, [1].
  at::Tensor operator()() {
    const at::AutoGradMode with_gradient(true);
    for (const model::Parameter* parameter : trained_) parameter->value.mutable_grad().reset();
    const auto [first_nC, second_nC] = embeddings();
    const objective::BatchPlace alone{.first = 0, .total = first_nC.size(0), .n_ranks = 1};
    const at::Tensor loss = objective::nt_xent(first_nC, second_nC, kTemperature, alone, {}).loss;
    loss.backward();
    optimizer_.step(kLearningRate, trained_, {});
    return loss.detach().reshape({1});
  }

  /// What the next step's loss has to be. Moves running statistics, which no step reads.
  at::Tensor expected_loss() const {
    const auto [first_nC, second_nC] = embeddings();
    return plain_nt_xent(first_nC.detach().to(at::kDouble), second_nC.detach().to(at::kDouble))
        .to(at::kFloat)
        .reshape({1});
  }

 private:
  model::ForwardPass pass() const {
    model::ForwardPass pass(model::BatchNormPass::train({}));
    pass.precision = precision_;
    return pass;
  }
  std::pair<at::Tensor, at::Tensor> embeddings() const {
    const at::Tensor features_BD = encoder_.forward(views_BCHW_, {}, pass());
    const at::Tensor embeddings_BC = heads_.forward(0, features_BD, model::BatchNormPass::train({}));
    const int64_t n = embeddings_BC.size(0) / 2;
    return {embeddings_BC.narrow(0, 0, n), embeddings_BC.narrow(0, n, n)};
  }

  model::Precision precision_;
  model::Encoder encoder_;
  model::ProjectionHeads heads_;
  train::Optimizer optimizer_;
  at::Tensor views_BCHW_;
  std::vector<const model::Parameter*> trained_;
};

/// The length of a difference beside that of what is expected.
double distance(const at::Tensor& found, const at::Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

Stage step_stage(const std::filesystem::path& folder, const std::string& name, const std::string& what,
                 const StepSize& size, c10::Device device) {
  const model::EncoderSettings& settings = size.encoder;
  const double tolerance = settings.is_vit() ? 0.02 : settings.backbone == model::Architecture::kResNet50 ? 0.4 : 0.1;
  const bool is_float = size.precision == model::Precision::kFloat32;
  const std::string file = name + (is_float ? "" : "-bfloat16");
  const std::filesystem::path views_file = folder / (file + ".views.f32"), weights_file = folder / (file + ".f32"),
                              positions_file = folder / (file + ".positions.f32");
  // The first loss is what is compared: later ones differ as trainings do. It hardly depends on the weights, so that of
  // products in bfloat16 the features are held against those in float too.
  struct Start {
    std::shared_ptr<PlainStep> step;
    at::Tensor expected_loss;
  };
  const auto start = std::make_shared<Lazy<Start>>([=] {
    const auto step = std::make_shared<PlainStep>(size, device);
    write_values(views_file, step->views());
    write_values(positions_file, step->positions());
    std::vector<at::Tensor> values;
    for (const model::Parameter* parameter : step->trained())
      values.push_back(parameter->value.detach().flatten().cpu());
    write_values(weights_file, at::cat(values));
    if (!is_float) {
      StepSize exact = size;
      exact.precision = model::Precision::kFloat32;
      const double off = distance(step->features(), PlainStep(exact, device).features());
      expect(off > 1e-5 && off < tolerance, "features in bfloat16 are {:.2g} of their length off those in float", off);
    }
    return Start{step, step->expected_loss().cpu()};
  });
  const auto is_loss = [=](const at::Tensor& made) {
    expect_near(made, start->get().expected_loss, is_float ? 2e-3 : 2e-2);
  };
  const double views = 2.0 * static_cast<double>(size.pictures);
  Stage stage{.name = "train/step-" + file,
              .what = fmt::format("SimCLR step of {} without conditioning, {} views of {} pixels, {}", what, views,
                                  size.view_size, config::name_of(size.precision)),
              .unit = "views",
              .items = views,
              .work = {3.0 * views * model::flops_per_image(settings, size.view_size), 0.0, size.precision},
              .run = [=] { return std::vector{(*start->get().step)()}; },
              .check = is_loss,
              .adapter = "training.py",
              .peers = {}};
  json::object request{{"stage", "step"},
                       {"input", views_file.string()},
                       {"shape", {2 * size.pictures, 3, size.view_size, size.view_size}},
                       {"weights", weights_file.string()},
                       {"positions", positions_file.string()},
                       {"backbone", config::name_of(settings.backbone)},
                       {"imagenet_stem", settings.stem == model::Stem::kImagenet},
                       {"width", settings.width},
                       {"bfloat16", !is_float},
                       {"temperature", kTemperature},
                       {"rate", kLearningRate},
                       {"decay", train::OptimizerSettings{}.weight_decay},
                       {"package", "torch"}};
  const model::ProjectionSettings projection;
  request["hidden"] = projection.hidden;
  request["out"] = projection.out;
  for (const char* peer : {"torch", "torch.compile"}) stage.peers.push_back({peer, request, is_loss});
  return stage;
}

/// Numbers that are alike in every program: 0, 1 ... period - 1 again and again, less their mean, times `step`.
at::Tensor saw(int64_t n, int64_t period, double step) {
  const at::Tensor once = (at::arange(period) - static_cast<double>(period / 2)) * step;
  return once.repeat({n / period + 1}).narrow(0, 0, n).contiguous();
}

/// What a hypernetwork adds to a step: A h, A^T g and the update of A, its moments and its average.
class Amortisation {
 public:
  static constexpr int64_t kRows = 64;  ///< of the first matrix: what is compared
  static constexpr int64_t kPeriod = 1009, kGradientPeriod = 997;
  static constexpr double kStep = 1e-4, kGradientStep = 1e-5;

  Amortisation(const model::EncoderSettings& settings, c10::Device device)
      : encoder_(settings, 2, 1, 32), optimizer_({.weight_decay = 0.0}) {
    encoder_.to(device);
    for (const model::FactoredParameter& parameter : encoder_.factored_parameters()) {
      at::Tensor A_PH = parameter.value_PH;
      A_PH.copy_(saw(A_PH.numel(), kPeriod, kStep).view_as(A_PH));
      averages_.values.emplace(parameter.name, A_PH.clone());
    }
    averages_.momentum = kMomentum;
    for (const at::Tensor& kernel : generated().tensors)
      g_.push_back(saw(kernel.numel(), kGradientPeriod, kGradientStep).view_as(kernel).to(device));
  }

  model::Generated generated() const { return encoder_.generate({0.3, 0.8}); }

  /// [3, rows, H]: of the first matrix A h less the base kernel (repeated over H), A, and its average.
  at::Tensor operator()() {
    const model::Generated made = generated();
    const std::vector<model::FactoredGradient> gradients = encoder_.generator_backward(made, g_);
    std::vector<train::FactoredUpdate> updates;
    for (size_t n = 0; n < gradients.size(); ++n) updates.push_back({&encoder_.factored_parameters()[n], gradients[n]});
    optimizer_.step(kLearningRate, {}, updates, averages_);
    const model::FactoredParameter& first = encoder_.factored_parameters().front();
    const at::Tensor made_P = made.tensors.front().detach().flatten() - base().flatten();
    return at::stack({made_P.narrow(0, 0, kRows).unsqueeze(1).expand({kRows, first.value_PH.size(1)}),
                      first.value_PH.narrow(0, 0, kRows), averages_.values.at(first.name).narrow(0, 0, kRows)});
  }

  /// For adapters: how many kernel elements and which hidden units each convolution has.
  json::object convolutions() const {
    json::array sizes, hidden;
    const model::Generated made = generated();
    for (size_t n = 0; n < made.tensors.size(); ++n) {
      sizes.emplace_back(made.tensors[n].numel());
      hidden.emplace_back(json::value_from(model::to_doubles(made.kept[n].cpu())));
    }
    return {{"sizes", std::move(sizes)}, {"hidden", std::move(hidden)}};
  }

  /// The first step, as equations say it: Adam's first step is the gradient over its size.
  at::Tensor expected() const {
    const model::Generated made = generated();
    const at::Tensor h_H = made.kept.front().cpu().to(at::kDouble);
    const at::Tensor A_RH = saw(kRows * h_H.numel(), kPeriod, kStep).to(at::kDouble).view({kRows, -1});
    const at::Tensor g_R = g_.front().flatten().narrow(0, 0, kRows).cpu().to(at::kDouble);
    const at::Tensor gradient_RH = at::outer(g_R, h_H);
    const at::Tensor after_RH = A_RH - kLearningRate * gradient_RH / (gradient_RH.abs() + 1e-8);
    const at::Tensor average_RH = kMomentum * A_RH + (1.0 - kMomentum) * after_RH;
    return at::stack({at::mv(A_RH, h_H).unsqueeze(1).expand_as(A_RH), after_RH, average_RH}).to(at::kFloat);
  }

 private:
  /// Of the first generated convolution.
  at::Tensor base() const {
    const std::string& name = encoder_.factored_parameters().front().name;
    return encoder_.state().at(name.substr(0, name.find(".hyper")) + ".weight").detach();
  }

  model::Encoder encoder_;
  train::Optimizer optimizer_;
  train::WeightAverages averages_;
  std::vector<at::Tensor> g_;
};

Stage amortisation_stage(const std::filesystem::path& folder, const std::string& name, const std::string& what,
                         const model::EncoderSettings& settings, const std::vector<std::string>& peers,
                         c10::Device device) {
  struct Start {
    std::shared_ptr<Amortisation> step;
    at::Tensor expected;
  };
  const std::filesystem::path file = folder / (name + ".convolutions.json");
  const auto start = std::make_shared<Lazy<Start>>([=] {
    const auto step = std::make_shared<Amortisation>(settings, device);
    io::write_file_atomically(file, json::serialize(step->convolutions()));
    return Start{step, step->expected()};
  });
  const auto is_step = [=](const at::Tensor& made) { expect_near(made, start->get().expected, 1e-5); };
  const auto numbers = static_cast<double>(model::count_parameters(settings, 2, 32).factored);
  // A h and A^T g read A; the update reads and writes it, two moments and the average.
  constexpr double kStreams = 10.0;
  Stage stage{.name = "train/amortisation-" + name,
              .what = fmt::format("what the hypernetwork of {} adds to a step: {:.0f} M numbers, Adam, average", what,
                                  numbers / 1e6),
              .unit = "steps",
              .items = 1.0,
              .work = {10.0 * numbers, kStreams * sizeof(float) * numbers},
              .run = [=] { return std::vector{(*start->get().step)()}; },
              .check = is_step,
              .adapter = "training.py",
              .peers = {}};
  const json::object request{{"stage", "amortisation"},
                             {"input", file.string()},
                             {"rows", Amortisation::kRows},
                             {"period", Amortisation::kPeriod},
                             {"step", Amortisation::kStep},
                             {"gradient_period", Amortisation::kGradientPeriod},
                             {"gradient_step", Amortisation::kGradientStep},
                             {"rate", kLearningRate},
                             {"momentum", kMomentum},
                             {"package", "torch"}};
  for (const std::string& peer : peers) stage.peers.push_back({peer, request, is_step});
  return stage;
}

model::EncoderSettings imagenet(model::Architecture backbone) {
  model::EncoderSettings settings;
  settings.backbone = backbone;
  settings.stem = model::Stem::kImagenet;
  settings.width = 64;
  return settings;
}

}  // namespace

std::vector<Stage> training_stages(const std::filesystem::path& folder, c10::Device device) {
  const std::vector<std::string> eager{"torch naive", "torch factored"};
  const int64_t times = device.is_cuda() ? 16 : 1;  // pictures that keep a device busy
  const auto step = [&](const std::string& name, const std::string& what, model::EncoderSettings settings,
                        int64_t pictures, int64_t view_size, model::Precision precision) {
    settings.conditioning = model::Conditioning::kNone;
    return step_stage(folder, name, what, {settings, times * pictures, view_size, precision}, device);
  };
  constexpr auto kFloat = model::Precision::kFloat32, kRounded = model::Precision::kBfloat16;
  const model::EncoderSettings resnet50 = imagenet(model::Architecture::kResNet50),
                               vit_small = imagenet(model::Architecture::kVitSmall);
  return {nt_xent_stage(folder, 2048, device), nt_xent_stage(folder, 8192, device),
          step("resnet18-16", "ResNet-18 of width 16", resnet18(16), 64, 32, kFloat),
          step("resnet18-64", "ResNet-18 of width 64", resnet18(64), 16, 32, kFloat),
          step("resnet50", "ResNet-50", resnet50, 4, 224, kFloat),
          step("vit-small", "ViT-S/16", vit_small, 4, 224, kFloat),
          step("resnet18-16", "ResNet-18 of width 16", resnet18(16), 64, 32, kRounded),
          step("resnet18-64", "ResNet-18 of width 64", resnet18(64), 16, 32, kRounded),
          step("resnet50", "ResNet-50", resnet50, 4, 224, kRounded),
          step("vit-small", "ViT-S/16", vit_small, 4, 224, kRounded),
          amortisation_stage(folder, "resnet18-16", "ResNet-18 of width 16", resnet18(16), eager, device),
          amortisation_stage(folder, "resnet18-64", "ResNet-18 of width 64", resnet18(64), eager, device),
          // Beside a peer it would not fit into the memory of a usual machine.
          amortisation_stage(folder, "resnet50", "ResNet-50", resnet50, {}, device)};
}

}  // namespace invaria::bench
