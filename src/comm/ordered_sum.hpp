#pragma once
/// @file
/// Sums over ranks whose bits do not depend on how they travelled: every element is ((v_0 + v_1) + v_2) + ..., in rank
/// order.
///
/// Work is cut into fixed chunks, and within a chunk each element has one owner that adds all ranks' values. Two
/// transports: a shared window where all ranks live on one node, and messages (each owner receives its elements from
/// all, then all receive the owners' sums: 2 n (P - 1) / P values sent per rank, as a ring would) everywhere else. MPI
/// moves bytes here and never adds.

#include <cstddef>
#include <memory>
#include <span>

#include "comm/backoff.hpp"
#include "comm/mpi_check.hpp"

namespace invaria::comm {

/// Several pieces of memory, summed as if they were one, so that gradients need not be copied together first.
template <class T>
using Pieces = std::span<const std::span<T>>;

/// Walks through pieces from front to back.
template <class T>
class PieceCursor {
 public:
  explicit PieceCursor(Pieces<T> pieces) : pieces_(pieces) {}

  /// Visit the next `count` elements as contiguous runs: visit(T* run, size_t length, size_t offset within these
  /// `count`).
  template <class Visit>
  void advance(size_t count, const Visit& visit) {
    for (size_t done = 0; done < count;) {
      const std::span<T> piece = pieces_[piece_];
      const size_t length = std::min(count - done, piece.size() - offset_);
      if (length > 0) visit(piece.data() + offset_, length, done);
      done += length;
      offset_ += length;
      if (offset_ == piece.size()) {
        ++piece_;
        offset_ = 0;
      }
    }
  }

 private:
  Pieces<T> pieces_;
  size_t piece_ = 0;
  size_t offset_ = 0;
};

template <class T>
size_t total_size(Pieces<T> pieces) {
  size_t total = 0;
  for (const auto piece : pieces) total += piece.size();
  return total;
}

/// out[k] = (sources[0][k] + sources[1][k] + ...) / divisor for k in [0, count), added from left to right. `out` may be
/// one of the sources. Division by 1 is exact, so a plain sum takes divisor 1.
template <class T>
void add_in_rank_order(std::span<const T* const> sources, size_t count, T divisor, T* out);

/// A transport. All calls are collective, with equal lengths on all ranks, and from one thread at a time.
class OrderedSum {
 public:
  virtual ~OrderedSum() = default;
  /// In place: the sum over ranks, divided by `divisor`. @throws PreconditionError if the lengths differ (where that
  /// can be seen for free)
  virtual void sum(Pieces<float> pieces, float divisor) = 0;
  virtual void sum(Pieces<double> pieces, double divisor) = 0;
  /// Wait for all ranks, without burning a core when the wait is long.
  virtual void barrier() = 0;
};

/// Through memory shared by the ranks of `comm`, which must all live on one node. Collective.
std::unique_ptr<OrderedSum> make_window_sum(MPI_Comm comm, Waiting waiting);
/// Through messages. Collective.
std::unique_ptr<OrderedSum> make_message_sum(MPI_Comm comm, Waiting waiting);

}  // namespace invaria::comm
