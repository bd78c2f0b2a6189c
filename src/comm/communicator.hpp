#pragma once
/// @file
/// The process's place among the others, and the collectives that the program uses. MPI stays behind this door.
///
/// Sums are taken in rank order in fixed chunks, so that transport, algorithm and node layout never change a bit of the result.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/node_memory.hpp"

namespace invaria::comm {

/// MPI_Init_thread to MPI_Finalize. Make exactly one, first thing in main, and let it outlive every Communicator.
class MpiEnvironment {
 public:
  /// Collective: all processes. @throws EnvironmentError if MPI gives less than MPI_THREAD_MULTIPLE
  MpiEnvironment(int* argc, char*** argv);
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
};

/// A group of ranks. Copies share the group.
class Communicator {
 public:
  /// Collective: all ranks, once. The group of all ranks.
  static Communicator world();

  int rank() const;
  int size() const;
  bool is_root() const { return rank() == 0; }
  /// This rank among those on the same node (shared memory), how many they are, and on how many nodes the group lives.
  int node_rank() const;
  int node_size() const;
  int n_nodes() const;
  const std::string& host() const;

  /// Collective. Wait for all.
  void barrier() const;
  /// Collective. True for all if true for any / for all.
  bool any(bool mine) const;
  bool all(bool mine) const;
  /// Collective. Root's bytes for everybody.
  void broadcast(std::span<std::byte> bytes) const;
  std::string broadcast(const std::string& text) const;
  void broadcast(at::Tensor& tensor) const;
  /// Collective. Every rank's text, in rank order.
  std::vector<std::string> all_gather(const std::string& text) const;
  std::vector<double> all_gather(double value) const;
  /// Collective. In place, element by element, the sum in rank order. Spans must have equal lengths on all ranks.
  void all_reduce_sum(std::span<float> values) const;
  void all_reduce_sum(std::span<double> values) const;
  /// Collective. In place; contiguous float or double, CPU (a CUDA tensor goes through the host).
  void all_reduce_sum(at::Tensor& tensor) const;
  /// Collective. [n_r, ...] on rank r -> [sum n_r, ...] on all, in rank order; n_r may differ, trailing shapes may not.
  at::Tensor all_gather_rows(const at::Tensor& local) const;
  /// Collective. Sum `global` [sum n_r, ...] over ranks in rank order and keep this rank's n_r rows (`local_rows`).
  at::Tensor reduce_scatter_rows(const at::Tensor& global, int64_t local_rows) const;

  /// Memory shared by the node's ranks (an MPI-3 window); calls on it are collective over the node.
  NodeMemory node_memory() const;
  /// Bytes of payload this rank handed to all_reduce_sum since construction, for the tests of what a step moves.
  int64_t bytes_reduced() const;

 private:
  struct State;
  explicit Communicator(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  friend class JobCounter;
};

}  // namespace invaria::comm
