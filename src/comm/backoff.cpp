#include "comm/backoff.hpp"

#include "comm/mpi_check.hpp"

namespace invaria::comm {

void wait_for_all(MPI_Comm comm, Waiting waiting) {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(comm, &request), "MPI_Ibarrier");
  Backoff backoff(waiting, comm);
  for (int done = 0; done == 0;) {
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) backoff.pause();
  }
}

}  // namespace invaria::comm
