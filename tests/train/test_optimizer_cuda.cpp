#include <ATen/Context.h>

#include "tests/train/optimizer_support.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::train;
using namespace invaria::train::testing;

TEST_CASE("twenty steps on CUDA are twenty steps on the CPU", "[train][cuda]") {
  if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() == 0) INVARIA_SKIP("no CUDA device");
  const OptimizerSettings settings = settings_of(GENERATE(from_range(kAlgorithms)));
  Model on_cpu;
  Model on_cuda(at::kCUDA);
  Optimizer cpu(settings);
  Optimizer cuda(settings);
  for (uint64_t step = 0; step < 20; ++step) {
    on_cpu.step(cpu, 0.01, step);
    on_cuda.step(cuda, 0.01, step);
  }
  for (const auto& [name, value] : on_cpu.values()) {
    INFO(name);
    CHECK(relative_difference(on_cuda.values()[name].cpu(), value) < 1e-6);
  }
  for (const auto& [name, value] : cpu.state()) {
    INFO(name);
    CHECK(cuda.state().at(name).is_cuda() != name.ends_with(".steps"));
    CHECK(relative_difference(cuda.state().at(name).cpu(), value) < 1e-6);
  }
}

TEST_CASE("a state saved on the CPU continues on CUDA", "[train][cuda]") {
  if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() == 0) INVARIA_SKIP("no CUDA device");
  const Algorithm algorithm = GENERATE(from_range(kAlgorithms));
  Model on_cpu;
  Model on_cuda(at::kCUDA);
  Optimizer cpu(settings_of(algorithm));
  Optimizer cuda(settings_of(algorithm));
  on_cpu.step(cpu, 0.01, 0);
  on_cuda.step(cuda, 0.01, 0);
  cuda.load_state(cpu.state());
  on_cpu.step(cpu, 0.01, 1);
  on_cuda.step(cuda, 0.01, 1);
  for (const auto& [name, value] : on_cpu.values()) {
    CHECK(relative_difference(on_cuda.values()[name].cpu(), value) < 1e-6);
  }
}

TEST_CASE("averages move on CUDA as on the CPU", "[train][cuda]") {
  if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() == 0) INVARIA_SKIP("no CUDA device");
  const OptimizerSettings settings = settings_of(GENERATE(from_range(kAlgorithms)));
  Model on_cpu;
  Model on_cuda(at::kCUDA);
  Optimizer cpu(settings);
  Optimizer cuda(settings);
  WeightAverages cpu_averages{0.9, {}}, cuda_averages{0.9, {}};
  for (const auto& [name, value] : on_cpu.values()) {
    cpu_averages.values[name] = at::zeros_like(value);
    cuda_averages.values[name] = at::zeros_like(on_cuda.values()[name]);
  }
  for (uint64_t number = 0; number < 5; ++number) {
    const auto cpu_updates = on_cpu.gradients(number);
    const auto cuda_updates = on_cuda.gradients(number);
    cpu.step(0.01, std::vector<const model::Parameter*>{&on_cpu.dense[0], &on_cpu.dense[1]}, cpu_updates, cpu_averages);
    cuda.step(0.01, std::vector<const model::Parameter*>{&on_cuda.dense[0], &on_cuda.dense[1]}, cuda_updates,
              cuda_averages);
  }
  for (const auto& [name, value] : cpu_averages.values) {
    INFO(name);
    CHECK(relative_difference(cuda_averages.values[name].cpu(), value) < 1e-6);
  }
}
