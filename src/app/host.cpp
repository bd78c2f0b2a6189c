#include "app/host.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

namespace invaria::app {
namespace json = boost::json;

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

namespace {

/// The kernel driver's version, "580.65.06"; empty where the kernel does not tell.
std::string driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;) {
    if (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) && word.find('.') != std::string::npos)
      return word;
  }
  return "";
}

}  // namespace

json::object describe_host(const std::string& name) {
  json::object host{{"name", name}, {"cpu", cpu_model()}, {"cores", std::thread::hardware_concurrency()}};
  int n_gpus = 0;
  const bool has_gpu = cudaGetDeviceCount(&n_gpus) == cudaSuccess && n_gpus > 0;
  cudaDeviceProp properties{};
  int driver = 0;
  if (has_gpu && cudaGetDeviceProperties(&properties, 0) == cudaSuccess) {
    cudaDriverGetVersion(&driver);
    host["gpu"] = fmt::format("{} x {}", n_gpus, properties.name);
    const std::string kernel = driver_version();
    host["driver"] =
        fmt::format("{}{}CUDA {}.{}", kernel, kernel.empty() ? "" : ", ", driver / 1000, driver % 1000 / 10);
  } else {
    cudaGetLastError();  // no GPU is no error here
    host["gpu"] = "none";
    host["driver"] = "none";
  }
  return host;
}

json::object slurm_job() {
  json::object job;
  for (const char* name : {"JOB_ID", "JOB_NAME", "CLUSTER_NAME", "JOB_PARTITION", "JOB_NODELIST", "RESTART_COUNT"}) {
    const char* value = std::getenv((std::string("SLURM_") + name).c_str());
    if (value == nullptr) continue;
    std::string key = name;
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    job[key] = value;
  }
  return job;
}

int64_t slurm_number(const std::string& name) {
  const char* value = std::getenv(("SLURM_" + name).c_str());
  return value == nullptr ? 0 : std::atoll(value);
}

int64_t slurm_ranks() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || slurm_number("JOB_ID") == 0) return 0;
  return slurm_number("NTASKS");
}

int64_t slurm_nodes() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || slurm_number("JOB_ID") == 0) return 0;
  return slurm_number("JOB_NUM_NODES");
}

std::string why_another_world(int64_t slurm_ranks, int64_t slurm_nodes, int64_t world_size) {
  // sbatch counts tasks where it was told of them alone.
  if (slurm_ranks == 0 && slurm_nodes > 1 && world_size == 1) {
    return fmt::format(
        "Slurm counts {} nodes in this job and MPI sees one rank: start the program with `srun --mpi=pmix` or mpirun, "
        "or ask for one node",
        slurm_nodes);
  }
  if (slurm_ranks == 0 || slurm_ranks == world_size) return "";
  return fmt::format(
      "Slurm counts {} tasks here and MPI sees {} rank{}: start the program with `srun --mpi=pmix` (`srun --mpi=list` "
      "says what there is) or mpirun; `srun --mpi=pmix -n {}` for {} of them",
      slurm_ranks, world_size, world_size == 1 ? "" : "s", world_size, world_size);
}

std::string describe_hosts(const comm::Communicator& comm) {
  std::set<std::string> seen;
  json::array hosts;
  for (const std::string& text : comm.all_gather(json::serialize(describe_host(comm.host())))) {
    if (seen.insert(text).second) hosts.push_back(json::parse(text));
  }
  return json::serialize(hosts);
}

}  // namespace invaria::app
