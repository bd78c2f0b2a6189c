#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <nccl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <torch/version.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "app/app.hpp"
#include "app/device.hpp"
#include "app/host.hpp"
#include "app/version.hpp"
#include "comm/communicator.hpp"
#include "comm/mpi.hpp"
#include "core/timer.hpp"
#include "data/load.hpp"
#include "data/manifest.hpp"
#include "data/pack.hpp"

extern "C" size_t cudnnGetVersion();

namespace invaria::app {
namespace {

enum class Health { kOk, kWarning, kError };

/// A line a finding, and the worst of them.
class Chart {
 public:
  void add(Health health, const std::string& what, const std::string& found, const std::string& mend = "") {
    const char* word = health == Health::kOk ? "ok" : health == Health::kWarning ? "warning" : "error";
    text_ += fmt::format("{:8} {:14} {}{}{}\n", word, what, found, mend.empty() ? "" : "\n                        -> ",
                         mend);
    has_error_ = has_error_ || health == Health::kError;
  }
  const std::string& text() const { return text_; }
  bool has_error() const { return has_error_; }

 private:
  std::string text_;
  bool has_error_ = false;
};

/// Ranks that the launcher says it started, if one did.
std::optional<int> launched_ranks() {
  // SLURM_NTASKS alone only says that we are inside an allocation; a step that srun started has SLURM_STEP_ID and
  // PROCID too.
  if (const char* open_mpi = std::getenv("OMPI_COMM_WORLD_SIZE")) return std::atoi(open_mpi);
  const bool in_step = std::getenv("SLURM_PROCID") != nullptr && std::getenv("SLURM_STEP_ID") != nullptr;
  if (const char* slurm = std::getenv("SLURM_NTASKS"); slurm != nullptr && in_step) return std::atoi(slurm);
  return std::nullopt;
}

void check_mpi(const comm::Communicator& comm, Chart& chart) {
  const std::optional<int> launched = launched_ranks();
  if (launched && *launched != comm.size()) {
    chart.add(Health::kError, "MPI world", fmt::format("{} rank, the launcher started {}", comm.size(), *launched),
              "srun needs --mpi=pmix, and mpirun must be that of the MPI this program is linked with: else every rank "
              "runs the whole suite alone");
  } else {
    chart.add(Health::kOk, "MPI world",
              fmt::format("{} rank{} on {} node{}", comm.size(), comm.size() == 1 ? "" : "s", comm.n_nodes(),
                          comm.n_nodes() == 1 ? "" : "s"));
  }
  int level = 0;
  MPI_Query_thread(&level);
  chart.add(level >= MPI_THREAD_MULTIPLE ? Health::kOk : Health::kError, "MPI threads",
            level >= MPI_THREAD_MULTIPLE ? "MPI_THREAD_MULTIPLE" : fmt::format("level {}", level),
            level >= MPI_THREAD_MULTIPLE ? "" : "use an MPI built with thread support");
}

void check_threads(int threads, const comm::Communicator& comm, Chart& chart) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int busy = threads * comm.node_size();
  const std::string found = fmt::format("{} thread{} a rank, {} rank{} on {} cores", threads, threads == 1 ? "" : "s",
                                        comm.node_size(), comm.node_size() == 1 ? "" : "s", cores);
  if (busy > cores) {
    chart.add(Health::kWarning, "threads", found + ": oversubscribed",
              "start fewer ranks a node, or unset OMP_NUM_THREADS (the program shares the cores out)");
  } else if (2 * busy <= cores) {
    chart.add(Health::kWarning, "threads", found + ": cores left idle",
              "start more ranks a node, or let the launcher bind less tightly (mpirun --bind-to none)");
  } else {
    chart.add(Health::kOk, "threads", found);
  }
}

void check_gpus(Chart& chart) {
  int n_gpus = 0;
  const cudaError_t error = cudaGetDeviceCount(&n_gpus);
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  cudaGetLastError();
  if (driver == 0) {
    chart.add(Health::kOk, "GPU", "none, no driver: runs on the CPU");
  } else if (driver < runtime / 1000 * 1000) {
    chart.add(
        Health::kError, "GPU driver",
        fmt::format("speaks CUDA {}.{}, the program needs {}.x", driver / 1000, driver % 1000 / 10, runtime / 1000),
        "update the driver, or run with --device cpu");
  } else if (error != cudaSuccess || n_gpus == 0) {
    chart.add(Health::kWarning, "GPU", fmt::format("a driver but no usable GPU: {}", cudaGetErrorString(error)),
              "look at nvidia-smi; --device cpu works without");
  } else {
    chart.add(Health::kOk, "GPU", std::string(describe_host("").at("gpu").as_string()));
  }
}

void check_version(const char* name, const std::string& built, const std::string& found, Chart& chart) {
  const bool same = built == found;
  chart.add(
      same ? Health::kOk : Health::kError, name,
      same ? found : fmt::format("{} at run time, built with {}", found, built),
      same ? ""
           : "another copy of the library comes first on LD_LIBRARY_PATH: unset it, or build again with scripts/setup");
}

/// The version that the loaded library tells of itself.
std::string loaded_torch_version() {
  const std::string config = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const size_t begin = config.find(key);
  if (begin == std::string::npos) return "unknown";
  const size_t first = begin + key.size();
  return config.substr(first, config.find_first_of(", \n", first) - first);
}

void check_libraries(Chart& chart) {
  const auto three = [](long version) {
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
  };
  int nccl = 0;
  ncclGetVersion(&nccl);
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const auto cuda = [](int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); };
  check_version("CUDA", cuda(CUDART_VERSION), cuda(runtime), chart);
  check_version("cuDNN", three(CUDNN_VERSION), three(static_cast<long>(cudnnGetVersion())), chart);
  check_version("NCCL", three(NCCL_VERSION_CODE), three(nccl), chart);
  check_version("HDF5", fmt::format("{}.{}.{}", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE),
                fmt::format("{}.{}.{}", major, minor, release), chart);
  check_version("LibTorch", TORCH_VERSION, loaded_torch_version(), chart);
}

/// Write, lock and fsync a file where results would go.
void check_file_system(const std::filesystem::path& output, Chart& chart) {
  std::filesystem::path folder = output;
  while (!folder.empty() && !std::filesystem::exists(folder)) folder = folder.parent_path();
  if (folder.empty()) folder = ".";
  const std::string name = (folder / fmt::format(".doctor-{}.tmp", getpid())).string();
  const int file = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    chart.add(Health::kError, "output", fmt::format("{}: cannot write: {}", folder.string(), std::strerror(errno)),
              "give another --output, or mend its permissions");
    return;
  }
  const bool locks = flock(file, LOCK_EX | LOCK_NB) == 0;
  const std::string block(4096, 'x');
  Timer timer;
  const bool synced = write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()) && fsync(file) == 0;
  const double milliseconds = 1e3 * timer.seconds();
  close(file);
  unlink(name.c_str());
  chart.add(synced ? Health::kOk : Health::kError, "fsync", fmt::format("{}: {:.1f} ms", folder.string(), milliseconds),
            synced ? "" : "the file system cannot keep finished work safe: give another --output");
  chart.add(
      locks ? Health::kOk : Health::kWarning, "locking", locks ? "works" : std::strerror(errno),
      locks ? ""
            : "never start two runs in one output directory; HDF5_USE_FILE_LOCKING=FALSE lets readers open results");
  struct statvfs space = {};
  if (statvfs(folder.c_str(), &space) == 0) {
    const double free_GiB = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize) / 1073741824.0;
    chart.add(free_GiB < 1.0 ? Health::kWarning : Health::kOk, "space", fmt::format("{:.1f} GiB free", free_GiB),
              free_GiB < 1.0 ? "checkpoints hold every weight and two moments; make room" : "");
  }
}

void check_data_sets(const std::vector<std::filesystem::path>& data_folders, Chart& chart) {
  const auto folders = data::manifest_folders({}, data_folders);
  std::string absent;
  for (const std::string& name : data::known_datasets(folders)) {
    config::Problems problems;
    const auto manifest = data::find_manifest(name, folders, name, problems);
    const bool is_made = manifest && manifest->kind == data::DatasetKind::kSynthetic;
    if (manifest && !is_made && !data::locate(*manifest, data_folders) &&
        data::pack_files(*manifest, data_folders).empty()) {
      absent += (absent.empty() ? "" : ", ") + name;
      continue;
    }
    if (manifest)
      data::check_dataset(*manifest, {.name = name}, {data_folders, at::get_num_threads(), {}},
                          data::CheckDepth::kListing, name, problems);
    if (problems.empty()) {
      chart.add(Health::kOk, "data", name);
    } else {
      const config::Problem& first = problems.list().front();
      chart.add(Health::kWarning, "data", fmt::format("{}: {}", name, first.found.empty() ? "not found" : first.found),
                first.hint);
    }
  }
  if (!absent.empty())
    chart.add(Health::kOk, "data", "not here: " + absent + " (`invaria data list` says how to get them)");
}

}  // namespace

ExitCode doctor_command(const std::filesystem::path& output, const std::vector<std::filesystem::path>& data_folders,
                        int* argc, char*** argv) {
  const comm::MpiEnvironment environment(argc, argv);
  const comm::Communicator comm = comm::Communicator::world();
  const int threads = choose_threads(comm);
  at::set_num_threads(threads);
  Chart chart;
  if (comm.node_rank() == 0) {
    chart.add(Health::kOk, "host",
              fmt::format("{}, {}, {} cores", comm.host(), cpu_model(), std::thread::hardware_concurrency()));
    if (comm.is_root()) check_mpi(comm, chart);
    check_threads(threads, comm, chart);
    check_gpus(chart);
    check_libraries(chart);
    check_file_system(output, chart);
    check_data_sets(data_folders, chart);
  }
  for (const std::string& of_node : comm.all_gather(chart.text())) {
    if (comm.is_root() && !of_node.empty()) fmt::print("{}", of_node);
  }
  return comm.any(chart.has_error()) ? ExitCode::kEnvironment : ExitCode::kOk;
}

}  // namespace invaria::app
