#include "io/segments.hpp"

#include <algorithm>
#include <charconv>
#include <new>
#include <optional>
#include <system_error>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/hdf5_records.hpp"
#include "io/record_tables.hpp"

namespace invaria::io {
namespace {

constexpr int64_t kSegmentSchema = 1;
constexpr size_t kChecksumDigits = 64;

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
  if (const int64_t schema = read_integer_attribute(file, "segment_schema"); schema != kSegmentSchema) {
    throw_environment("a segment of schema {}, expected {}", schema, kSegmentSchema);
  }
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

}  // namespace

fs::path write_segment(const fs::path& directory, int64_t rank, int64_t number, const Segment& segment) {
  const fs::path path = directory / fmt::format("{}-{}.h5", rank, number);
  require(!fs::exists(path), "{}: this segment exists, and segments are immutable", path.string());
  FileHandle file = create_file(path);
  write_content(file.get(), segment);
  const std::string bytes = close_file(std::move(file), path);
  write_file_atomically(path, bytes + sha256_hex(bytes));
  return path;
}

Segment read_segment(const fs::path& path) {
  try {
    std::string bytes = read_file(path);
    const size_t length = bytes.size() - std::min(bytes.size(), kChecksumDigits);
    const std::string checksum = bytes.substr(length);
    bytes.resize(length);
    if (const std::string found = sha256_hex(bytes); found != checksum) {
      throw_environment("its bytes have the SHA-256 {}, its end says otherwise: truncated, altered or no segment",
                        found);
    }
    return read_content(open_bytes(std::move(bytes), path).get());
  } catch (const std::exception& error) {
    // Whatever a broken file sets off, columns that are missing and sizes beyond memory included, it is the file that
    // is broken.
    const std::string what = error.what();
    if (what.starts_with(path.string())) throw EnvironmentError(what);
    throw_environment("{}: a broken segment: {}", path.string(), what);
  }
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
  Segment all;
  for (const fs::path& path : list_segments(directory)) {
    try {
      append(all, read_segment(path));
    } catch (const EnvironmentError& error) {
      throw_environment("{}\nDelete this file and start again: what it held is then done once more.", error.what());
    }
  }
  return all;
}

int64_t next_segment_number(const fs::path& directory) {
  const std::vector<fs::path> paths = list_segments(directory);
  return paths.empty() ? 1 : parse_name(paths.back())->number + 1;
}

}  // namespace invaria::io
