#pragma once
/// @file
/// The slow, obvious twin of the ordered sum: gather everything everywhere, add in rank order. Shares no code with
/// comm.

#include <cmath>
#include <cstring>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/mpi.hpp"
#include "core/philox.hpp"

namespace invaria::comm {

inline int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

inline int world_size() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

/// Values of magnitudes from 2^-20 to 2^20, different on every rank: adding them in another order gives other bits.
template <class T>
std::vector<T> awkward_values(size_t count, uint64_t seed) {
  Draws draws({.seed = seed, .sample = static_cast<uint64_t>(world_rank())});
  std::vector<T> values(count);
  for (T& value : values)
    value = static_cast<T>(std::ldexp(draws.uniform(-1, 1), static_cast<int>(draws.below(41)) - 20));
  return values;
}

template <class T>
std::vector<T> reference_sum(const std::vector<T>& mine) {
  const auto ranks = static_cast<size_t>(world_size());
  const auto bytes = static_cast<int>(mine.size() * sizeof(T));
  std::vector<T> all(mine.size() * ranks);
  MPI_Allgather(mine.data(), bytes, MPI_BYTE, all.data(), bytes, MPI_BYTE, MPI_COMM_WORLD);
  std::vector<T> sum(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(mine.size()));
  for (size_t rank = 1; rank < ranks; ++rank) {
    for (size_t k = 0; k < mine.size(); ++k) sum[k] += all[rank * mine.size() + k];
  }
  return sum;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace invaria::comm
