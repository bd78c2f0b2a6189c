#pragma once
/// @file
/// Memory that the ranks of a node share, seen without MPI: comm makes one over a shared window, tests use private
/// memory.

#include <cstddef>
#include <functional>
#include <memory>

namespace invaria {

/// How to hold one copy of something per node and fill it together.
struct NodeMemory {
  int rank = 0;  ///< this process among the node's, for sharing out the filling
  int size = 1;  ///< processes on the node
  /// Collective over the node: the same zero-filled bytes for all its ranks, freed when the last pointer on this rank
  /// goes (collective again: all ranks let go in the same order).
  std::function<std::shared_ptr<std::byte>(size_t bytes)> allocate;
  /// Collective over the node: everybody's writes are visible to everybody afterwards.
  std::function<void()> barrier;
  /// Collective over the node: true for all if it is true for any (an error on one rank must stop all).
  std::function<bool(bool)> any;

  /// Ordinary memory of this process alone.
  static NodeMemory private_memory();
};

}  // namespace invaria
