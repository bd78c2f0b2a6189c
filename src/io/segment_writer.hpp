#pragma once
/// @file
/// What a rank finishes, on disk within as many files as its owner can count: segments that came together are merged
/// as they become many.

#include <cstdint>
#include <vector>

#include "core/timer.hpp"
#include "io/files.hpp"
#include "io/records.hpp"

namespace invaria::io {

/// So many segments of one rank become one, and so many of these one again.
inline constexpr int64_t kMergedAtOnce = 16;

/// Segment files that a rank has after `flushes` flushes: the sum of the number's digits to the base kMergedAtOnce.
int64_t segment_files(int64_t flushes);
/// The most that it has after any of the first `flushes`.
int64_t most_segment_files(int64_t flushes);

/// Collects one rank's records and writes them as segments.
class SegmentWriter {
 public:
  /// Numbers of segments are those from `first` on that leave the rest `rest` when divided by `every`, so that several
  /// may write side by side, each with numbers of its own.
  SegmentWriter(fs::path directory, int64_t rank, int64_t first, int64_t every = 1, int64_t rest = 0);

  /// Hold on to records until the next flush. Never throws for want of disk.
  void keep(const Segment& records) { append(pending_, records); }
  /// Put on disk what was kept, if anything. @throws EnvironmentError; then nothing that was on disk is lost
  void flush();
  double since_flush_s() const { return since_flush_.seconds(); }

 private:
  int64_t next_number();

  fs::path directory_;
  int64_t rank_;
  int64_t number_;
  int64_t every_;
  Segment pending_;
  Timer since_flush_;
  std::vector<std::vector<fs::path>> levels_;  ///< own segments: flushed ones, merged ones, those merged of these, ...
};

}  // namespace invaria::io
