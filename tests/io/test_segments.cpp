#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/sha256.hpp"
#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "io/segment_writer.hpp"
#include "io/segments.hpp"
#include "tests/io/example_results.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {
const std::vector<std::string> kAxes{"spatial", "appearance"};
}

TEST_CASE("a segment reads back as written", "[io][segments]") {
  const ScratchDirectory scratch;
  const fs::path path = write_segment(scratch.path(), 3, 12, example_segment());
  CHECK(path == scratch / "3-12.h5");
  CHECK(same_content(read_segment(path), example_segment(), kAxes));
}

TEST_CASE("only of a broken segment it is said that it may be deleted", "[io][segments][corrupt]") {
  const ScratchDirectory scratch;
  const auto failure = [&] {
    try {
      read_segments(scratch.path());
    } catch (const EnvironmentError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const fs::path path = scratch / "0-1.h5";
  fs::create_directory(path);  // stands for what cannot be read
  CHECK_THAT(failure(), Catch::StartsWith(path.string()) && !Catch::Contains("Delete"));
  fs::remove(path);
  FileHandle file = create_file(path);
  write_attribute(file.get(), "segment_schema", int64_t{7});
  const std::string bytes = close_file(std::move(file), path);
  write_file_atomically(path, bytes + sha256_hex(bytes));
  CHECK_THAT(failure(), Catch::Contains("0-1.h5: a segment of schema 7, expected 1") && !Catch::Contains("Delete"));
  write_file_atomically(path, bytes);
  CHECK_THAT(failure(),
             Catch::Contains("0-1.h5: a broken segment: ") && Catch::Contains("Delete this file and start again"));
}

TEST_CASE("a segment may hold a part of a run, or nothing", "[io][segments]") {
  const ScratchDirectory scratch;
  CHECK(read_segment(write_segment(scratch.path(), 0, 1, {})).empty());
  Segment segment;
  segment.jobs.push_back(example_segment().jobs.front());
  segment.jobs.front().error = "not UTF-8: \xff";
  const Segment read = read_segment(write_segment(scratch.path(), 0, 2, segment));
  REQUIRE(read.jobs.size() == 1);
  CHECK(read.jobs.front().error == "not UTF-8: \xef\xbf\xbd");
  CHECK(read.jobs.front().invariance == segment.jobs.front().invariance);

  Segment blocked;
  blocked.jobs.resize(2);  // no invariance, no trajectory
  blocked.jobs[1].invariance = {0.5};
  const Segment padded = read_segment(write_segment(scratch.path(), 0, 3, blocked));
  REQUIRE(padded.jobs[0].invariance.size() == 1);
  CHECK(std::isnan(padded.jobs[0].invariance[0]));
  CHECK(padded.jobs[1].invariance == std::vector<double>{0.5});
}

TEST_CASE("two records of one encoder or data set fit into one segment", "[io][segments]") {
  const ScratchDirectory scratch;
  Segment twice = example_segment();
  append(twice, example_segment());
  CHECK(same_content(read_segment(write_segment(scratch.path(), 0, 1, twice)), twice, kAxes));
}

TEST_CASE("segments are read in order of number, then rank, and foreign and temporary files are passed over",
          "[io][segments]") {
  const ScratchDirectory scratch;
  const auto with_stage = [](const std::string& stage) {
    Segment segment;
    segment.stage_times.push_back({stage, 0, 1.0});
    return segment;
  };
  write_segment(scratch.path(), 2, 1, with_stage("first run, rank 2"));
  write_segment(scratch.path(), 10, 1, with_stage("first run, rank 10"));
  const int64_t next = next_segment_number(scratch.path());
  CHECK(next == 2);
  write_segment(scratch.path(), 0, next, with_stage("second run, rank 0"));
  write_segment(scratch.path(), 0, 10, with_stage("second run, tenth"));
  temporary_beside(scratch / "0-11.h5");
  write_file_atomically(scratch / "notes.txt", std::string_view("x"));
  write_file_atomically(scratch / "1-.h5", std::string_view("x"));
  const Segment all = read_segments(scratch.path());
  std::vector<std::string> stages;
  for (const StageTime& time : all.stage_times) stages.push_back(time.stage);
  CHECK(stages ==
        std::vector<std::string>{"first run, rank 2", "first run, rank 10", "second run, rank 0", "second run, tenth"});
  CHECK(next_segment_number(scratch.path()) == 11);
  CHECK(read_segments(scratch / "absent").empty());
  CHECK(next_segment_number(scratch / "absent") == 1);
}

namespace {

Segment stage_of(int64_t number) {
  Segment segment;
  segment.stage_times.push_back({std::to_string(number), 0, 1.0});
  return segment;
}

/// The stages that a directory's segments tell of, in order.
std::vector<std::string> stages_in(const fs::path& directory) {
  std::vector<std::string> stages;
  for (const StageTime& time : read_segments(directory).stage_times) stages.push_back(time.stage);
  return stages;
}

std::vector<std::string> numbers_up_to(int64_t n) {
  std::vector<std::string> numbers;
  for (int64_t number = 1; number <= n; ++number) numbers.push_back(std::to_string(number));
  return numbers;
}

}  // namespace

TEST_CASE("segments are merged as they become many, and every record stays, in order", "[io][segments]") {
  const ScratchDirectory scratch;
  SegmentWriter writer(scratch.path(), 3, 1);
  writer.flush();
  CHECK(list_segments(scratch.path()).empty());
  size_t most = 0;
  for (int64_t flushes = 1; flushes <= 300; ++flushes) {
    writer.keep(stage_of(flushes));
    writer.flush();
    const size_t n_files = list_segments(scratch.path()).size();
    most = std::max(most, n_files);
    INFO(flushes << " flushes");
    REQUIRE(std::ssize(list_segments(scratch.path())) == segment_files(flushes));
    REQUIRE(static_cast<int64_t>(most) == most_segment_files(flushes));
  }
  CHECK(most == 30);                        // 255 flushes, ff
  CHECK(segment_files(300) == 1 + 2 + 12);  // 12c
  CHECK(stages_in(scratch.path()) == numbers_up_to(300));
}

TEST_CASE("writers with every third number for themselves stay apart, also in what they merge", "[io][segments]") {
  const ScratchDirectory scratch;
  SegmentWriter first(scratch.path(), 0, 5, 3, 1), second(scratch.path(), 0, 5, 3, 2);
  for (int64_t n = 1; n <= 17; ++n) {
    first.keep(stage_of(n));
    first.flush();
    second.keep(stage_of(100 + n));
    second.flush();
  }
  std::set<std::string> names;
  for (const fs::path& path : list_segments(scratch.path())) names.insert(path.filename().string());
  CHECK(names == std::set<std::string>{"0-55.h5", "0-58.h5", "0-53.h5", "0-56.h5"});  // 7, 10, ... and 5, 8, ...
  CHECK(stages_in(scratch.path()).size() == 34);
}

TEST_CASE("a kill between a merged segment and the removal of its sources repeats nothing", "[io][segments]") {
  const ScratchDirectory scratch;
  std::vector<fs::path> from;
  std::map<fs::path, std::string> bytes;
  for (int64_t n = 1; n <= 3; ++n) {
    from.push_back(write_segment(scratch.path(), 2, n, stage_of(n)));
    bytes[from.back()] = read_file(from.back());
  }
  write_segment(scratch.path(), 1, 4, stage_of(5));
  const fs::path merged = merge_segments(scratch.path(), 2, 4, from);
  CHECK(list_segments(scratch.path()).size() == 2);
  for (size_t left = 0; left < 3; ++left) write_file_atomically(from[left], bytes[from[left]]);
  CHECK(list_segments(scratch.path()).size() == 5);
  CHECK(stages_in(scratch.path()) == std::vector<std::string>{"5", "1", "2", "3"});
  tidy_segments(scratch.path());
  CHECK(list_segments(scratch.path()) == std::vector<fs::path>{scratch / "1-4.h5", merged});
  CHECK(stages_in(scratch.path()) == std::vector<std::string>{"5", "1", "2", "3"});
}

TEST_CASE("what earlier runs left is made one segment where it is much, and a broken one stops that",
          "[io][segments]") {
  const ScratchDirectory scratch;
  for (int64_t n = 1; n <= kMergedAtOnce; ++n) write_segment(scratch.path(), n % 2, n, stage_of(n));
  tidy_segments(scratch.path());
  CHECK(std::ssize(list_segments(scratch.path())) == kMergedAtOnce);
  write_segment(scratch.path(), 0, kMergedAtOnce + 1, stage_of(kMergedAtOnce + 1));
  const std::string whole = read_file(scratch / "0-2.h5");
  write_plain(scratch / "0-2.h5", whole.substr(0, 100));
  CHECK_THROWS_WITH(tidy_segments(scratch.path()), Catch::Contains("0-2.h5") && Catch::Contains("Delete"));
  CHECK(std::ssize(list_segments(scratch.path())) == kMergedAtOnce + 1);
  write_plain(scratch / "0-2.h5", whole);
  tidy_segments(scratch.path());
  CHECK(list_segments(scratch.path()).size() == 1);
  CHECK(stages_in(scratch.path()) == numbers_up_to(kMergedAtOnce + 1));
  CHECK(next_segment_number(scratch.path()) == kMergedAtOnce + 3);
  tidy_segments(scratch / "absent");
}

TEST_CASE("a reader beside a writer that merges misses nothing that was there", "[io][segments]") {
  const ScratchDirectory scratch;
  std::atomic<int64_t> on_disk{0};
  std::thread writing([&] {
    SegmentWriter writer(scratch.path(), 0, 1);
    for (int64_t n = 1; n <= 200; ++n) {
      writer.keep(stage_of(n));
      writer.flush();
      on_disk = n;
    }
  });
  for (int64_t before = 0; before < 200;) {
    before = on_disk;
    const std::vector<std::string> found = stages_in(scratch.path());
    const std::set<std::string> different(found.begin(), found.end());
    CHECK(found.size() == different.size());
    CHECK(std::ssize(found) >= before);
  }
  writing.join();
}

TEST_CASE("a segment is immutable", "[io][segments]") {
  const ScratchDirectory scratch;
  write_segment(scratch.path(), 0, 1, {});
  CHECK_THROWS_AS(write_segment(scratch.path(), 0, 1, example_segment()), PreconditionError);
}

TEST_CASE("a segment cut off at any length is an error that names it", "[io][segments][corrupt]") {
  const ScratchDirectory scratch;
  const std::string whole = read_file(write_segment(scratch.path(), 0, 1, example_segment()));
  const fs::path path = scratch / "0-2.h5";
  std::vector<size_t> lengths;
  for (size_t length = 0; length < 2048 && length < whole.size(); length += 16) lengths.push_back(length);
  for (size_t length = 2048; length < whole.size(); length += 211) lengths.push_back(length);
  for (size_t length = whole.size() - 20; length < whole.size(); ++length) lengths.push_back(length);
  for (const size_t length : lengths) {
    write_plain(path, std::string_view(whole).substr(0, length));
    INFO("length " << length << " of " << whole.size());
    CHECK_THROWS_AS(read_segment(path), EnvironmentError);
  }
  CHECK_THROWS_WITH(read_segments(scratch.path()), Catch::StartsWith(path.string()));
}

TEST_CASE("a segment with one bit changed anywhere is an error that names it and says how to mend it",
          "[io][segments][corrupt]") {
  const ScratchDirectory scratch;
  const std::string whole = read_file(write_segment(scratch.path(), 0, 1, example_segment()));
  const fs::path path = scratch / "0-1.h5";
  for (size_t at = 0; at < whole.size(); at += 97) {
    std::string altered = whole;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    write_plain(path, altered);
    INFO("byte " << at << " of " << whole.size());
    CHECK_THROWS_WITH(read_segment(path), Catch::StartsWith(path.string()) && Catch::Contains("altered"));
  }
  CHECK_THROWS_WITH(read_segments(scratch.path()), Catch::StartsWith(path.string()) && Catch::Contains("Delete"));
}

TEST_CASE("a results file is no segment", "[io][segments][corrupt]") {
  const ScratchDirectory scratch;
  write_results(scratch / "0-1.h5", example_results());
  CHECK_THROWS_WITH(read_segment(scratch / "0-1.h5"), Catch::Contains("0-1.h5") && Catch::Contains("no segment"));
}
