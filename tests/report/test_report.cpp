#include <regex>

#include "report/merge.hpp"
#include "report/report.hpp"
#include "report/verify.hpp"
#include "tests/io/scratch.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

io::Results small_results() {
  return merge(small_info(), small_axes(), small_segment(), small_expectation());
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Intervals: t(0.975, 1) s / sqrt(2) = 12.706 x half the difference of two repeats. The ranks were worked out by hand.
constexpr const char* kGolden = R"(VALID

Suite small
invaria 0.1.0 (commit 0123456789ab), 2 ranks
2024-05-01T10:00:00Z to 2024-05-01T10:08:05Z, 8 min 05 s of wall-clock time
host: node1, CPU Xeon

Encoders: final values are means over the last tenth of the recorded steps
encoder        seed  parameters  per image  steps        time      rate  final loss  final top1  status
                                      FLOP                     images/s        nats           %
-------------  ----  ----------  ---------  -----  ----------  --------  ----------  ----------  --------
amortised         0      23.0 M     9.31 M      4  2 min 10 s       500       4.250        37.5  finished
fixed-default     0       712 k     9.31 M      4  2 min 10 s       500       4.250        37.5  finished
random            0       712 k     9.31 M      -      0.00 s         -           -           -  finished

Data sets
data set           checksum      split  hash          files left out
-----------------  ------------  -----  ------------  --------------
caltech101-sample  af2bdbe1aa9b  test   9f86d081884c               1
                                 train  116f54c41d04
left out of caltech101-sample: train/ant/broken.jpg

Arms x tasks: test values, mean ± half the 95 % interval over n repeats, or n encoder seeds where several
arm                n     known-01     known-10
                           top1 %       top1 %
-----------------  -  -----------  -----------
learned-projected  2  92.0 ± 25.4  72.0 ± 25.4
grid-best          2  93.0 ± 12.7  74.0 ± 25.4
corner-01          2  93.0 ± 12.7  22.0 ± 25.4
corner-10          2  48.0 ± 25.4  74.0 ± 25.4
fixed-default      2  89.0 ± 12.7  34.0 ± 25.4
random             2  32.0 ± 25.4   28.0 ± 0.0
oracle             2  93.0 ± 12.7  74.0 ± 25.4

Learned i: mean [least, greatest] over repeats and encoder seeds
task      arm                          spatial         appearance
--------  -----------------  -----------------  -----------------
known-01  learned-projected  0.12 [0.00, 0.25]  1.00 [1.00, 1.00]
known-10  learned-projected  1.00 [1.00, 1.00]  0.12 [0.00, 0.25]

Average rank and regret: rank 1 is best, of arms with a value everywhere; regret is oracle - arm, the least marked of those over the most cells; a cell is a task, encoder seed and repeat
arm                average rank  ranked over  regret  regret over
                                       cells  points        cells
-----------------  ------------  -----------  ------  -----------
learned-projected          2.75            4     1.5            4
grid-best                  1.62            4     0.0            4
corner-01                  3.88            4    26.0            4
corner-10                  3.25            4    22.5            4
fixed-default              4.00            4    22.0            4
random                     5.50            4    53.5            4
oracle                        -            -     0.0            4

Corners x known tasks
corner  known-01  known-10
          top1 %    top1 %
------  --------  --------
01          93.0      22.0
10          48.0      74.0

Grid of i: amortised on known-01
spatial  appearance 0  appearance 1
               top1 %        top1 %
-------  ------------  ------------
0                82.0          93.0
1                48.0          87.0

Grid of i: amortised on known-10
spatial  appearance 0  appearance 1
               top1 %        top1 %
-------  ------------  ------------
0                38.0          22.0
1                74.0          30.0

Other metrics
arm                n          known-01
                      mean_per_class %
-----------------  -  ----------------
learned-projected  1              92.0

Sensitivity: E|f(x) - f(Tx)|^2 / E|f(x) - f(x')|^2, 0 = invariant; mean over encoder seeds
encoder        corner  flip   hue
-------------  ------  ----  ----
amortised      01      0.55  0.01
amortised      10      0.02  1.04
fixed-default  11      0.08     -

Measured invariance: cosine of features, 1 = invariant; mean over strengths and encoder seeds
encoder    i       flip  rotation
---------  -----  -----  --------
amortised  0,1    0.250     0.250
amortised  1,0.5  0.750     0.750

Time by stage
stage     ranks  mean a rank  slowest rank  share
                                                %
--------  -----  -----------  ------------  -----
pretrain      2   4 min 55 s    5 min 00 s   94.4
extract       2       17.5 s        20.0 s    5.6

VALID
)";

}  // namespace

TEST_CASE("the report of a small run is this text", "[report][golden]") {
  CHECK(render(small_results(), Style::kPlain) == kGolden);
}

TEST_CASE("on a terminal headings and the best contestants are bold, and nothing else differs", "[report]") {
  const std::string terminal = render(small_results(), Style::kTerminal);
  CHECK(std::regex_replace(terminal, std::regex("\x1b\\[[01]m"), "") == kGolden);
  CHECK(contains(terminal, "\x1b[1mTime by stage\x1b[0m\n"));
  const std::string arms =
      terminal.substr(terminal.find("Arms x tasks"), terminal.find("Learned i") - terminal.find("Arms x tasks"));
  // Two arms tie on each task; the oracle, as good, is no contestant.
  CHECK(contains(arms, "grid-best          2  \x1b[1m93.0 ± 12.7\x1b[0m  \x1b[1m74.0 ± 25.4\x1b[0m\n"));
  CHECK(contains(arms, "corner-01          2  \x1b[1m93.0 ± 12.7\x1b[0m  22.0 ± 25.4\n"));
  CHECK(contains(arms, "oracle             2  93.0 ± 12.7  74.0 ± 25.4\n"));
}

TEST_CASE("where i was learned from views of the same samples the report says so", "[report]") {
  io::Segment segment = small_segment();
  for (io::JobRecord& row : segment.jobs) {
    if (row.arm == "learned-projected") row.halves = row.task == "known-01" ? "views" : "samples";
  }
  const std::string text = render(merge(small_info(), small_axes(), segment, small_expectation()), Style::kPlain);
  CHECK(contains(text, "known-01  learned-projected, by views "));
  CHECK(contains(text, "known-10  learned-projected  "));
}

TEST_CASE("jobs' own intervals stand in a table of theirs, averaged over repeats", "[report]") {
  io::Segment segment = small_segment();
  for (io::JobRecord& row : segment.jobs) {
    if (row.task != "known-10") continue;
    row.value_low = row.value - 0.1;
    row.value_high = row.value + 0.04;
  }
  const std::string text = render(merge(small_info(), small_axes(), segment, small_expectation()), Style::kPlain);
  CHECK(contains(text,
                 "95 % intervals over test samples, or over few-shot episodes: of one job, averaged over repeats and "
                 "encoder seeds\n"
                 "arm                    known-10\n"
                 "                         top1 %\n"
                 "-----------------  ------------\n"
                 "learned-projected  62.0 to 76.0\n"));
  CHECK(contains(text, "random             18.0 to 32.0\n"));
  CHECK_FALSE(contains(render(small_results(), Style::kPlain), "95 % intervals"));
}

TEST_CASE("projected and joint are compared by what they spent up to the same validation value", "[report]") {
  io::Segment segment = small_segment();
  const auto add = [&](const std::string& arm, int64_t repeat, std::vector<double> validation,
                       std::vector<double> passes) {
    std::erase_if(segment.jobs, [&](const io::JobRecord& row) {
      return row.arm == arm && row.task == "known-10" && row.repeat == repeat;
    });
    io::JobRecord row = job(arm, "known-10", repeat, 0.7);  // validation 0.69
    const size_t n = validation.size();
    row.trajectory = {std::vector<std::vector<double>>(n, {0.5, 0.5}), std::vector<double>(n, 0.1),
                      std::move(validation), passes, passes};
    segment.jobs.push_back(row);
  };
  // joint passes projected's .69 in its third point; in the second repeat it never comes to .69.
  add("learned-projected", 0, {kNoNumber, kNoNumber}, {10, 20});
  add("learned-joint", 0, {kNoNumber, 0.5, 0.7, 0.8}, {0, 100, 200, 300});
  add("learned-projected", 1, {kNoNumber, kNoNumber}, {10, 30});
  add("learned-joint", 1, {kNoNumber, 0.6, 0.5}, {0, 110, 220});
  MergeExpectation expected = small_expectation();
  for (int64_t repeat : {0, 1}) expected.job_ids.push_back(job("learned-joint", "known-10", repeat, 0.7).job_id);
  io::RunInfo episodes = small_info();  // which are judged by episodes, so that there is nothing to compare
  episodes.settings = R"({"tasks": [{"name": "known-10", "kind": "few-shot"}]})";
  CHECK_FALSE(std::regex_search(render(merge(episodes, small_axes(), segment, expected), Style::kPlain),
                                std::regex("known-10 +amortised +top1 +64")));
  const std::string report = render(merge(small_info(), small_axes(), std::move(segment), expected), Style::kPlain);
  // Both reach (.69 + .6) / 2; 20 and 30 images against 200 and 110.
  CHECK(std::regex_search(report,
                          std::regex("known-10 +amortised +top1 +64\\.5 +25 +155 +25\\.0 s +2 min 35 s +1 +1 +2")));
  CHECK_FALSE(contains(render(small_results(), Style::kPlain), "Effort of learning i"));
}

TEST_CASE("learning i is compared by the metric that validation goes by, and says which", "[report]") {
  io::Segment segment = small_segment();
  const auto add = [&](const std::string& arm, std::vector<double> validation, double top1, double mean_per_class) {
    const size_t n = validation.size();
    const std::vector<double> passes = n == 2 ? std::vector<double>{10, 20} : std::vector<double>{0, 100, 200};
    for (const auto& [metric, value] : {std::pair{"top1", top1}, {"mean_per_class", mean_per_class}}) {
      io::JobRecord row = job(arm, "known-10", 0, value + 0.01);
      row.metric = metric;
      row.trajectory = {std::vector<std::vector<double>>(n, {0.5, 0.5}), std::vector<double>(n, 0.1), validation,
                        passes, passes};
      std::erase_if(segment.jobs, [&](const io::JobRecord& other) {
        return other.arm == arm && other.task == row.task && other.repeat == 0 && other.metric == metric;
      });
      segment.jobs.push_back(row);
    }
  };
  add("learned-projected", {kNoNumber, kNoNumber}, 0.9, 0.5);
  add("learned-joint", {kNoNumber, 0.4, 0.6}, 0.8, 0.6);
  io::RunInfo info = small_info();
  info.settings = R"({"tasks": [{"name": "known-10", "kind": "known", "metrics": ["mean_per_class", "top1"]}]})";
  const std::string report = render(merge(info, small_axes(), segment, {}), Style::kPlain);
  // Of .5 and .6 projected ends worse: joint comes to .5 with 200 images.
  CHECK(std::regex_search(
      report, std::regex("known-10 +amortised +mean_per_class +50\\.0 +20 +200 +20\\.0 s +3 min 20 s +0 +1 +1")));
}

TEST_CASE("the best is looked for among arms with a value in every repeat, and the others are marked", "[report]") {
  std::vector<io::JobRecord> jobs{job("centre", "t", 0, 0.3), job("centre", "t", 1, 0.5),
                                  job("learned-joint", "t", 0, 0.9), job("corner-01", "t", 0, 0.2),
                                  job("corner-01", "t", 1, 0.2)};
  io::Segment segment;
  segment.jobs = jobs;
  const std::string text = render(merge(small_info(), small_axes(), segment, {}), Style::kTerminal);
  CHECK(std::regex_search(text, std::regex("learned-joint +1 +90\\.0 \u2020")));
  CHECK(contains(text, "\x1b[1m40.0"));
  CHECK_FALSE(contains(text, "\x1b[1m90.0"));
  CHECK(contains(text, "\u2020: over fewer repeats than others of its column"));
}

TEST_CASE("energy stands beside the time of a stage where it was read", "[report]") {
  io::Segment segment = small_segment();
  for (io::StageTime& time : segment.stage_times) {
    if (time.stage == "pretrain") time.cpu_energy_J = time.gpu_energy_J = time.rank == 0 ? 2500.0 : 0.0;
  }
  const std::string text = render(merge(small_info(), small_axes(), segment, small_expectation()), Style::kPlain);
  CHECK(contains(text, "pretrain      2   4 min 55 s    5 min 00 s   94.4  5.00 k\n"));
  CHECK(contains(text, "extract       2       17.5 s        20.0 s    5.6       -\n"));
}

TEST_CASE("of an error the least is marked as the best", "[report]") {
  std::vector<io::JobRecord> jobs{job("centre", "t", 0, 0.3), job("corner-01", "t", 0, 0.2)};
  for (io::JobRecord& row : jobs) row.metric = "nme";
  io::Segment segment;
  segment.jobs = jobs;
  const std::string text = render(merge(small_info(), small_axes(), segment, {}), Style::kTerminal);
  CHECK(contains(text, "\x1b[1m20.0\x1b[0m"));
  CHECK_FALSE(contains(text, "\x1b[1m30.0\x1b[0m"));
}

TEST_CASE("an invalid run says why on the first and the last line, and failed jobs with their errors", "[report]") {
  io::Segment segment = small_segment();
  io::JobRecord& failed = segment.jobs.front();
  failed.status = "failed";
  failed.error = "out of memory\nwhile extracting";
  failed.rank = 3;
  for (io::JobRecord& row : segment.jobs) {
    if (row.encoder == "random") row.status = "blocked";
  }
  segment.encoders[0].status = "failed";
  segment.encoders[0].error = "loss is nan at step 3";

  const io::Results results = merge(small_info(), small_axes(), segment, small_expectation());
  const std::string text = render(results, Style::kPlain);
  const std::string why = "INVALID: encoder failed: random, encoder seed 0: loss is nan at step 3; ";
  CHECK(text.starts_with(why));
  const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
  CHECK(last.starts_with(why));
  CHECK(contains(text,
                 "Failed\n"
                 "  encoder random, seed 0: failed\n"
                 "    loss is nan at step 3\n"
                 "  learned-projected on known-10, repeat 1 (amortised, encoder seed 0; rank 3 on node1): failed\n"
                 "    out of memory\n"
                 "    while extracting\n"
                 "  blocked by encoder random, seed 0: 4 jobs\n"));
}

TEST_CASE("a results file reads back to the same report and the same verdict", "[report][io]") {
  io::Segment segment = small_segment();
  MergeExpectation expected = small_expectation();
  // A second encoder seed: encoders are then named with their seeds in the file.
  for (size_t n = segment.jobs.size(); n-- > 0;) {
    io::JobRecord row = segment.jobs[n];
    row.encoder_seed = 10;
    row.value = std::max(0.0, row.value - 0.1);
    row.job_id = sha256_hex(row.job_id);
    expected.job_ids.push_back(row.job_id);
    segment.jobs.push_back(row);
  }
  for (size_t n = segment.encoders.size(); n-- > 0;) {
    segment.encoders.push_back(segment.encoders[n]);
    segment.encoders.back().encoder_seed = 10;
  }
  const io::Results results = merge(small_info(), small_axes(), segment, expected);
  REQUIRE(results.info.invalid_because == "");

  const ScratchDirectory scratch;
  io::write_results(scratch / "results.h5", results);
  io::Results read = io::read_results(scratch / "results.h5");
  CHECK(render(read, Style::kPlain) == render(results, Style::kPlain));
  CHECK(verify_results(read, expected).empty());

  read.content.jobs.front().value += 1e-9;
  CHECK_FALSE(verify_results(read, expected).empty());
}

TEST_CASE("arms of several encoders are told apart", "[report]") {
  io::Segment segment;
  segment.jobs = {job("corner-01", "known-01", 0, 0.5), job("corner-01", "known-01", 0, 0.75),
                  job("centre", "known-01", 0, 0.25)};
  segment.jobs[1].encoder = "film";
  segment.jobs[1].job_id = "film";
  const std::string text = render(merge({}, small_axes(), segment, {}), Style::kPlain);
  CHECK(contains(text, "corner-01 (amortised)  1      50.0\n"));
  CHECK(contains(text, "corner-01 (film)       1      75.0\n"));
  CHECK(contains(text, "centre                 1      25.0\n"));
}

TEST_CASE("grids of one and of three axes have one value a cell", "[report]") {
  io::Segment segment;
  segment.jobs = {job("grid-0", "t", 0, 0.25), job("grid-0.5", "t", 0, 0.5)};
  const std::string one = render(merge({}, {"pitch"}, segment, {}), Style::kPlain);
  CHECK(contains(one, "pitch 0  pitch 0.5\n"));
  CHECK(contains(one, "25.0       50.0\n"));

  segment.jobs = {job("grid-0,0,0", "t", 0, 0.25), job("grid-0,1,0", "t", 0, 0.5), job("grid-0,1,1", "t", 0, 0.75)};
  const std::string three = render(merge({}, {"pitch", "time", "noise"}, segment, {}), Style::kPlain);
  CHECK(contains(three, "pitch,time  noise 0  noise 1\n"));
  CHECK(contains(three, "0,0            25.0        -\n"));
  CHECK(contains(three, "0,1            50.0     75.0\n"));
}

TEST_CASE("many tasks go below each other, six across", "[report]") {
  io::Segment segment;
  for (int64_t k = 0; k < 8; ++k) segment.jobs.push_back(job("centre", fmt::format("task-{}", k), 0, 0.5));
  const std::string text = render(merge({}, small_axes(), segment, {}), Style::kPlain);
  CHECK(contains(text, "arm     n  task-0  task-1  task-2  task-3  task-4  task-5\n"));
  CHECK(contains(text, "\n\narm     n  task-6  task-7\n"));
}

TEST_CASE("a run with nothing in it is reported as such", "[report]") {
  const std::string text = render(merge({}, {}, {}, {}), Style::kPlain);
  CHECK(text.starts_with("INVALID: nothing finished"));
  CHECK_FALSE(contains(text, "Arms x tasks"));
}
