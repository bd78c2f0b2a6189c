/// @file
/// The ordered sum through a window shared by all ranks.
///
/// Every rank has a flag (a count of the steps it has done, on its own cache line) and two slots of one chunk each.
/// Step "copied": my values are in my slot. For two ranks or few values, each rank then adds all slots itself: one wait
/// a chunk. Otherwise each rank adds its share of the chunk into its own slot, step "added", and all read the shares:
/// less memory traffic for a second wait. Slots alternate: a slot is written again only after every rank has counted
/// the chunk in between, hence has read it.

#include <atomic>
#include <cstring>
#include <new>
#include <vector>

#include "comm/node_window.hpp"
#include "comm/ordered_sum.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

constexpr size_t kChunkBytes = size_t{256} << 10;  // two ranks' slots stay in the second-level cache
constexpr size_t kDirectBytes = size_t{8} << 10;   // up to here a second wait costs more than it saves
constexpr int kDirectRanks = 2;

struct alignas(64) Flag {
  std::atomic<uint64_t> steps{0};
  /// Length of the sum whose chunk was copied last, one for each slot: a difference between ranks is seen, not summed.
  std::array<uint64_t, 2> total_bytes{};
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "flags are shared between processes");

class WindowSum final : public OrderedSum {
 public:
  WindowSum(MPI_Comm comm, Waiting waiting) : comm_(comm), waiting_(waiting) {
    check(MPI_Comm_rank(comm, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm, &size_), "MPI_Comm_size");
    const auto ranks = static_cast<size_t>(size_);
    window_ = std::make_unique<NodeWindow>(comm, ranks * (sizeof(Flag) + 2 * kChunkBytes));
    flags_ = reinterpret_cast<Flag*>(window_->data());
    slots_ = window_->data() + ranks * sizeof(Flag);
    new (flags_ + rank_) Flag;
    check(MPI_Barrier(comm), "MPI_Barrier");
  }

  void sum(Pieces<float> pieces, float divisor) override { sum_chunks(pieces, divisor); }
  void sum(Pieces<double> pieces, double divisor) override { sum_chunks(pieces, divisor); }

  void barrier() override { step_and_wait(); }

 private:
  template <class T>
  T* slot(int rank) const {
    return reinterpret_cast<T*>(slots_ + (2 * static_cast<size_t>(rank) + parity_) * kChunkBytes);
  }

  void step_and_wait() {
    flags_[rank_].steps.store(++steps_, std::memory_order_release);
    for (int rank = 0; rank < size_; ++rank) {
      Backoff backoff(waiting_, comm_);
      while (flags_[rank].steps.load(std::memory_order_acquire) < steps_) backoff.pause();
    }
  }

  template <class T>
  void sum_chunks(Pieces<T> pieces, T divisor) {
    constexpr size_t kChunk = kChunkBytes / sizeof(T);
    const size_t total = total_size(pieces);
    PieceCursor<T> in(pieces);
    PieceCursor<T> out(pieces);
    for (size_t done = 0; done < total || done == 0; done += kChunk) {
      const size_t count = std::min(kChunk, total - done);
      in.advance(count, [&](const T* run, size_t length, size_t at) { std::copy_n(run, length, slot<T>(rank_) + at); });
      flags_[rank_].total_bytes[parity_] = total * sizeof(T);
      step_and_wait();
      check_lengths(total * sizeof(T));
      if (size_ <= kDirectRanks || count * sizeof(T) <= kDirectBytes) {
        add_all(out, count, divisor);
      } else {
        add_share(count, divisor);
        step_and_wait();
        read_shares(out, count);
      }
      parity_ ^= 1;
    }
  }

  void check_lengths(uint64_t bytes) {
    for (int rank = 0; rank < size_; ++rank) {
      const uint64_t theirs = flags_[rank].total_bytes[parity_];
      if (theirs == bytes) continue;
      parity_ ^= 1;  // all ranks see it and leave here; the next sum must not write what another is still reading
      require(false, "a sum over ranks has {} bytes on rank {} and {} bytes on rank {}", bytes, rank_, theirs, rank);
    }
  }

  template <class T>
  std::vector<const T*> sources(size_t offset) const {
    std::vector<const T*> all(static_cast<size_t>(size_));
    for (int rank = 0; rank < size_; ++rank) all[static_cast<size_t>(rank)] = slot<T>(rank) + offset;
    return all;
  }

  template <class T>
  void add_all(PieceCursor<T>& out, size_t count, T divisor) const {
    out.advance(count,
                [&](T* run, size_t length, size_t at) { add_in_rank_order<T>(sources<T>(at), length, divisor, run); });
  }

  size_t share_begin(size_t count, int rank) const {
    return count * static_cast<size_t>(rank) / static_cast<size_t>(size_);
  }

  template <class T>
  void add_share(size_t count, T divisor) const {
    const size_t begin = share_begin(count, rank_);
    add_in_rank_order<T>(sources<T>(begin), share_begin(count, rank_ + 1) - begin, divisor, slot<T>(rank_) + begin);
  }

  template <class T>
  void read_shares(PieceCursor<T>& out, size_t count) const {
    for (int rank = 0; rank < size_; ++rank) {
      const size_t begin = share_begin(count, rank);
      const T* const share = slot<T>(rank) + begin;
      out.advance(share_begin(count, rank + 1) - begin,
                  [&](T* run, size_t length, size_t at) { std::copy_n(share + at, length, run); });
    }
  }

  MPI_Comm comm_;  // owned by the communicator, which outlives this
  Waiting waiting_;
  int rank_ = 0;
  int size_ = 1;
  std::unique_ptr<NodeWindow> window_;
  Flag* flags_ = nullptr;
  std::byte* slots_ = nullptr;
  uint64_t steps_ = 0;
  size_t parity_ = 0;
};

}  // namespace

std::unique_ptr<OrderedSum> make_window_sum(MPI_Comm comm, Waiting waiting) {
  return std::make_unique<WindowSum>(comm, waiting);
}

}  // namespace invaria::comm
