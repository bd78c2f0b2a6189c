#include "app/device.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/cuda/CUDAFunctions.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "core/errors.hpp"

namespace invaria::app {

c10::Device choose_device(const std::string& name, const comm::Communicator& comm) {
  const int n_gpus = name == "cpu" ? 0 : static_cast<int>(c10::cuda::device_count());
  if (n_gpus > 0) {
    const auto index = static_cast<c10::DeviceIndex>(comm.node_rank() % n_gpus);
    c10::cuda::set_device(index);
    // Reproducible before fast: cuDNN may neither try algorithms out nor take one that adds in any order.
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    return {c10::kCUDA, index};
  }
  if (name == "cuda")
    throw_environment("--device cuda: no GPU on {} (rank {}); use --device cpu, or look with `invaria doctor`",
                      comm.host(), comm.rank());
  return {c10::kCPU};
}

int choose_threads(const comm::Communicator& comm) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  std::string mine = comm.host() + " ";
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) mine += CPU_ISSET(cpu, &allowed) != 0 ? '1' : '0';
  const std::vector<std::string> all = comm.all_gather(mine);
  const auto sharing = std::count(all.begin(), all.end(), mine);
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return at::get_num_threads();
  return std::max(1, CPU_COUNT(&allowed) / static_cast<int>(sharing));
}

}  // namespace invaria::app
