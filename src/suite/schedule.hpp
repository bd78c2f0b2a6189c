#pragma once
/// @file
/// How a sweep's units will fall on ranks: the run's own rules (longest first, one counter, segments within seconds)
/// played through with expected times.

#include <cstdint>
#include <vector>

namespace invaria::suite {

/// A rank puts what it finished on disk behind a unit that ends so long after the last flush...
inline constexpr double kFlushEvery_s = 2.0;
/// ... or that took longer than this.
inline constexpr double kFlushBehind_s = 1.0;

/// What the counter takes to give out a unit. Claims are served one after the other.
struct ClaimCost {
  double service_s = 0.0;  ///< of the one who counts
  double latency_s = 0.0;  ///< the rank's own wait besides, nobody else asking

  /// In memory that ranks share; and served by rank 0 to other nodes, as measured between two hosts over TCP with a
  /// core a rank (under mpirun, `plan` measures it anew).
  static ClaimCost on_one_node() { return {1e-7, 0.0}; }
  static ClaimCost across_nodes() { return {1e-4, 1.5e-3}; }
};

/// The sweep, played through.
struct Schedule {
  double makespan_s = 0.0;        ///< until the last rank is done
  double tail_s = 0.0;            ///< of it, with some rank idle already for want of units
  double efficiency = 1.0;        ///< seconds of units over ranks times makespan
  double longest_claim_s = 0.0;   ///< that a rank waited for a unit
  int64_t ranks_without = 0;      ///< ranks that get no unit at all
  int64_t segments = 0;           ///< files that all ranks leave
  int64_t segments_per_rank = 0;  ///< the most that one has at any time
};

/// @param unit_s  in the order in which they are claimed
Schedule simulate_sweep(const std::vector<double>& unit_s, int64_t ranks, const ClaimCost& claim);

}  // namespace invaria::suite
