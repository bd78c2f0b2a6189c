#include "report/run_state.hpp"

#include "tests/support/catch.hpp"

using namespace invaria::report;

namespace {

constexpr const char* kLog =
    R"({"time":"2024-05-01T09:00:00.000Z","t":1,"rank":0,"event":"run_begin","suite":"old","ranks":9}
{"time":"2024-05-01T10:00:00.000Z","t":1,"rank":0,"event":"run_begin","suite":"small","ranks":2,"encoders":2}
{"time":"2024-05-01T10:00:01.000Z","t":2,"rank":0,"event":"pretrain_begin","encoder":"amortised"}
{"time":"2024-05-01T10:00:02.000Z","t":3,"rank":0,"event":"pretrain_step","encoder":"amortised","step":1,"steps":41,"loss":5.5}
not an event
{"time":"2024-05-01T10:00:12.000Z","t":4,"rank":0,"event":"pretrain_step","encoder":"amortised","step":11,"steps":41,"loss":4.25}
)";

constexpr const char* kMore =
    R"({"time":"2024-05-01T10:00:42.000Z","t":5,"rank":0,"event":"pretrain_end","encoder":"amortised","end":0,"error":""}
{"time":"2024-05-01T10:00:43.000Z","t":5,"rank":0,"event":"pretrain_begin","encoder":"random"}
{"time":"2024-05-01T10:00:43.000Z","t":5,"rank":0,"event":"pretrain_end","encoder":"random","end":0,"error":"loss is nan"}
{"time":"2024-05-01T10:00:50.000Z","t":6,"rank":0,"event":"sweep_begin","units":4,"finished_before":1,"cost":100}
{"time":"2024-05-01T10:00:50.000Z","t":6,"rank":0,"event":"unit_begin","unit":"known-01 grid","cost":60,"jobs":9}
{"time":"2024-05-01T10:00:50.000Z","t":6,"rank":1,"event":"unit_begin","unit":"known-10 grid","cost":20,"jobs":9}
{"time":"2024-05-01T10:01:00.000Z","t":6,"rank":1,"event":"unit_end","unit":"known-10 grid","cost":20,"jobs":9,"error":"disk\nfull"}
)";

constexpr double kTen = 1714557600.0;  // 2024-05-01T10:00:00Z

}  // namespace

TEST_CASE("of a log the last session counts, and a step's time tells what is left", "[report][watch]") {
  RunState state;
  CHECK_FALSE(state.has_begun());
  CHECK(state.text(0) == "no run has begun here\n");
  state.add(kLog);
  CHECK(state.text(kTen + 15) ==
        "small on 2 ranks, begun 0:15 ago, last event 0:03 ago\n"
        "pretraining  0/2 (0 %) encoders; amortised: step 11/41 (27 %), loss 4.250, about 0:30 left\n");
}

TEST_CASE("a sweep's share, ranks, failures and end are told, however the log comes in pieces", "[report][watch]") {
  const std::string whole = std::string(kLog) + kMore;
  for (const size_t length : {size_t{1}, size_t{7}, size_t{100}, whole.size()}) {
    RunState state;
    for (size_t at = 0; at < whole.size(); at += length) state.add(std::string_view(whole).substr(at, length));
    CHECK(state.text(kTen + 70) ==
          "small on 2 ranks, begun 1:10 ago, last event 0:10 ago\n"
          "pretraining  2/2 (100 %) encoders\n"
          "sweep        1/4 (25 %) units, 9 jobs finished, 1 units were before, about 1:20 left\n"
          "rank 0       known-01 grid for 0:20\n"
          "rank 1       between units for 0:10\n"
          "failed       encoder random: loss is nan\n"
          "failed       known-10 grid: disk\n");
  }
}

TEST_CASE("a run that has ended says how", "[report][watch]") {
  const auto ended = [](const std::string& fields) {
    RunState state;
    state.add(kLog);
    state.add(R"({"time":"2024-05-01T10:02:00.000Z","event":"run_end",)" + fields + "}\n");
    const std::string text = state.text(kTen + 200);
    return state.end() + ": " + text.substr(text.rfind('\n', text.size() - 2) + 1);
  };
  CHECK(ended(R"("end":"finished","valid":true)") == "finished: finished, VALID\n");
  CHECK(ended(R"("end":"finished","valid":false)") == "finished: finished, INVALID (invaria report says why)\n");
  CHECK(ended(R"("end":"stopped")") == "stopped: stopped; the same command continues\n");
  CHECK(ended(R"("end":"error","because":"disk full","code":3)") == "error: ended with an error: disk full\n");
}

TEST_CASE("shares of a sweep have a line each, and the run goes on until all are merged", "[report][watch]") {
  RunState state;
  state.add(kLog);
  state.add(R"({"time":"2024-05-01T10:01:00.000Z","event":"part_end","end":"finished"}
{"time":"2024-05-01T10:01:01.000Z","rank":0,"share":"1/2","event":"run_begin","suite":"small","ranks":3}
{"time":"2024-05-01T10:01:01.000Z","rank":0,"share":"2/2","event":"run_begin","suite":"small","ranks":4}
{"time":"2024-05-01T10:01:02.000Z","rank":0,"share":"1/2","event":"sweep_begin","units":4,"finished_before":0,"cost":100}
{"time":"2024-05-01T10:01:12.000Z","rank":0,"share":"1/2","event":"unit_end","unit":"a","cost":25,"jobs":9,"error":"disk"}
{"time":"2024-05-01T10:01:12.000Z","rank":0,"share":"2/2","event":"part_end","end":"finished"}
)");
  CHECK(state.end().empty());
  const std::string text = state.text(kTen + 72);
  CHECK(text.starts_with("small on 7 ranks, begun 1:12 ago"));
  CHECK(text.find("share 1/2    1/4 (25 %) units, 9 jobs finished, about 0:30 left\nfailed       a: disk\n") !=
        std::string::npos);
  CHECK(text.find("share 2/2    looks at its data; finished\n") != std::string::npos);

  state.add(
      R"({"time":"2024-05-01T10:01:40.000Z","rank":0,"share":"1/2","event":"run_end","end":"error","because":"disk full"}
)");
  CHECK_THAT(state.text(kTen + 110), Catch::Contains("ended with an error: disk full\n"));
  CHECK(state.end().empty());

  // Another sweep in shares, in a directory whose run had ended.
  state.add(R"({"time":"2024-05-01T10:02:00.000Z","event":"run_end","end":"finished","valid":true}
{"time":"2024-05-01T10:03:00.000Z","rank":0,"share":"1/2","event":"run_begin","suite":"more","ranks":3}
)");
  CHECK(state.end().empty());
  CHECK(state.text(kTen + 182).starts_with("more on 3 ranks, begun 0:02 ago"));
}
