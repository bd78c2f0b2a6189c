#include "app/device.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "app/host.hpp"
#include "comm/agree.hpp"
#include "core/errors.hpp"

namespace invaria::app {

namespace {

/// Host and UUID of the GPU that a rank would take; the host alone if it sees none.
std::string gpu_of(const comm::Communicator& comm, int n_gpus) {
  if (n_gpus == 0) return comm.host();
  const cudaUUID_t uuid = at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(comm.node_rank() % n_gpus))->uuid;
  std::string text = comm.host() + " ";
  for (const char byte : uuid.bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

/// Reproducible before fast: cuDNN may neither try algorithms out nor take one that adds in any order, nor may ATen's
/// kernels where there is a choice; and float is float, where cuDNN would round factors to TensorFloat-32.
void make_reproducible() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // else cuBLAS may add in another order, and ATen warns of it
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicAlgorithms(true, true);
  context.setDeterministicFillUninitializedMemory(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

}  // namespace

std::string why_no_gpus(const std::vector<std::string>& gpu_of_rank) {
  std::map<std::string, size_t> first_rank;
  for (size_t rank = 0; rank < gpu_of_rank.size(); ++rank) {
    const std::string& gpu = gpu_of_rank[rank];
    if (gpu.find(' ') == std::string::npos) return fmt::format("rank {} on {} sees none", rank, gpu);
    const auto [found, is_new] = first_rank.emplace(gpu, rank);
    if (!is_new) {
      return fmt::format("ranks {} and {} on {} would share one; start as many ranks on a node as it has GPUs",
                         found->second, rank, gpu.substr(0, gpu.find(' ')));
    }
  }
  return "";
}

c10::Device choose_device(const std::string& name, const comm::Communicator& comm) {
  if (name == "cpu") return {c10::kCPU};
  const int n_gpus = static_cast<int>(c10::cuda::device_count());
  const std::string reason = why_no_gpus(comm.all_gather(gpu_of(comm, n_gpus)));
  if (!reason.empty()) {
    comm::together(comm, [&] {
      if (name == "cuda") throw_environment("--device cuda: every rank needs a GPU of its own: {}", reason);
      if (slurm_number("GPUS_ON_NODE") > 0)
        throw_environment(
            "Slurm gives the job {} GPUs on {}, and not every rank has one of its own: {}; --device cpu "
            "does without them",
            slurm_number("GPUS_ON_NODE"), comm.host(), reason);
    });
    return {c10::kCPU};
  }
  if (const int64_t of_slurm = slurm_number("GPUS_ON_NODE"); comm.is_root() && of_slurm > comm.node_size()) {
    fmt::print(stderr, "warning: Slurm gives the job {} GPUs on {}, and {} of them stay idle: a rank takes one\n",
               of_slurm, comm.host(), of_slurm - comm.node_size());
  }
  const auto index = static_cast<c10::DeviceIndex>(comm.node_rank() % n_gpus);
  c10::cuda::set_device(index);
  make_reproducible();
  return {c10::kCUDA, index};
}

c10::Device device_alone(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !at::hasCUDA())) return c10::kCPU;
  if (!at::hasCUDA()) throw_environment("--device cuda: no GPU is seen here");
  make_reproducible();
  return {c10::kCUDA, 0};
}

int choose_threads(const comm::Communicator& comm) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  const auto of_task = static_cast<int>(slurm_number("CPUS_PER_TASK"));
  comm::together(comm, [&] {
    if (CPU_COUNT(&allowed) < of_task)
      throw_environment(
          "Slurm counts {} CPUs a task and a rank may run on {}: give srun --cpus-per-task too, or mpirun "
          "--map-by slot:PE={}",
          of_task, CPU_COUNT(&allowed), of_task);
  });
  std::string mine = comm.host() + " ";
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) mine += CPU_ISSET(cpu, &allowed) != 0 ? '1' : '0';
  const std::vector<std::string> all = comm.all_gather(mine);
  const auto sharing = std::count(all.begin(), all.end(), mine);
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return at::get_num_threads();
  const int own = std::max(1, CPU_COUNT(&allowed) / static_cast<int>(sharing));
  return of_task > 0 ? std::min(own, of_task) : own;
}

}  // namespace invaria::app
