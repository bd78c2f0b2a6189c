#include "io/segment_writer.hpp"

#include <algorithm>
#include <utility>

#include "io/segments.hpp"

namespace invaria::io {

int64_t segment_files(int64_t flushes) {
  int64_t sum = 0;
  for (int64_t rest = flushes; rest > 0; rest /= kMergedAtOnce) sum += rest % kMergedAtOnce;
  return sum;
}

int64_t most_segment_files(int64_t flushes) {
  // The sum is largest where the digits behind some place are as large as digits get.
  int64_t most = 0;
  for (int64_t place = 1; place <= flushes; place *= kMergedAtOnce)
    most = std::max(most, segment_files(flushes - (flushes + 1) % place));
  return most;
}

SegmentWriter::SegmentWriter(fs::path directory, int64_t rank, int64_t first, int64_t every, int64_t rest)
    : directory_(std::move(directory)), rank_(rank), number_(first), every_(every) {
  while (number_ % every_ != rest) ++number_;
}

int64_t SegmentWriter::next_number() {
  return std::exchange(number_, number_ + every_);
}

void SegmentWriter::flush() {
  since_flush_.lap();
  if (pending_.empty()) return;
  fs::path written = write_segment(directory_, rank_, next_number(), pending_);
  pending_ = {};
  for (size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(std::move(written));
    if (std::ssize(levels_[level]) < kMergedAtOnce) return;
    written = merge_segments(directory_, rank_, next_number(), levels_[level]);
    levels_[level].clear();
  }
}

}  // namespace invaria::io
