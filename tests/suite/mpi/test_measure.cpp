// Measuring on any number of ranks, kept, continued and redone.
#include <algorithm>
#include <map>

#include "io/segments.hpp"
#include "suite/measure.hpp"
#include "tests/suite/small_suite.hpp"
#include "tests/train/small_pretraining.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;
using train::testing::SharedScratch;

namespace {

const std::vector<std::string> kSettings{
    "tasks=[]", "arms=[\"centre\"]", "sensitivity.data=",
    "measure={\"data\": \"shapes\", \"images\": 12, \"strengths\": 3, \"along_i\": 3, \"transformations\": [\"flip\", "
    "\"rotation\", \"hue\"]}"};
// Points of `amortised`: 3 corners and 2 between them; the two others have one each. Curves: 3 kinds of 3
// transformations.
constexpr size_t kRows = (5 + 1 + 1) * 3 * 3;

RunEnd measure_small(
    const Suite& suite, const comm::Communicator& comm, const std::filesystem::path& output,
    const std::function<bool()>& stop_requested = [] { return false; }) {
  const Datasets datasets = load_datasets(suite, small_manifests(), {}, comm);
  const RunEnd end =
      measure(suite, make_plan(suite), datasets, {comm, c10::Device(c10::kCPU), output, {}, nullptr, stop_requested});
  comm.barrier();
  return end;
}

void pretrain(const Suite& suite, const comm::Communicator& comm, const std::filesystem::path& output) {
  std::error_code ignored;
  std::filesystem::create_directories(output, ignored);
  EventLog log((output / "log.jsonl").string(), comm.rank());
  CHECK(run(suite, small_manifests(), make_plan(suite),
            {comm, c10::Device(c10::kCPU), output, {}, &log, [] { return false; }}) == RunEnd::kFinished);
  comm.barrier();
}

std::vector<io::SimilarityRecord> rows_in(const std::filesystem::path& output) {
  std::vector<io::SimilarityRecord> rows = io::read_segments(output / "segments").similarities;
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.encoder, a.invariance, a.transformation, a.similarity) <
           std::tie(b.encoder, b.invariance, b.transformation, b.similarity);
  });
  return rows;
}

}  // namespace

TEST_CASE("every encoder is measured once at every point, whatever the ranks, and not again", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite = small_suite(kSettings);
  pretrain(suite, comm, scratch / "run");
  CHECK(measure_small(suite, comm, scratch / "run") == RunEnd::kFinished);
  const auto rows = rows_in(scratch / "run");
  CHECK(rows.size() == kRows);
  for (const io::SimilarityRecord& row : rows) {
    INFO(row.encoder << " " << config::to_string(row.invariance) << " " << row.transformation << " " << row.similarity);
    CHECK(row.strengths.size() == (row.transformation == "flip" ? 1 : 3));
    CHECK(row.values.size() == row.strengths.size());
    CHECK(row.directions >= 1);
    if (row.transformation == "flip") continue;
    // The middle strength of a rotation and of a turn of the hue is none at all.
    CHECK(row.values[1] == Approx(row.similarity == "mahalanobis" ? 0.0 : 1.0).margin(0.02));
    CHECK((row.similarity == "mahalanobis" ? row.values[0] : 1.0 - row.values[0]) > 1e-6);
  }
  comm.barrier();

  // The same again has nothing to do; one rank alone finds the same numbers.
  CHECK(measure_small(suite, comm, scratch / "run") == RunEnd::kFinished);
  CHECK((rows_in(scratch / "run") == rows));
  comm.barrier();
  if (comm.is_root()) {
    for (const io::fs::path& segment : io::list_segments(scratch / "run" / "segments")) {
      if (!io::read_segment(segment).similarities.empty()) std::filesystem::remove(segment);
    }
    CHECK(measure_small(suite, comm::Communicator::alone(), scratch / "run") == RunEnd::kFinished);
    CHECK((rows_in(scratch / "run") == rows));
  }
  comm.barrier();

  // Other settings measure everything anew.
  std::vector<std::string> fewer = kSettings;
  fewer.emplace_back("measure.images=10");
  CHECK(measure_small(small_suite(fewer), comm, scratch / "run") == RunEnd::kFinished);
  const auto all = io::read_segments(scratch / "run" / "segments").similarities;
  CHECK(all.size() == 2 * kRows);
  CHECK(io::of_last_measuring(all).size() == kRows);
}

TEST_CASE("a measuring that is stopped keeps whole points and continues", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  const Suite suite = small_suite(kSettings);
  pretrain(suite, comm, scratch / "run");
  int asked = 0;  // 7 strengths a point: every rank finishes one point and is stopped in its second
  CHECK(measure_small(suite, comm, scratch / "run", [&] { return ++asked > 10; }) == RunEnd::kStopped);
  const size_t n_before = rows_in(scratch / "run").size();
  CHECK(n_before == static_cast<size_t>(comm.size()) * 9);
  comm.barrier();
  CHECK(measure_small(suite, comm, scratch / "run") == RunEnd::kFinished);
  CHECK(rows_in(scratch / "run").size() == kRows);
}
