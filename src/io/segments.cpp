#include "io/segments.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <new>
#include <optional>
#include <set>
#include <system_error>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/hdf5_records.hpp"
#include "io/record_tables.hpp"
#include "io/segment_writer.hpp"

namespace invaria::io {
namespace {

constexpr int64_t kSegmentSchema = 1;
constexpr size_t kChecksumDigits = 64;
constexpr const char* kReplaces = "replaces";

struct SegmentName {
  int64_t number = 0;
  int64_t rank = 0;
  auto operator<=>(const SegmentName&) const = default;
};

std::optional<SegmentName> parse_name(const fs::path& path) {
  if (path.extension() != ".h5") return std::nullopt;
  const std::string stem = path.stem().string();
  const char* const end = stem.data() + stem.size();
  SegmentName name;
  const auto rank = std::from_chars(stem.data(), end, name.rank);
  if (rank.ec != std::errc() || rank.ptr == end || *rank.ptr != '-') return std::nullopt;
  const auto number = std::from_chars(rank.ptr + 1, end, name.number);
  if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
  return name;
}

/// In a segment axes have numbers: their names are the suite's business.
std::vector<std::string> axis_numbers(const Segment& segment) {
  size_t n_axes = 0;
  for (const JobRecord& job : segment.jobs) {
    n_axes = std::max(n_axes, job.invariance.size());
    for (const std::vector<double>& i : job.trajectory.invariance) n_axes = std::max(n_axes, i.size());
  }
  for (const SimilarityRecord& record : segment.similarities) n_axes = std::max(n_axes, record.invariance.size());
  std::vector<std::string> names;
  for (size_t axis = 0; axis < n_axes; ++axis) names.push_back(std::to_string(axis));
  return names;
}

/// Number the records: two of one name may be in a segment.
template <class Record, class Write>
void write_numbered(hid_t file, const std::string& name, const std::vector<Record>& records, Write write) {
  const GroupHandle group = create_group(file, name);
  for (size_t n = 0; n < records.size(); ++n) write(group.get(), std::to_string(n), records[n]);
}

template <class Record, class Read>
std::vector<Record> read_numbered(hid_t file, const std::string& name, Read read) {
  const GroupHandle group = open_group(file, name);
  std::vector<Record> records;
  for (const std::string& member : members(group.get())) records.push_back(read(open_group(group.get(), member).get()));
  return records;
}

/// What no reader can mend.
class BrokenSegment : public EnvironmentError {
 public:
  BrokenSegment(const fs::path& path, const std::string& why)
      : EnvironmentError(
            fmt::format("{}: a broken segment: {}\nDelete this file and start again: what it held is then done "
                        "once more.",
                        path.string(), why)) {}
};

/// A segment as a file.
struct StoredSegment {
  Segment records;
  std::vector<std::string> replaces;  ///< names of files
};

void write_content(hid_t file, const Segment& segment) {
  write_attribute(file, "segment_schema", kSegmentSchema);
  Scales scales(file);
  const std::vector<std::string> axes = axis_numbers(segment);
  if (!segment.jobs.empty() || !segment.similarities.empty()) scales.add("axis", axes, "axis of the invariance");
  if (!segment.jobs.empty()) write_jobs(file, segment.jobs, axes, scales);
  write_similarities(file, segment.similarities, axes, scales);
  write_stages(file, segment.stage_times, scales);
  write_tasks(file, segment.tasks, scales);
  if (!segment.sensitivity.empty()) {
    scales.add("row", static_cast<int64_t>(segment.sensitivity.size()), "number of the row");
    write_table(create_group(file, "sensitivity").get(), sensitivity_table(segment.sensitivity), scales.at("row"));
  }
  write_numbered(file, "encoders", segment.encoders, write_encoder);
  write_numbered(file, "data", segment.data, write_data);
}

Segment read_content(hid_t file) {
  Segment segment;
  std::vector<std::string> axes;
  if (exists(file, "axis")) axes = read_texts(open_dataset(file, "axis").get());
  if (exists(file, "jobs")) segment.jobs = read_jobs(file, axes);
  segment.similarities = read_similarities(file, axes);
  segment.stage_times = read_stages(file);
  segment.tasks = read_tasks(file);
  if (exists(file, "sensitivity")) {
    segment.sensitivity = sensitivity_from_table(read_table(open_group(file, "sensitivity").get()));
  }
  segment.encoders = read_numbered<EncoderRecord>(file, "encoders", read_encoder);
  segment.data = read_numbered<DataRecord>(file, "data", read_data);
  return segment;
}

fs::path write_stored(const fs::path& directory, const SegmentName& name, const StoredSegment& stored) {
  const fs::path path = directory / fmt::format("{}-{}.h5", name.rank, name.number);
  require(!fs::exists(path), "{}: this segment exists, and segments are immutable", path.string());
  FileHandle file = create_file(path);
  write_content(file.get(), stored.records);
  if (!stored.replaces.empty()) write_dataset(file.get(), kReplaces, stored.replaces);
  const std::string bytes = close_file(std::move(file), path);
  write_file_atomically(path, bytes + sha256_hex(bytes));
  return path;
}

/// @throws BrokenSegment if its bytes are not those of a segment; EnvironmentError if they cannot be read, or are
/// another version's: then nothing is wrong with the file
StoredSegment read_stored(const fs::path& path) {
  std::string bytes = read_file(path);
  const size_t length = bytes.size() - std::min(bytes.size(), kChecksumDigits);
  const std::string checksum = bytes.substr(length);
  bytes.resize(length);
  if (const std::string found = sha256_hex(bytes); found != checksum) {
    throw BrokenSegment(path,
                        fmt::format("its bytes have the SHA-256 {}, its end says otherwise: truncated, altered or no "
                                    "segment",
                                    found));
  }
  int64_t schema = kSegmentSchema;
  try {
    const FileHandle file = open_bytes(std::move(bytes), path);
    schema = read_integer_attribute(file.get(), "segment_schema");
    if (schema == kSegmentSchema) {
      StoredSegment stored{read_content(file.get()), {}};
      if (exists(file.get(), kReplaces)) stored.replaces = read_texts(open_dataset(file.get(), kReplaces).get());
      return stored;
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw BrokenSegment(path, error.what());
  }
  throw_environment("{}: a segment of schema {}, expected {}: continue with the version of invaria that wrote it",
                    path.string(), schema, kSegmentSchema);
}

void remove_segment(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw_environment("{}: unlink: {}", path.string(), error.message());
}

/// What is in a directory at one moment, though others may write: a segment that vanishes under the reader is in one
/// that replaces it, which has come meanwhile.
std::map<fs::path, StoredSegment> read_all(const fs::path& directory) {
  constexpr int kMostLooks = 10;  // of a directory that never comes to rest
  std::map<fs::path, StoredSegment> found;
  bool has_new = true;
  for (int look = 0; has_new && look < kMostLooks; ++look) {
    has_new = false;
    for (const fs::path& path : list_segments(directory)) {
      if (found.contains(path)) continue;
      has_new = true;
      try {
        found.emplace(path, read_stored(path));
      } catch (const EnvironmentError&) {
        if (fs::exists(path)) throw;
      }
    }
  }
  return found;
}

/// Names of files that another segment replaces.
std::set<std::string> replaced_names(const std::map<fs::path, StoredSegment>& segments) {
  std::set<std::string> names;
  for (const auto& [path, stored] : segments) names.insert(stored.replaces.begin(), stored.replaces.end());
  return names;
}

}  // namespace

fs::path write_segment(const fs::path& directory, int64_t rank, int64_t number, const Segment& segment) {
  return write_stored(directory, {number, rank}, {segment, {}});
}

fs::path merge_segments(const fs::path& directory, int64_t rank, int64_t number, const std::vector<fs::path>& from) {
  StoredSegment merged;
  for (const fs::path& path : from) {
    append(merged.records, read_segment(path));
    merged.replaces.push_back(path.filename().string());
  }
  const fs::path path = write_stored(directory, {number, rank}, merged);
  for (const fs::path& replaced : from) remove_segment(replaced);
  return path;
}

void tidy_segments(const fs::path& directory) {
  const std::set<std::string> replaced = replaced_names(read_all(directory));
  std::vector<fs::path> left;
  for (const fs::path& path : list_segments(directory)) {
    if (replaced.contains(path.filename().string())) {
      remove_segment(path);
    } else {
      left.push_back(path);
    }
  }
  if (std::ssize(left) > kMergedAtOnce) merge_segments(directory, 0, next_segment_number(directory), left);
}

Segment read_segment(const fs::path& path) {
  return read_stored(path).records;
}

std::vector<fs::path> list_segments(const fs::path& directory) {
  std::vector<std::pair<SegmentName, fs::path>> found;
  std::error_code error;
  if (!fs::exists(directory, error) && !error) return {};
  for (auto entry = fs::directory_iterator(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (const auto name = parse_name(entry->path())) found.emplace_back(*name, entry->path());
  }
  if (error) throw_environment("{}: readdir: {}", directory.string(), error.message());
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [name, path] : found) paths.push_back(std::move(path));
  return paths;
}

Segment read_segments(const fs::path& directory) {
  const std::map<fs::path, StoredSegment> segments = read_all(directory);
  const std::set<std::string> replaced = replaced_names(segments);
  std::vector<std::pair<SegmentName, const Segment*>> whole;
  for (const auto& [path, stored] : segments) {
    if (!replaced.contains(path.filename().string())) whole.emplace_back(*parse_name(path), &stored.records);
  }
  std::sort(whole.begin(), whole.end());
  Segment all;
  for (const auto& [name, records] : whole) append(all, *records);
  return all;
}

int64_t next_segment_number(const fs::path& directory) {
  const std::vector<fs::path> paths = list_segments(directory);
  return paths.empty() ? 1 : parse_name(paths.back())->number + 1;
}

}  // namespace invaria::io
