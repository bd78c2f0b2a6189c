#include "comm/mpi_check.hpp"

#include <unistd.h>

#include <array>
#include <exception>

#include "core/errors.hpp"

namespace invaria::comm {

namespace {

std::string error_text(int code) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) return "unknown error";
  return {text.data(), static_cast<size_t>(length)};
}

}  // namespace

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  throw_environment("{} failed with code {} ({}) on {}", call, code, error_text(code), process_name());
}

std::string process_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host = {"unknown host"};
  if (!mpi_is_running()) return fmt::format("process {} on {}", getpid(), host.data());
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return fmt::format("rank {} of {} on {}", rank, size, host.data());
}

bool mpi_is_running() noexcept {
  int initialised = 0;
  int finalised = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  return initialised != 0 && finalised == 0;
}

bool may_free_together() noexcept {
  return std::uncaught_exceptions() == 0 && mpi_is_running();
}

void CommTraits::close(Type comm) noexcept {
  if (may_free_together()) MPI_Comm_free(&comm);
}

UniqueComm duplicate(MPI_Comm comm) {
  MPI_Comm made = MPI_COMM_NULL;
  check(MPI_Comm_dup(comm, &made), "MPI_Comm_dup");
  UniqueComm owner(made);
  check(MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return owner;
}

}  // namespace invaria::comm
