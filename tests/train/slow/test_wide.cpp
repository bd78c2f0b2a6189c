#include <fstream>
#include <optional>

#include "tests/train/small_pretraining.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

namespace {

/// A line of /proc/self/status or /proc/meminfo, in bytes.
int64_t memory(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    int64_t kibibytes = 0;
    if (word == key + ":" && lines >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

TEST_CASE("a step at full width holds A and its moments and nothing else of that size, and reduces 33 times less",
          "[train]") {
  constexpr int64_t kNeeded = int64_t{6} << 30;
  if (memory("/proc/meminfo", "MemAvailable") < kNeeded) INVARIA_SKIP("6 GiB of memory are not free");
  const comm::MpiEnvironment environment(nullptr, nullptr);
  const auto comm = comm::Communicator::world();
  const data::DataSplit pictures = made_pictures(16);
  EncoderPlan plan = small_plan(Algorithm::kAdamW);
  plan.settings.model.width = 64;
  const int64_t before = memory("/proc/self/status", "VmRSS");

  TrainState state(plan);
  int64_t factored = 0, largest = 0, dense = 0, generated = 0, reduced = 0;
  for (const auto& parameter : state.encoder.factored_parameters()) {
    factored += parameter.value_PH.numel();
    generated += parameter.value_PH.size(0);
    largest = std::max(largest, parameter.value_PH.numel());
  }
  for (const auto& parameter : state.encoder.parameters()) {
    dense += parameter.value.numel();
    if (parameter.name.find("hyper") == std::string::npos) reduced += parameter.value.numel();  // b stands for k
  }
  for (const auto& parameter : state.heads.parameters(0)) reduced += parameter.value.numel();
  for (int64_t head = 0; head < 3; ++head) {
    for (const auto& parameter : state.heads.parameters(head)) dense += parameter.value.numel();
  }
  CHECK(factored == 32 * generated);
  CHECK(factored > 350'000'000);

  Trainer trainer(plan, pictures, comm, c10::Device(c10::kCPU), state);
  const int64_t reduced_before = comm.bytes_reduced();
  for (; state.step < 2; ++state.step) {  // moments are there from the second step's beginning
    CHECK(std::isfinite(trainer.step(1e-4).loss));
  }
  const int64_t bytes = (comm.bytes_reduced() - reduced_before) / 2;
  CHECK(bytes == 4 * reduced + 16);  // and the loss and top-1 that are logged
  // Beside g itself travel only the stem's, BatchNorm's and one head's gradients.
  CHECK(33.0 * 4 * static_cast<double>(generated) / static_cast<double>(bytes) == Approx(33).epsilon(0.005));

  const int64_t peak = memory("/proc/self/status", "VmHWM") - before;
  const int64_t held = 4 * 3 * (factored + dense);  // weights and two moments
  const int64_t beside = 4 * 3 * dense;             // gradients, kernels, the reducer's bucket
  INFO("peak " << peak / 1e6 << " MB, weights and moments " << held / 1e6 << " MB, activations and the rest "
               << (peak - held - beside) / 1e6 << " MB");
  CHECK(peak >= held);
  CHECK(peak - held - beside < 4 * largest);  // not even one convolution's gradient of A was formed
}
