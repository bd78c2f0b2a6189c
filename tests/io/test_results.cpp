#include <hdf5.h>

#include <cmath>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "io/hdf5.hpp"
#include "io/results.hpp"
#include "io/seal.hpp"
#include "tests/io/example_results.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

TEST_CASE("results read back as written", "[io][results]") {
  const ScratchDirectory scratch;
  const Results written = example_results();
  write_results(scratch / "results.h5", written);
  const Results read = read_results(scratch / "results.h5");
  CHECK(read.info == written.info);
  CHECK(read.axes == written.axes);
  Segment expected = written.content;
  // A cell of the array that nobody measured is no record; neither is its order kept.
  CHECK(same_content(read.content, expected, written.axes));
  CHECK(read.arm_summary == written.arm_summary.select({0, 1}));
  CHECK(read.summary.rows() == 3);
  CHECK(read.summary.doubles("mean") == std::vector<double>{0.75, 0.5, 0.25});
  CHECK(read.summary.texts("task") == std::vector<std::string>{"known-01", "caltech101", "known-01"});
  CHECK(read.summary.integers("n") == std::vector<int64_t>{3, 3, 1});
}

TEST_CASE("results of a run without any job can be written and read", "[io][results]") {
  const ScratchDirectory scratch;
  Results empty;
  empty.axes = {"spatial"};
  write_results(scratch / "results.h5", empty);
  const Results read = read_results(scratch / "results.h5");
  CHECK(read.content.empty());
  CHECK(read.summary.rows() == 0);
}

TEST_CASE("results are written again in place of the old ones", "[io][results]") {
  const ScratchDirectory scratch;
  Results results = example_results();
  write_results(scratch / "results.h5", results);
  results.info.valid = true;
  write_results(scratch / "results.h5", results);
  CHECK(read_results(scratch / "results.h5").info.valid);
}

TEST_CASE("encoders of one name are told apart by their seeds, a single one keeps its name", "[io][results]") {
  const std::vector<EncoderRecord> encoders = example_segment().encoders;
  CHECK(encoder_group_name(encoders[0], encoders) == "amortised-seed0");
  CHECK(encoder_group_name(encoders[1], encoders) == "amortised-seed1");
  CHECK(encoder_group_name(encoders[2], encoders) == "fixed-default");
}

TEST_CASE("records that no group could hold are refused before the file is touched", "[io][results]") {
  const ScratchDirectory scratch;
  const auto refuses = [&](auto change) {
    Results results = example_results();
    change(results.content);
    CHECK_THROWS_AS(write_results(scratch / "results.h5", results), PreconditionError);
    CHECK(fs::is_empty(scratch.path()));
  };
  refuses([](Segment& s) { s.data.push_back(s.data.front()); });
  refuses([](Segment& s) { s.encoders.push_back(s.encoders.front()); });
  refuses([](Segment& s) { s.encoders[2].name = "a/b"; });
  refuses([](Segment& s) { s.sensitivity[0].encoder = "unknown"; });
  refuses([](Segment& s) { s.jobs[0].trajectory.loss.pop_back(); });
  refuses([](Segment& s) { s.jobs[0].invariance = {0.0, 0.0, 0.0}; });
}

TEST_CASE("trajectories that were written without passes and seconds are read with NaN there", "[io][results]") {
  const ScratchDirectory scratch;
  const fs::path path = scratch / "results.h5";
  write_results(path, example_results());
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const char* name : {"/trajectories/encoder_passes", "/trajectories/seconds"})
    CHECK(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
  H5Fclose(file);
  const Trajectory trajectory = read_results(path).content.jobs[0].trajectory;
  CHECK(trajectory.loss[1] == 1.0);
  REQUIRE(trajectory.seconds.size() == 3);
  for (size_t point = 0; point < 3; ++point)
    CHECK((std::isnan(trajectory.encoder_passes[point]) && std::isnan(trajectory.seconds[point])));
}

TEST_CASE("a results file cut off at any length is an error that names it", "[io][results][corrupt]") {
  const ScratchDirectory scratch;
  write_results(scratch / "results.h5", example_results());
  const std::string whole = read_file(scratch / "results.h5");
  const size_t end_of_hdf5 = unsealed(whole, "results.h5").size();
  for (size_t length = 0; length < end_of_hdf5; length += 1009) {
    write_plain(scratch / "cut.h5", std::string_view(whole).substr(0, length));
    CHECK_THROWS_WITH(read_results(scratch / "cut.h5"), Catch::StartsWith((scratch / "cut.h5").string()));
  }
  CHECK_THROWS_AS(read_results(scratch / "absent.h5"), EnvironmentError);
}

TEST_CASE("a results file with any bit of its content changed is refused", "[io][results][corrupt]") {
  const ScratchDirectory scratch;
  write_results(scratch / "results.h5", example_results());
  const std::string whole = read_file(scratch / "results.h5");
  Draws draws({.seed = 7});
  const size_t end_of_hdf5 = unsealed(whole, "results.h5").size();
  for (int trial = 0; trial < 300; ++trial) {
    std::string changed = whole;
    char& byte = changed[static_cast<size_t>(draws.below(static_cast<int64_t>(end_of_hdf5)))];
    byte = static_cast<char>(byte ^ (1 << draws.below(8)));
    write_plain(scratch / "changed.h5", changed);
    CHECK_THROWS_WITH(read_results(scratch / "changed.h5"),
                      Catch::Contains("changed.h5") && Catch::Contains("altered"));
  }
  // Who edits it with another program drops the seal with the first byte.
  write_plain(scratch / "edited.h5", unsealed(whole, "results.h5"));
  CHECK(read_results(scratch / "edited.h5").info == read_results(scratch / "results.h5").info);
}

TEST_CASE("results of another schema are the user's to mend", "[io][results]") {
  const ScratchDirectory scratch;
  FileHandle file = create_file(scratch / "results.h5");
  write_attribute(file.get(), "schema", int64_t{3});
  publish_file(std::move(file), scratch / "results.h5");
  CHECK_THROWS_WITH(read_results(scratch / "results.h5"), Catch::Contains("schema 3") &&
                                                              Catch::Contains("reads schemas 1 to 2") &&
                                                              Catch::Contains("newer version"));
  CHECK_THROWS_AS(read_results(scratch / "results.h5"), ConfigError);
}
