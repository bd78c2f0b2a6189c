/// @file
/// The ordered sum through messages, for ranks on several nodes.
///
/// Round by round: an all-to-all hands every element's values to its owner, the owner adds them, an all-gather hands
/// the sums to all. Few values are gathered to every rank at once instead, which saves a round trip.

#include <climits>
#include <cstring>
#include <vector>

#include "comm/ordered_sum.hpp"

namespace invaria::comm {

namespace {

constexpr size_t kShareBytes =
    size_t{1} << 20;  // per owner and round; bounds the staging memory at twice this times the ranks
constexpr size_t kGatherBytes = size_t{4} << 10;  // up to here latency decides

class MessageSum final : public OrderedSum {
 public:
  MessageSum(MPI_Comm comm, Waiting waiting) : comm_(comm), waiting_(waiting) {
    check(MPI_Comm_rank(comm, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm, &size_), "MPI_Comm_size");
    const auto ranks = static_cast<size_t>(size_);
    share_bytes_ = std::min(kShareBytes, (INT_MAX / ranks) & ~size_t{63});  // MPI counts a round's bytes in an int
    send_counts_.resize(ranks);
    send_begins_.resize(ranks);
    receive_counts_.resize(ranks);
    receive_begins_.resize(ranks);
  }

  void sum(Pieces<float> pieces, float divisor) override { sum_rounds(pieces, divisor); }
  void sum(Pieces<double> pieces, double divisor) override { sum_rounds(pieces, divisor); }

  void barrier() override { wait_for_all(comm_, waiting_); }

 private:
  template <class T>
  void sum_rounds(Pieces<T> pieces, T divisor) {
    const size_t total = total_size(pieces);
    const size_t round =
        total * sizeof(T) <= kGatherBytes ? total : share_bytes_ / sizeof(T) * static_cast<size_t>(size_);
    PieceCursor<T> in(pieces);
    PieceCursor<T> out(pieces);
    for (size_t done = 0; done < total; done += round) {
      const size_t count = std::min(round, total - done);
      flat_.resize(count * sizeof(T));
      T* const flat = reinterpret_cast<T*>(flat_.data());
      in.advance(count, [&](const T* run, size_t length, size_t at) { std::copy_n(run, length, flat + at); });
      if (count * sizeof(T) <= kGatherBytes) {
        gather_and_add(flat, count, divisor);
      } else {
        exchange_and_add(flat, count, divisor);
      }
      out.advance(count, [&](T* run, size_t length, size_t at) { std::copy_n(flat + at, length, run); });
    }
  }

  template <class T>
  void gather_and_add(T* flat, size_t count, T divisor) {
    const auto bytes = static_cast<int>(count * sizeof(T));
    received_.resize(count * sizeof(T) * static_cast<size_t>(size_));
    check(MPI_Allgather(flat, bytes, MPI_BYTE, received_.data(), bytes, MPI_BYTE, comm_), "MPI_Allgather");
    add_received(count, divisor, flat);
  }

  /// The first element of this count that `rank` owns.
  size_t share_begin(size_t count, int rank) const {
    return count * static_cast<size_t>(rank) / static_cast<size_t>(size_);
  }

  template <class T>
  void exchange_and_add(T* flat, size_t count, T divisor) {
    const size_t mine = share_begin(count, rank_ + 1) - share_begin(count, rank_);
    received_.resize(mine * sizeof(T) * static_cast<size_t>(size_));
    for (int rank = 0; rank < size_; ++rank) {
      const auto r = static_cast<size_t>(rank);
      send_begins_[r] = static_cast<int>(share_begin(count, rank) * sizeof(T));
      send_counts_[r] = static_cast<int>(share_begin(count, rank + 1) * sizeof(T)) - send_begins_[r];
      receive_begins_[r] = static_cast<int>(r * mine * sizeof(T));
      receive_counts_[r] = static_cast<int>(mine * sizeof(T));
    }
    check(MPI_Alltoallv(flat, send_counts_.data(), send_begins_.data(), MPI_BYTE, received_.data(),
                        receive_counts_.data(), receive_begins_.data(), MPI_BYTE, comm_),
          "MPI_Alltoallv");
    add_received(mine, divisor, flat + share_begin(count, rank_));
    check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, flat, send_counts_.data(), send_begins_.data(), MPI_BYTE,
                         comm_),
          "MPI_Allgatherv");
  }

  /// `received_` holds `count` values of each rank, in rank order.
  template <class T>
  void add_received(size_t count, T divisor, T* out) const {
    std::vector<const T*> sources(static_cast<size_t>(size_));
    for (size_t rank = 0; rank < sources.size(); ++rank) {
      sources[rank] = reinterpret_cast<const T*>(received_.data()) + rank * count;
    }
    add_in_rank_order<T>(sources, count, divisor, out);
  }

  MPI_Comm comm_;  // owned by the communicator, which outlives this
  Waiting waiting_;
  int rank_ = 0;
  int size_ = 1;
  size_t share_bytes_ = kShareBytes;
  std::vector<std::byte> flat_;      // this round's values, then their sums
  std::vector<std::byte> received_;  // all ranks' values of the elements that this rank owns
  std::vector<int> send_counts_, send_begins_, receive_counts_, receive_begins_;
};

}  // namespace

std::unique_ptr<OrderedSum> make_message_sum(MPI_Comm comm, Waiting waiting) {
  return std::make_unique<MessageSum>(comm, waiting);
}

}  // namespace invaria::comm
