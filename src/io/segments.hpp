#pragma once
/// @file
/// Segments: what one rank finished since its last flush, as segments/<rank>-<number>.h5. A segment is complete or
/// invisible, and immutable once visible; so a killed run loses at most what it had not flushed.
///
/// Where segments become many, one of all their records takes their place. It names those that it replaces, and readers
/// pass over these: at every moment, also after a kill between its writing and their removal, each record is met once.
///
/// Behind the HDF5 bytes, where HDF5's readers do not look, come 64 hexadecimal digits: their SHA-256. HDF5 itself
/// would read altered numbers as if nothing were wrong.

#include <cstdint>

#include "io/files.hpp"
#include "io/records.hpp"

namespace invaria::io {

/// Write `<directory>/<rank>-<number>.h5` by temporary file, fsync, rename and fsync of the directory, which must
/// exist.
///
/// Exact, except: invariances and trajectory rows shorter than the longest of the segment come back filled with NaN to
/// its length.
/// @return its path
/// @throws PreconditionError if that segment exists; EnvironmentError as write_file_atomically()
fs::path write_segment(const fs::path& directory, int64_t rank, int64_t number, const Segment& segment);

/// Write a segment of the records of `from`, in their order, then remove these.
/// @return its path
/// @throws EnvironmentError; then `from`, or the new one and what is left of `from`, is there
fs::path merge_segments(const fs::path& directory, int64_t rank, int64_t number, const std::vector<fs::path>& from);

/// Remove the replaced segments that a kill left, and merge all others into one if they are more than
/// SegmentWriter's kMergedAtOnce. Only call it while no other process writes there. @throws EnvironmentError
void tidy_segments(const fs::path& directory);

/// @throws EnvironmentError naming the file if it cannot be read; with the mend if it is truncated, altered or no
/// segment
Segment read_segment(const fs::path& path);

/// The segments of a directory in order of number, then rank, replaced ones that are still there included. Temporary
/// and foreign files are passed over; a directory that does not exist has none. A run that numbers from
/// next_segment_number() on has its segments after those of earlier runs.
/// @throws EnvironmentError
std::vector<fs::path> list_segments(const fs::path& directory);

/// All segments of a directory but replaced ones, concatenated in the order of list_segments(). What an earlier run
/// recorded and a later one recorded again is in it twice, the later record last. Others may write, and merge, at the
/// same time.
/// @throws EnvironmentError naming the broken segment, if there is one, and how to mend it
Segment read_segments(const fs::path& directory);

/// One more than the largest number of any rank's segment in the directory; 1 if there is none.
int64_t next_segment_number(const fs::path& directory);

}  // namespace invaria::io
