#include <exception>

#include "comm/communicator.hpp"
#include "comm/mpi_check.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

MpiEnvironment::MpiEnvironment(int* argc, char*** argv) {
  int provided = MPI_THREAD_SINGLE;
  if (mpi_is_running()) {
    check(MPI_Query_thread(&provided), "MPI_Query_thread");
  } else {
    check(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
    owns_ = true;
  }
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (provided < MPI_THREAD_MULTIPLE) {
    throw_environment(
        "MPI gives thread level {} and MPI_THREAD_MULTIPLE ({}) is needed, on {}: use an MPI built with thread support",
        provided, MPI_THREAD_MULTIPLE, process_name());
  }
}

MpiEnvironment::~MpiEnvironment() {
  // Left by an exception: the other ranks may be waiting elsewhere. Ending without MPI_Finalize makes the launcher end
  // them.
  if (owns_ && may_free_together()) MPI_Finalize();
}

}  // namespace invaria::comm
