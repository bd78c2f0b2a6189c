#include "app/all_ranks.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "app/host.hpp"
#include "comm/agree.hpp"
#include "core/machine_refusal.hpp"
#include "core/shutdown.hpp"

namespace invaria::app {

ToldError told(const std::exception& error) {
  if (dynamic_cast<const ConfigError*>(&error) != nullptr) return {ExitCode::kConfig, error.what()};
  if (dynamic_cast<const EnvironmentError*>(&error) != nullptr) return {ExitCode::kEnvironment, error.what()};
  const std::string refusal = machine_refusal(error);
  if (!refusal.empty()) return {ExitCode::kEnvironment, refusal};
  return {ExitCode::kPrecondition, error.what()};
}

std::unique_ptr<comm::Watchdog> watch_over(const comm::Communicator& comm, double limit_s,
                                           const std::function<void(const std::string& what)>& before) {
  if (limit_s <= 0) return nullptr;
  return std::make_unique<comm::Watchdog>(comm, limit_s, [before](const std::string& what) {
    before(what);
    fmt::print(stderr, "error: {}: stopping all ranks; the same command continues\n", what);
    std::fflush(nullptr);
    comm::abort_all(static_cast<int>(ExitCode::kStopped));
  });
}

ExitCode on_all_ranks(int* argc, char*** argv, const std::function<ExitCode(const comm::Communicator&)>& work) {
  const int64_t meant = slurm_ranks(), nodes = slurm_nodes();
  const int64_t tasks = slurm_number("NTASKS");  // as above, before MPI starts
  install_shutdown_handlers();                   // a batch system may signal while the data is still looked at
  // Declared first, so that MPI ends after everything that uses it.
  const comm::MpiEnvironment environment(argc, argv);
  const comm::Communicator comm = comm::Communicator::world();
  if (const std::string why = why_another_world(meant, nodes, comm.size()); !why.empty()) {
    if (slurm_number("PROCID") == 0) fmt::print(stderr, "error: {}\n", why);  // each task is a world of its own
    return ExitCode::kEnvironment;
  }
  if (comm.is_root() && tasks > comm.size()) {  // by mpirun, with a number of its own
    fmt::print(stderr, "warning: Slurm counts {} tasks in this job and mpirun started {}: the others stay idle\n",
               tasks, comm.size());
  }
  ExitCode code = ExitCode::kPrecondition;
  const auto fail = [&](const std::exception& error) {
    const auto [kind, what] = told(error);
    const bool is_shared = comm.size() == 1 || dynamic_cast<const comm::SharedFailure*>(&error) != nullptr;
    if (!is_shared) {
      // The others wait for this rank somewhere: nobody can leave in good order.
      fmt::print(stderr, "error on rank {} ({}): {}\n", comm.rank(), comm.host(), what);
      comm::abort_all(static_cast<int>(kind));
    }
    if (comm.is_root())
      fmt::print(stderr, "{}: {}\n", kind == ExitCode::kPrecondition ? "internal error" : "error", what);
    code = kind;
  };
  try {
    code = work(comm);
  } catch (const std::exception& error) {
    fail(error);
  }
  std::fflush(nullptr);
  comm.barrier();
  return code;
}

}  // namespace invaria::app
