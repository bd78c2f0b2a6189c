#pragma once
/// @file
/// The process's place among the others, and the collectives that the program uses. MPI stays behind this door.
///
/// Sums are taken in rank order for every element, (v_0 + v_1) + v_2 ..., so that transport, algorithm and node layout
/// never change a bit of the result.
///
/// All ranks call the same collectives in the same order, from one thread at a time; a second thread takes a
/// duplicate(). Every call throws EnvironmentError if MPI refuses, naming call, code, rank and host.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/node_memory.hpp"

namespace invaria::comm {

/// MPI_Init_thread to MPI_Finalize. Make exactly one, first thing in main and outside its try block, and let it outlive
/// every Communicator. Where MPI runs already (a test's main), it leaves starting and ending to whoever started it.
///
/// A rank that an exception carries out of the environment's scope does not finalise: the launcher then ends the other
/// ranks.
class MpiEnvironment {
 public:
  /// Collective: all processes. @throws EnvironmentError if MPI gives less than MPI_THREAD_MULTIPLE
  MpiEnvironment(int* argc, char*** argv);
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;

 private:
  bool owns_ = false;
};

/// How sums and barriers travel. The results are equal to the bit.
enum class Transport {
  kAutomatic,  ///< kWindow where all ranks share a node, else kMessages
  kWindow,     ///< memory shared by the node's ranks
  kMessages,   ///< MPI messages, across nodes
};

/// A group of ranks. Copies share the group.
///
/// Dropping the last copy is collective. While an exception unwinds the stack, and after MPI_Finalize, nothing is freed
/// instead: the other ranks may be elsewhere.
class Communicator {
 public:
  /// Collective: all ranks. The group of all ranks. `transport` lets one node stand in for several (tests, doctor).
  /// @throws PreconditionError for kWindow where the ranks live on several nodes
  static Communicator world(Transport transport = Transport::kAutomatic);

  /// This process by itself, whoever runs beside it: the one rank that many are compared with. Not collective.
  static Communicator alone();

  /// Collective. The same ranks with channels of their own, for another thread; bytes_reduced() counts both.
  Communicator duplicate() const;

  int rank() const;
  int size() const;
  bool is_root() const { return rank() == 0; }
  /// This rank among those on the same node (shared memory), how many they are, and on how many nodes the group lives.
  int node_rank() const;
  int node_size() const;
  int n_nodes() const;
  const std::string& host() const;
  /// kWindow or kMessages.
  Transport transport() const;

  /// Collective. Wait for all; a long wait sleeps.
  void barrier() const;
  /// Collective. True for all if true for any / for all.
  bool any(bool mine) const;
  bool all(bool mine) const;
  /// Collective. Root's bytes for everybody. Spans must have equal lengths on all ranks.
  void broadcast(std::span<std::byte> bytes) const;
  std::string broadcast(const std::string& text) const;
  /// Collective. In place; equal type and shape on all ranks.
  void broadcast(at::Tensor& tensor) const;
  /// Collective. Every rank's text, in rank order.
  std::vector<std::string> all_gather(const std::string& text) const;
  std::vector<double> all_gather(double value) const;
  /// Collective. In place, element by element, the sum in rank order. Lengths must be equal on all ranks.
  /// @throws PreconditionError on all ranks if they are not (kWindow; kMessages finds most cases and then throws
  /// EnvironmentError)
  void all_reduce_sum(std::span<float> values) const;
  void all_reduce_sum(std::span<double> values) const;
  /// Collective. In place; contiguous float or double, CPU (a CUDA tensor goes through the host).
  void all_reduce_sum(at::Tensor& tensor) const;
  /// Collective. In place, several pieces as if they were one: the sum in rank order, divided by the number of ranks.
  void all_reduce_mean(std::span<const std::span<float>> pieces) const;
  /// Collective. [n_r, ...] on rank r -> [sum n_r, ...] on all, in rank order; n_r may differ (or be 0), trailing
  /// shapes may not. Any type; the result lives on `local`'s device and carries no gradient.
  /// @throws PreconditionError on all ranks if types or trailing shapes differ, or a tensor has no or more than 6
  /// dimensions
  at::Tensor all_gather_rows(const at::Tensor& local) const;
  /// Collective. Sum `global` [sum n_r, ...] over ranks in rank order and keep this rank's n_r rows (`local_rows`).
  /// Float or double.
  /// @throws PreconditionError on all ranks if the local rows do not add up to the global ones on some rank
  at::Tensor reduce_scatter_rows(const at::Tensor& global, int64_t local_rows) const;

  /// Memory shared by the node's ranks (an MPI-3 window); calls on it are collective over the node, and so is letting
  /// go of a pointer from allocate(): each rank's last copy, in the same order as on the others, before MPI_Finalize.
  NodeMemory node_memory() const;
  /// Bytes of payload this rank handed to all_reduce_sum and all_reduce_mean (here or in a duplicate), for the tests of
  /// what a step moves.
  int64_t bytes_reduced() const;
  /// Add what a transport outside this class (NCCL) has reduced.
  void count_reduced(int64_t bytes) const;

 private:
  struct State;
  explicit Communicator(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  friend class JobCounter;
  friend class Patience;
  friend class Watchdog;
};

}  // namespace invaria::comm
