#include "comm/node_window.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/errors.hpp"

namespace invaria::comm {

void WindowTraits::close(Type window) noexcept {
  if (!may_free_together()) return;
  MPI_Win_unlock_all(window);
  MPI_Win_free(&window);
}

NodeWindow::NodeWindow(MPI_Comm node, size_t bytes) {
  int rank = 0;
  int size = 1;
  check(MPI_Comm_rank(node, &rank), "MPI_Comm_rank");
  check(MPI_Comm_size(node, &size), "MPI_Comm_size");

  // Rank 0 of the node holds all of it: one contiguous range, and what aligning it may take.
  MPI_Win window = MPI_WIN_NULL;
  void* mine = nullptr;
  const auto own_bytes = static_cast<MPI_Aint>(rank == 0 ? bytes + kAlignment : 0);
  const int code = MPI_Win_allocate_shared(own_bytes, 1, MPI_INFO_NULL, node, &mine, &window);
  int failed = code != MPI_SUCCESS ? 1 : 0;
  check(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, node), "MPI_Allreduce");
  if (code != MPI_SUCCESS) check(code, fmt::format("MPI_Win_allocate_shared of {} MiB", bytes >> 20).c_str());
  if (failed != 0)
    throw_environment("another rank of this node got no shared memory ({} MiB), on {}", bytes >> 20, process_name());
  window_ = UniqueHandle<WindowTraits>(window);
  check(MPI_Win_set_errhandler(window, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");

  MPI_Aint held = 0;
  int unit = 1;
  check(MPI_Win_shared_query(window, 0, &held, &unit, &data_), "MPI_Win_shared_query");
  // Ranks map whole pages: what aligns rank 0's address aligns every rank's.
  uint64_t skipped = -reinterpret_cast<uintptr_t>(data_) % kAlignment;
  check(MPI_Bcast(&skipped, 1, MPI_UINT64_T, 0, node), "MPI_Bcast");
  data_ += skipped;
  require(reinterpret_cast<uintptr_t>(data_) % kAlignment == 0, "shared memory lies differently on rank {} of its node",
          rank);
  // One epoch for the window's whole life: loads and stores, ordered by atomics and barriers.
  check(MPI_Win_lock_all(MPI_MODE_NOCHECK, window), "MPI_Win_lock_all");

  const size_t begin = bytes * static_cast<size_t>(rank) / static_cast<size_t>(size);
  const size_t end = bytes * (static_cast<size_t>(rank) + 1) / static_cast<size_t>(size);
  std::memset(data_ + begin, 0, end - begin);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  check(MPI_Barrier(node), "MPI_Barrier");
}

}  // namespace invaria::comm
