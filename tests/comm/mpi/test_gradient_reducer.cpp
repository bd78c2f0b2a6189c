// Gradients come out as the mean over ranks, with the reference's bits, whatever the bucket, the transport and the
// overlap.
#include <ATen/ATen.h>
#include <cuda_runtime_api.h>

#include "comm/gradient_reducer.hpp"
#include "core/errors.hpp"
#include "tests/comm/mpi/reference.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::comm;

namespace {

const std::vector<int64_t> kSizes = {1, 300, 70'000, 2, 0, 150'001, 64, 64};

std::vector<float> mean_of(const std::vector<float>& mine) {
  auto mean = reference_sum(mine);
  for (float& value : mean) value /= static_cast<float>(world_size());
  return mean;
}

std::vector<float> values_of(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu();
  return {host.data_ptr<float>(), host.data_ptr<float>() + host.numel()};
}

}  // namespace

TEST_CASE("the MPI reducer gives the mean over ranks, bit by bit", "[comm][reducer]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    for (const auto overlap : {Overlap::kNone, Overlap::kThread, Overlap::kAutomatic}) {
      for (const int64_t bucket_bytes : {int64_t{1}, int64_t{100'000}, int64_t{1} << 30}) {
        const auto communicator = Communicator::world(transport);
        const auto reducer = make_mpi_reducer(communicator, bucket_bytes, overlap);
        int wrong = 0;
        int64_t bytes = 0;
        for (uint64_t step = 0; step < 3; ++step) {
          std::vector<at::Tensor> gradients;
          std::vector<std::vector<float>> expected;
          for (const int64_t size : kSizes) {
            const auto values = awkward_values<float>(size_t(size), step * 100 + gradients.size());
            expected.push_back(mean_of(values));
            gradients.push_back(at::tensor(values));
            bytes += size * 4;
          }
          for (const auto& gradient : gradients) {
            reducer->add(gradient);
            communicator.any(false);  // the training thread's own sums go on meanwhile
          }
          reducer->finish();
          for (size_t k = 0; k < gradients.size(); ++k)
            wrong += same_bits(values_of(gradients[k]), expected[k]) ? 0 : 1;
        }
        INFO("transport " << int(transport) << " overlap " << int(overlap) << " bucket " << bucket_bytes);
        CHECK(wrong == 0);
        CHECK(communicator.bytes_reduced() == bytes);
      }
    }
  }
}

TEST_CASE("a gradient that is not contiguous floats is refused", "[comm][reducer]") {
  const auto communicator = Communicator::world();
  const auto reducer = make_mpi_reducer(communicator, 1 << 20);
  CHECK_THROWS_AS(reducer->add(at::zeros({3}, at::kDouble)), PreconditionError);
  CHECK_THROWS_AS(reducer->add(at::zeros({3, 2}).t()), PreconditionError);
  reducer->finish();
  CHECK_THROWS_AS(make_mpi_reducer(communicator, 0), PreconditionError);
}

TEST_CASE("the NCCL reducer gives the mean over ranks", "[comm][reducer][gpu]") {
  int gpus = 0;
  if (cudaGetDeviceCount(&gpus) != cudaSuccess) gpus = 0;
  if (gpus < world_size()) INVARIA_SKIP("{} ranks over NCCL need as many GPUs, this node has {}", world_size(), gpus);
  cudaSetDevice(world_rank());
  const auto communicator = Communicator::world();
  const auto reducer = make_nccl_reducer(communicator, 100'000);
  for (uint64_t step = 0; step < 3; ++step) {
    std::vector<at::Tensor> gradients;
    std::vector<std::vector<float>> expected;
    for (const int64_t size : kSizes) {
      const auto values = awkward_values<float>(size_t(size), step * 100 + gradients.size());
      expected.push_back(mean_of(values));
      gradients.push_back(at::tensor(values).cuda());
    }
    for (const auto& gradient : gradients) reducer->add(gradient);
    reducer->finish();
    // NCCL adds in its own order: rounding of the largest terms (2^20) bounds the difference.
    for (size_t k = 0; k < gradients.size(); ++k) {
      CHECK(at::allclose(gradients[k].cpu(), at::tensor(expected[k]), 1e-5, 1.0));
    }
  }
  at::Tensor ones = at::full({1000}, float(world_rank() + 1)).cuda();
  reducer->add(ones);
  reducer->finish();
  CHECK(ones.cpu().equal(at::full({1000}, float(world_size() + 1) / 2.0F)));
}
