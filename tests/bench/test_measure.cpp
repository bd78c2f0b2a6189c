#include "bench/measure.hpp"

#include <ATen/ATen.h>

#include "bench/peer_process.hpp"
#include "bench/scratch.hpp"
#include "core/errors.hpp"
#include "io/files.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::bench;

namespace {

/// Doubles four numbers; its check wants them doubled.
Stage doubling(double factor) {
  const at::Tensor given = at::arange(4, at::kFloat);
  return {"made/double",
          "twice as much",
          "numbers",
          4.0,
          {4.0, 32.0},
          [=] { return std::vector{given * factor}; },
          [=](const at::Tensor& made) {
            if (!at::equal(made, given * 2.0)) throw WrongResult("not twice");
          },
          "",
          {}};
}

/// An adapter of one peer, "twice", which multiplies by `factor` and counts its runs in a file.
std::filesystem::path adapter(const Scratch& scratch, double factor) {
  io::write_file_atomically(scratch.path() / "made.py", fmt::format(R"(
import json, struct, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "prepare":
        answer = {{"version": "1.5"}} if request["peer"] == "twice" else {{"problem": "not installed: it is not"}}
    elif request["do"] == "make":
        open(request["file"], "wb").write(struct.pack("4f", *[{} * n for n in range(4)]))
        answer = {{"shape": [4]}}
    else:
        answer = {{"seconds": 0.25}}
    print(json.dumps(answer), flush=True)
)",
                                                                    factor));
  return scratch.path();
}

Stage with_peers(const std::vector<std::string>& names) {
  Stage stage = doubling(2.0);
  stage.adapter = "made.py";
  for (const std::string& name : names) stage.peers.push_back({name, {}, stage.check});
  return stage;
}

constexpr MachinePeaks kPeaks{1e9, 1e8};

}  // namespace

TEST_CASE("a spread is the middle and the ends", "[bench]") {
  const Spread odd = spread_of({5.0, 1.0, 2.0});
  CHECK(odd.median == 2.0);
  CHECK(odd.low == 1.0);
  CHECK(odd.high == 5.0);
  CHECK(spread_of({4.0, 1.0, 2.0, 3.0}).median == 2.5);
  CHECK_THROWS_AS(spread_of({}), PreconditionError);
}

TEST_CASE("what limits a run is the longer of its arithmetic and its bytes", "[bench]") {
  const Limit arithmetic = limit_of({2e9, 1e8}, kPeaks);
  CHECK(arithmetic.seconds == Approx(2.0));
  CHECK_FALSE(arithmetic.is_memory);
  const Limit memory = limit_of({1e9, 3e8}, kPeaks);
  CHECK(memory.seconds == Approx(3.0));
  CHECK(memory.is_memory);
  const MachinePeaks peaks = measure_peaks();
  CHECK(peaks.flops_per_s > 1e9);  // any machine of this century
  CHECK(peaks.bytes_per_s > 1e8);
}

TEST_CASE("a stage has a rate a pair, and none where what it made is wrong", "[bench]") {
  const StageRates rates = measure(doubling(2.0), kPeaks, {.pairs = 3, .seconds = 0.0});
  CHECK(rates.problem.empty());
  CHECK(rates.per_s.size() == 3);
  CHECK(rates.limit_per_s == Approx(4.0 / (32.0 / 1e8)));
  CHECK(rates.is_memory_bound);
  const StageRates wrong = measure(doubling(3.0), kPeaks, {.pairs = 3, .seconds = 0.0});
  CHECK(wrong.problem == "not twice");
  CHECK(wrong.per_s.empty());
}

TEST_CASE("peers run in turn with ours, and one that is missing or wrong has no rate and says why", "[bench]") {
  const Scratch scratch;
  const std::string python = INVARIA_TEST_PYTHON;
  const MeasureOptions options{python, adapter(scratch, 2.0), 2, 0.0, 1};
  const StageRates rates = measure(with_peers({"twice", "absent"}), kPeaks, options);
  REQUIRE(rates.peers.size() == 2);
  CHECK(rates.peers[0].version == "1.5");
  CHECK(rates.peers[0].per_s == std::vector<double>{16.0, 16.0});
  REQUIRE(rates.peers[0].times_ours.size() == 2);
  CHECK(rates.peers[0].times_ours[0] == Approx(rates.per_s[0] / 16.0));
  CHECK(rates.peers[1].problem == "not installed: it is not");
  CHECK(rates.peers[1].per_s.empty());

  const MeasureOptions others{python, adapter(scratch, 2.5), 2, 0.0, 1};
  const StageRates wrong = measure(with_peers({"twice"}), kPeaks, others);
  CHECK(wrong.per_s.size() == 2);
  CHECK(wrong.peers[0].problem == "not twice");
  CHECK(wrong.peers[0].per_s.empty());

  io::write_file_atomically(scratch.path() / "made.py", std::string("raise SystemExit\n"));
  CHECK_THROWS_AS(measure(with_peers({"twice"}), kPeaks, others), EnvironmentError);
  CHECK_THROWS_AS(PeerProcess("/no/such/python", scratch.path() / "made.py", 1), EnvironmentError);
}
