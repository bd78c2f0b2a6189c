#pragma once
/// @file
/// The one checked way to call MPI, and owners for its handles. For comm's own sources and tests: nobody else sees
/// mpi.h.

#include <string>

#include "comm/mpi.hpp"
#include "core/unique_handle.hpp"

namespace invaria::comm {

/// Turn a return code into an error: `check(MPI_Barrier(comm), "MPI_Barrier")`. Needs MPI_ERRORS_RETURN on the handle
/// used.
/// @throws EnvironmentError naming call, code, MPI's text, rank and host, unless `code` is MPI_SUCCESS
void check(int code, const char* call);

/// "rank 3 of 8 on node7", as errors name this process; works before MPI_Init and after MPI_Finalize too.
std::string process_name();

/// True between MPI_Init and MPI_Finalize. Destructors ask before they call MPI: a static may outlive it.
bool mpi_is_running() noexcept;

/// True if a destructor may make a collective call now: MPI runs and no exception is unwinding this rank's stack. While
/// one is, the other ranks may be anywhere, and waiting for them here would hang the rank before it could report its
/// error. The handle leaks then, and the process is about to end.
bool may_free_together() noexcept;

struct CommTraits {
  using Type = MPI_Comm;
  static Type invalid() { return MPI_COMM_NULL; }
  static void close(Type comm) noexcept;
};
/// An MPI communicator of ours. Dropping it is collective.
using UniqueComm = UniqueHandle<CommTraits>;

/// Collective: a duplicate that no other traffic uses, with MPI_ERRORS_RETURN.
UniqueComm duplicate(MPI_Comm comm);

}  // namespace invaria::comm
