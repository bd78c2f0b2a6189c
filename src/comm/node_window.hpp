#pragma once
/// @file
/// Memory that the ranks of one node share: an MPI-3 shared-memory window, held for load and store.

#include <cstddef>

#include "comm/mpi_check.hpp"

namespace invaria::comm {

struct WindowTraits {
  using Type = MPI_Win;
  static Type invalid() { return MPI_WIN_NULL; }
  static void close(Type window) noexcept;
};

/// The same zero-filled bytes for every rank of a node, from a multiple of kAlignment on.
///
/// Dropping it is collective over the node (MPI_Win_free waits for all ranks). A rank whose stack is being unwound by
/// an exception, or that outlives MPI_Finalize, leaves the window to the end of the process instead.
class NodeWindow {
 public:
  static constexpr size_t kAlignment = 64;  ///< a cache line's: what MPI gives may begin anywhere

  /// Collective over `node`, whose ranks must share memory and pass the same `bytes`. Each rank zeroes its share, so
  /// the pages spread over the node's memory banks. @throws EnvironmentError on all ranks of the node if the memory is
  /// not to be had
  NodeWindow(MPI_Comm node, size_t bytes);

  std::byte* data() const { return data_; }

 private:
  UniqueHandle<WindowTraits> window_;
  std::byte* data_ = nullptr;
};

}  // namespace invaria::comm
