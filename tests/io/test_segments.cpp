#include "core/errors.hpp"
#include "core/philox.hpp"
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

TEST_CASE("segments are read in order of number, then rank; foreign and temporary files are passed over",
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
