#include "report/comparable.hpp"

#include "report/merge.hpp"
#include "report/report.hpp"
#include "report/verify.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_of.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

/// The part of the small run that `belongs` to it, as a file of its own.
template <class Belongs>
NamedResults part(const std::string& file, const Belongs& belongs) {
  io::Segment segment = small_segment();
  std::erase_if(segment.jobs, [&](const io::JobRecord& row) { return !belongs(row); });
  return {file, merge(small_info(), small_axes(), segment, {})};
}

NamedResults of_task(const std::string& task) {
  return part(task + ".h5", [&](const io::JobRecord& row) { return row.task == task; });
}

}  // namespace

TEST_CASE("files of one suite become one: its tasks in one table, derived arms and ranks made anew",
          "[report][comparable]") {
  std::vector<io::Results> merged = merged_by_suite({of_task("known-01"), of_task("known-10")});
  REQUIRE(merged.size() == 1);
  io::Results whole = merge(small_info(), small_axes(), small_segment(), {});
  CHECK(merged[0].summary == whole.summary);
  CHECK(merged[0].arm_summary == whole.arm_summary);
  CHECK(merged[0].info.valid);
  CHECK(merged[0].content.encoders.size() == 3);
  CHECK(merged[0].info.wall_s == 2 * small_info().wall_s);
}

TEST_CASE("of files that other builds wrote both are told of, in JSON where it was JSON", "[report][comparable]") {
  NamedResults one = of_task("known-01"), other = of_task("known-10");
  one.results.info.libraries = R"({"HDF5": "1.10.8"})";
  other.results.info.libraries = R"({"HDF5": "1.14.0"})";
  one.results.info.compiler = "GNU 12.2.0";
  other.results.info.compiler = "GNU 13.2.0";
  const io::RunInfo info = merged_by_suite({one, other}).front().info;
  CHECK(info.libraries == R"([{"HDF5": "1.10.8"}, {"HDF5": "1.14.0"}])");
  CHECK(info.compiler == "GNU 12.2.0, GNU 13.2.0");
}

TEST_CASE("files of several suites stay apart, in their order", "[report][comparable]") {
  NamedResults other = of_task("known-10");
  other.results.info.suite = "other";
  const std::vector<io::Results> suites = merged_by_suite({of_task("known-01"), other});
  REQUIRE(suites.size() == 2);
  CHECK(suites[0].info.suite == "small");
  CHECK(suites[1].info.suite == "other");
}

TEST_CASE("one INVALID file makes the whole INVALID and is named", "[report][comparable]") {
  NamedResults broken = of_task("known-10");
  broken.results.info.valid = false;
  broken.results.info.invalid_because = "a job failed";
  const io::Results merged = merged_by_suite({of_task("known-01"), broken}).front();
  CHECK_FALSE(merged.info.valid);
  CHECK(merged.info.invalid_because == "known-10.h5: a job failed");
}

TEST_CASE("what would mix two things under one name is refused, naming the difference", "[report][comparable]") {
  const auto refused = [](const auto& alter) {
    NamedResults other = of_task("known-01");
    other.file = "other.h5";
    alter(other.results);
    return error_of([&] { merged_by_suite({of_task("known-01"), other}); });
  };
  CHECK_NOTHROW(merged_by_suite({of_task("known-01"), of_task("known-01")}));
  // The same rows under other settings have other ids.
  const std::string settings = refused([](io::Results& r) {
    r.info.settings = R"({"downstream": {"readout": {"max_passes": 7}}})";
    for (auto& row : r.content.jobs) row.job_id = "of-other-settings" + row.job_id;
  });
  CHECK(settings.find("settings (known-01.h5 there, other.h5 here): ") != std::string::npos);
  CHECK(settings.find("settings of ") != std::string::npos);
  CHECK(refused([](io::Results& r) {
          r.axes = {"pitch", "noise"};
        }).find("axes: spatial,appearance in known-01.h5, pitch,noise in other.h5") != std::string::npos);
  CHECK(refused([](io::Results& r) {
          for (auto& row : r.content.jobs) row.split_hash = "other";
        }).find("split of known-01, repeat 0") != std::string::npos);
  CHECK(refused([](io::Results& r) {
          for (auto& row : r.content.jobs) row.protocol = "paper";
        }).find("protocol of known-01: default in known-01.h5, paper in other.h5") != std::string::npos);
  CHECK(refused([](io::Results& r) { r.content.data[0].checksum = "x"; }).find("data caltech101-sample: checksum") !=
        std::string::npos);
  CHECK(refused([](io::Results& r) { r.content.data[0].settings = "x"; }).find("data caltech101-sample: settings") !=
        std::string::npos);
  CHECK(refused([](io::Results& r) {
          r.content.encoders[0].settings = "x";
        }).find("encoder amortised, seed 0: settings") != std::string::npos);
  CHECK(refused([](io::Results& r) {
          r.content.encoders[0].checkpoint_hash = "x";
        }).find("encoder amortised, seed 0: checkpoint hash") != std::string::npos);
  // Parts that share no row: other seeds of an encoder that was pretrained otherwise, other tasks judged otherwise.
  const auto apart = [](const std::string& settings, const std::string& encoder, int64_t seed) {
    NamedResults one = of_task("known-01"), other = of_task("known-10");
    one.results.info.settings =
        R"({"downstream": {"protocol": "sound", "grid_per_axis": 3, "joint": {"repeats": 1}, "readout": {"max_passes": 50}},
            "seed": 0})";
    one.results.content.encoders[0].settings = R"({"name": "amortised", "seed": 0, "steps": 300})";
    other.results.info.settings = settings;
    other.results.content.encoders[0].settings = encoder;
    other.results.content.encoders[0].encoder_seed = seed;
    other.results.content.encoders[0].checkpoint_hash = one.results.content.encoders[0].checkpoint_hash;
    return merged_by_suite({one, other});
  };
  const std::string alike =
      R"({"downstream": {"protocol": "sound", "readout": {"max_passes": 50, "new": 1}}, "arms": []})";
  const std::string more_points =
      R"({"downstream": {"protocol": "sound", "grid_per_axis": 9, "joint": {"repeats": 3}}, "seed": 0})";
  CHECK_NOTHROW(apart(more_points, R"({"name": "amortised", "seed": 0, "steps": 300})", 0));
  CHECK_NOTHROW(apart(alike, R"({"name": "amortised", "seed": 7, "steps": 300})", 7));
  CHECK_THAT(error_of([&] { apart(alike, R"({"name": "amortised", "seed": 7, "steps": 3})", 7); }),
             Catch::Contains("encoder amortised.steps: 300 in known-01.h5, 3 in known-10.h5"));
  const std::string other = R"({"downstream": {"protocol": "paper"}})";
  CHECK_THAT(error_of([&] { apart(other, R"({"name": "amortised", "seed": 0, "steps": 300})", 0); }),
             Catch::Contains(R"(downstream.protocol: "sound" in known-01.h5, "paper" in known-10.h5)"));
  // A task of one name that is two: its splits do not tell.
  const auto with_task = [](NamedResults results, const std::string& task) {
    results.results.info.settings = R"({"tasks": [)" + task + "]}";
    return results;
  };
  const std::string one_shot = R"({"name": "birds", "metrics": ["top1"], "few_shot": {"shots": 1}})";
  CHECK_NOTHROW(merged_by_suite({with_task(of_task("known-01"), one_shot),
                                 with_task(of_task("known-10"), R"({"name": "birds", "few_shot": {"shots": 1}})")}));
  CHECK_THAT(error_of([&] {
               merged_by_suite({with_task(of_task("known-01"), one_shot),
                                with_task(of_task("known-10"), R"({"name": "birds", "few_shot": {"shots": 5}})")});
             }),
             Catch::Contains("task birds.few_shot.shots: 1 in known-01.h5, 5 in known-10.h5"));
  // Of tasks that only one has both tell.
  const std::string faces = R"({"name": "faces", "metrics": ["r2_flat", "r2"]})";
  CHECK_THAT(merged_by_suite({with_task(of_task("known-01"), one_shot), with_task(of_task("known-10"), faces)})
                 .front()
                 .info.settings,
             Catch::Contains("birds") && Catch::Contains("r2_flat"));
  // Similarities that were measured otherwise, of another encoder.
  CHECK_THAT(refused([](io::Results& r) {
               for (auto& row : r.content.similarities) row.settings = R"({"images": 40})";
             }),
             Catch::Contains("measure.images: 20 in known-01.h5, 40 in other.h5"));
  const std::string value = refused([](io::Results& r) {
    for (auto& row : r.content.jobs) row.value += row.arm == "corner-01" && row.repeat == 0 ? 0.01 : 0.0;
  });
  CHECK(value.find("corner-01 on known-01, repeat 0, top1): 0.92 in known-01.h5, 0.93 in other.h5") !=
        std::string::npos);
  CHECK(value.find("invaria compare") != std::string::npos);
}
