#include "bench/scale_stages.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>

#include "bench/made.hpp"
#include "comm/gradient_reducer.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/timer.hpp"
#include "train/trainer.hpp"

namespace invaria::bench {
namespace {

constexpr int64_t kReduced = 23'500'000;  ///< gradients of ResNet-50
constexpr double kLearningRate = 1e-3;

double largest(const comm::Communicator& comm, double mine) {
  const std::vector<double> all = comm.all_gather(mine);
  return *std::max_element(all.begin(), all.end());
}

double mean(const comm::Communicator& comm, double mine) {
  const std::vector<double> all = comm.all_gather(mine);
  return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

/// Calls that fill the time, by what one took: the same number on all ranks.
int64_t rounds_for(const comm::Communicator& comm, double one_s, double seconds) {
  return std::max<int64_t>(1, std::llround(seconds / std::max(largest(comm, one_s), 1e-9)));
}

double seconds_of(int64_t rounds, const std::function<void()>& run) {
  const Timer timer;
  for (int64_t round = 0; round < rounds; ++round) run();
  return timer.seconds() / static_cast<double>(rounds);
}

/// The mean of large gradients over ranks, as trainings take it.
ScaleRates measure_all_reduce(ScaleRates rates, const comm::Communicator& comm, int64_t pairs, double seconds) {
  const auto reducer = comm::make_mpi_reducer(comm, train::kBucketBytes, comm::Overlap::kNone);
  at::Tensor values = at::full({kReduced}, static_cast<float>(comm.rank() + 1));
  const auto run = [&] {
    reducer->add(values);
    reducer->finish();
  };
  Timer timer;
  run();
  const int64_t rounds = rounds_for(comm, timer.seconds(), seconds);
  const double expected = 0.5 * (comm.size() + 1);
  if (comm.any(!((values - expected).abs().max().item<double>() <= 1e-5))) {
    rates.problem = fmt::format("the mean over ranks is not {}", expected);
    return rates;
  }
  for (int64_t pair = 0; pair < pairs; ++pair) {
    comm.barrier();
    rates.together.push_back(values.nbytes() / 1e9 / largest(comm, seconds_of(rounds, run)));
  }
  return rates;
}

/// One world's training of an encoder, of `pictures` a rank.
class Training {
 public:
  Training(model::EncoderSettings model, const comm::Communicator& comm, int64_t pictures_of_rank) {
    constexpr int64_t kSide = 40;  // views of 32 pixels are cut from it
    constexpr int64_t kBytes = kSide * kSide * 3, kPictures = 512;
    plan_.settings.model = std::move(model);
    plan_.settings.global_batch = pictures_of_rank * comm.size();
    plan_.settings.steps = 1'000'000;
    plan_.axes = augment::default_axes();
    plan_.corners = {{0, 1}, {1, 0}, {1, 1}};
    plan_.stored = {.height = kSide, .width = kSide};
    const int64_t n = std::max(kPictures, plan_.settings.global_batch);
    const auto noise = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(n * kBytes));
    Draws draws({.purpose = Purpose::kSynthetic, .sample = 1});
    for (std::byte& byte : *noise) byte = static_cast<std::byte>(draws.next_u32() & 255);
    pictures_.n = n;
    pictures_.shape = plan_.stored;
    pictures_.source = data::samples_in_memory({noise, noise->data()}, kBytes);
    state_ = std::make_unique<train::TrainState>(plan_);
    // On one thread a rank, alone too: a core that is free is the other ranks'.
    trainer_ =
        std::make_unique<train::Trainer>(plan_, pictures_, comm, c10::Device(c10::kCPU), *state_, comm::Overlap::kNone);
  }

  train::StepReport step() {
    const train::StepReport report = trainer_->step(kLearningRate);
    ++state_->step;
    return report;
  }

 private:
  train::EncoderPlan plan_;
  data::DataSplit pictures_;
  std::unique_ptr<train::TrainState> state_;
  std::unique_ptr<train::Trainer> trainer_;
};

/// Steps of amortised pretraining: the same pictures on each rank, however many there are.
ScaleRates measure_pretraining(ScaleRates rates, const model::EncoderSettings& model, int64_t pictures,
                               const comm::Communicator& comm, int64_t pairs, double seconds) {
  const comm::Communicator self = comm::Communicator::alone();
  Training alone(model, self, pictures), together(model, comm, pictures);
  // A step of the whole batch on one rank has the loss that all have together.
  const double loss = together.step().loss;
  double expected = 0.0;
  if (comm.is_root()) expected = Training(model, self, pictures * comm.size()).step().loss;
  const double largest_error = largest(comm, comm.is_root() ? std::abs(loss - expected) : 0.0);
  if (!(largest_error <= 1e-3)) {
    rates.problem = fmt::format("the first loss is {:.2g} from that of one rank with all pictures", largest_error);
    return rates;
  }
  alone.step();
  Timer timer;
  together.step();
  const int64_t rounds = rounds_for(comm, timer.seconds(), seconds);
  const double per_step = static_cast<double>(pictures);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    comm.barrier();
    double alone_s = 0.0;
    if (comm.is_root()) alone_s = seconds_of(rounds, [&] { alone.step(); });
    alone_s = largest(comm, alone_s);
    const double side_s = largest(comm, seconds_of(rounds, [&] { alone.step(); }));
    comm.barrier();
    double waits_s = 0.0;
    const double together_s = largest(comm, seconds_of(rounds, [&] { waits_s += together.step().comm_wait_s; }));
    rates.alone.push_back(per_step / alone_s);
    rates.side.push_back(per_step / side_s);
    rates.together.push_back(per_step / together_s);
    rates.efficiency.push_back(alone_s / together_s);
    rates.exposed.push_back(mean(comm, waits_s) / static_cast<double>(rounds) / together_s);
  }
  return rates;
}

struct Measured {
  ScaleStage stage;
  std::string unit;
  std::function<ScaleRates(ScaleRates, const comm::Communicator&, int64_t, double)> measure;
};

Measured pretraining(int64_t width, int64_t pictures) {
  return {{fmt::format("scale/pretrain-resnet18-{}", width),
           fmt::format("amortised SimCLR steps of ResNet-18 of width {}, {} pictures of 32 pixels a rank", width,
                       pictures)},
          "pictures",
          [=](ScaleRates rates, const comm::Communicator& comm, int64_t pairs, double seconds) {
            return measure_pretraining(std::move(rates), resnet18(width), pictures, comm, pairs, seconds);
          }};
}

std::vector<Measured> all() {
  return {{{"scale/all-reduce", fmt::format("mean of {:.0f} MB of gradients over the ranks", 4e-6 * kReduced)},
           "GB",
           measure_all_reduce},
          pretraining(16, 64),
          pretraining(32, 64)};
}

}  // namespace

std::vector<ScaleStage> scale_stages() {
  std::vector<ScaleStage> stages;
  for (const Measured& each : all()) stages.push_back(each.stage);
  return stages;
}

ScaleRates measure_scale(const std::string& name, const comm::Communicator& comm, int64_t pairs, double seconds) {
  require(comm.size() > 1, "measure_scale: one rank");
  const std::vector<Measured> stages = all();
  const auto found =
      std::find_if(stages.begin(), stages.end(), [&](const Measured& each) { return each.stage.name == name; });
  require(found != stages.end(), "measure_scale: no stage {}", name);
  ScaleRates rates;
  rates.name = name;
  rates.what = found->stage.what;
  rates.unit = found->unit;
  return found->measure(std::move(rates), comm, pairs, seconds);
}

}  // namespace invaria::bench
