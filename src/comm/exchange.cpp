#include "comm/exchange.hpp"

#include <algorithm>
#include <numeric>

#include "core/errors.hpp"

namespace invaria::comm {

void broadcast_bytes(MPI_Comm comm, int root, std::span<std::byte> bytes, size_t limit) {
  for (size_t done = 0; done < bytes.size(); done += limit) {
    const auto count = static_cast<int>(std::min(limit, bytes.size() - done));
    check(MPI_Bcast(bytes.data() + done, count, MPI_BYTE, root, comm), "MPI_Bcast");
  }
}

void gather_bytes(MPI_Comm comm, std::span<const std::byte> mine, const std::vector<int64_t>& sizes,
                  std::span<std::byte> all, size_t limit) {
  int rank = 0;
  check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
  const auto total = static_cast<size_t>(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}));
  require(total == all.size() && static_cast<size_t>(sizes[static_cast<size_t>(rank)]) == mine.size(),
          "gather_bytes: {} bytes announced and room for {}; this rank announced {} and has {}", total, all.size(),
          sizes[static_cast<size_t>(rank)], mine.size());

  if (total <= limit) {
    const std::vector<int> counts(sizes.begin(), sizes.end());
    std::vector<int> begins(counts.size(), 0);
    std::partial_sum(counts.begin(), counts.end() - 1, begins.begin() + 1);
    check(MPI_Allgatherv(mine.data(), static_cast<int>(mine.size()), MPI_BYTE, all.data(), counts.data(), begins.data(),
                         MPI_BYTE, comm),
          "MPI_Allgatherv");
    return;
  }

  size_t begin = 0;
  for (size_t root = 0; root < sizes.size(); ++root) {
    const auto part = all.subspan(begin, static_cast<size_t>(sizes[root]));
    if (static_cast<int>(root) == rank) std::copy(mine.begin(), mine.end(), part.begin());
    broadcast_bytes(comm, static_cast<int>(root), part, limit);
    begin += part.size();
  }
}

}  // namespace invaria::comm
