#pragma once
/// @file
/// Moving bytes of any length through MPI calls that count in int.

#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "comm/mpi_check.hpp"

namespace invaria::comm {

/// Collective: `root`'s bytes for everybody, at most `limit` in one MPI call.
void broadcast_bytes(MPI_Comm comm, int root, std::span<std::byte> bytes, size_t limit = INT_MAX);

/// Collective: one fixed-size record of every rank, in rank order.
template <class Record>
std::vector<Record> gather_records(MPI_Comm comm, const Record& mine) {
  static_assert(std::is_trivially_copyable_v<Record>);
  int size = 1;
  check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
  std::vector<Record> all(static_cast<size_t>(size));
  check(MPI_Allgather(&mine, sizeof(Record), MPI_BYTE, all.data(), sizeof(Record), MPI_BYTE, comm), "MPI_Allgather");
  return all;
}

/// Collective: every rank's bytes one after another in rank order, for all. `sizes[r]` is the length on rank r, known
/// to all (see gather_records), and `all` has their sum. More than `limit` bytes in total go out rank by rank.
void gather_bytes(MPI_Comm comm, std::span<const std::byte> mine, const std::vector<int64_t>& sizes,
                  std::span<std::byte> all, size_t limit = INT_MAX);

}  // namespace invaria::comm
