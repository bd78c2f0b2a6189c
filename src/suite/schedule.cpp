#include "suite/schedule.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "core/errors.hpp"
#include "io/segment_writer.hpp"

namespace invaria::suite {
namespace {

/// One rank's segments, as suite::run flushes them.
struct Writer {
  double last_flush_s = 0.0;
  bool is_pending = false;
  int64_t flushes = 0;

  void finish(double now_s, double unit_s) {
    is_pending = true;
    if (unit_s > kFlushBehind_s || now_s - last_flush_s > kFlushEvery_s) flush(now_s);
  }
  void flush(double now_s) {
    flushes += is_pending ? 1 : 0;
    is_pending = false;
    last_flush_s = now_s;
  }
};

}  // namespace

Schedule simulate_sweep(const std::vector<double>& unit_s, int64_t ranks, const ClaimCost& claim) {
  require(ranks > 0, "simulate_sweep: {} ranks", ranks);
  using Asks = std::pair<double, size_t>;  // when, and which rank
  std::priority_queue<Asks, std::vector<Asks>, std::greater<>> asking;
  for (size_t rank = 0; rank < static_cast<size_t>(ranks); ++rank) asking.emplace(0.0, rank);
  std::vector<Writer> writers(static_cast<size_t>(ranks));

  Schedule schedule;
  double counter_free_s = 0.0, first_idle_s = 0.0;
  for (size_t next = 0; !asking.empty(); ++next) {
    const auto [asked_s, rank] = asking.top();
    asking.pop();
    counter_free_s = std::max(asked_s + claim.latency_s / 2, counter_free_s) + claim.service_s;
    const double has_s = counter_free_s + claim.latency_s / 2;
    schedule.longest_claim_s = std::max(schedule.longest_claim_s, has_s - asked_s);
    if (next < unit_s.size()) {
      const double end_s = has_s + unit_s[next];
      writers[rank].finish(end_s, unit_s[next]);
      asking.emplace(end_s, rank);
      schedule.makespan_s = std::max(schedule.makespan_s, end_s);
    } else if (next == unit_s.size()) {
      first_idle_s = has_s;
    }
  }
  for (Writer& writer : writers) {
    if (writer.flushes == 0 && !writer.is_pending) ++schedule.ranks_without;
    writer.flush(schedule.makespan_s);
    ++writer.flushes;  // the times of the stages
    schedule.segments += io::segment_files(writer.flushes);
    schedule.segments_per_rank = std::max(schedule.segments_per_rank, io::most_segment_files(writer.flushes));
  }
  schedule.tail_s = std::max(0.0, schedule.makespan_s - first_idle_s);
  const double busy_s = std::accumulate(unit_s.begin(), unit_s.end(), 0.0);
  if (schedule.makespan_s > 0) schedule.efficiency = busy_s / (static_cast<double>(ranks) * schedule.makespan_s);
  return schedule;
}

}  // namespace invaria::suite
