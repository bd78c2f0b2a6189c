// A process that no launcher started, and the NCCL reducer of one rank.
#include <ATen/ATen.h>
#include <cuda_runtime_api.h>

#include "comm/communicator.hpp"
#include "comm/gradient_reducer.hpp"
#include "comm/job_counter.hpp"
#include "core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::comm;

namespace {

/// MPI starts once in a process; the cases share it.
Communicator world() {
  static const MpiEnvironment environment(nullptr, nullptr);
  return Communicator::world();
}

int count_gpus() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace

TEST_CASE("a process without a launcher is a world of one", "[comm]") {
  const auto communicator = world();
  CHECK(communicator.size() == 1);
  CHECK(communicator.is_root());
  std::vector<float> values = {1.0F, 2.0F};
  communicator.all_reduce_sum(std::span<float>(values));
  CHECK(values == std::vector<float>{1.0F, 2.0F});
  JobCounter counter(communicator);
  CHECK(counter.claim() == 0);
  CHECK(counter.claim() == 1);
}

TEST_CASE("without a GPU the NCCL reducer says so", "[comm][reducer]") {
  if (count_gpus() > 0) INVARIA_SKIP("this machine has a GPU");
  CHECK_THROWS_AS(make_nccl_reducer(world(), 1 << 20), EnvironmentError);
}

TEST_CASE("the NCCL reducer of one rank leaves gradients as they are", "[comm][reducer][gpu]") {
  if (count_gpus() == 0) INVARIA_SKIP("NCCL needs a GPU, this machine has none");
  const auto communicator = world();
  const auto reducer = make_nccl_reducer(communicator, 1 << 20);
  at::Tensor gradient = at::arange(1000, at::kFloat).cuda();
  reducer->add(gradient);
  reducer->finish();
  CHECK(gradient.cpu().equal(at::arange(1000, at::kFloat)));
  CHECK(communicator.bytes_reduced() == 4000);
}
