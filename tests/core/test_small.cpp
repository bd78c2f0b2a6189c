#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <new>
#include <system_error>

#include "core/errors.hpp"
#include "core/log.hpp"
#include "core/machine_refusal.hpp"
#include "core/nearest_name.hpp"
#include "core/node_memory.hpp"
#include "core/progress.hpp"
#include "core/resample.hpp"
#include "core/sha256.hpp"
#include "core/shutdown.hpp"
#include "core/timer.hpp"
#include "core/unique_handle.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;

TEST_CASE("SHA-256 gives FIPS 180-4's answers, whole or in pieces", "[core]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256().update("a").update("bc").hex() == sha256_hex("abc"));
  Sha256 used;
  used.hex();
  CHECK_THROWS_AS(used.update("x"), PreconditionError);
}

TEST_CASE("the nearest name is the one with the fewest edits, if any is near", "[core]") {
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  const std::vector<std::string> names{"steps", "split", "schedule"};
  CHECK(nearest_name("step", names) == "steps");
  CHECK(nearest_name("spilt", names) == "split");
  CHECK_FALSE(nearest_name("xyzzy", names).has_value());
  CHECK(nearest_name("step", std::vector<std::string>{"stops", "steps"}) == "steps");  // two are near
  CHECK(nearest_name("step", std::vector<std::string>{"steps", "stops"}) == "steps");
}

TEST_CASE("resampling weights sum to one and equal the triangle filter", "[core]") {
  for (auto [in, out] : {std::pair{64, 32}, {7, 3}, {5, 5}, {4, 9}, {1, 6}}) {
    const ResampleAxis axis = resample_axis(in, out);
    const double scale = static_cast<double>(in) / out, stretch = std::max(scale, 1.0);
    for (int o = 0; o < out; ++o) {
      double total = 0.0, all = 0.0;
      std::vector<double> direct(static_cast<size_t>(in));
      for (int j = 0; j < in; ++j) {
        direct[static_cast<size_t>(j)] = std::max(0.0, 1 - std::abs((j + 0.5 - scale * (o + 0.5)) / stretch));
        all += direct[static_cast<size_t>(j)];
      }
      const size_t at = static_cast<size_t>(o);
      for (int tap = 0; tap < axis.count[at]; ++tap) {
        const double weight = axis.weights[at * static_cast<size_t>(axis.taps) + static_cast<size_t>(tap)];
        CHECK(weight == Approx(direct[static_cast<size_t>(axis.first[at] + tap)] / all).margin(1e-6));
        total += weight;
      }
      CHECK(total == Approx(1.0).epsilon(1e-5));
    }
  }
}

TEST_CASE("durations and dates read well", "[core]") {
  CHECK(format_duration(75) == "1:15");
  CHECK(format_duration(3700) == "1:01:40");
  CHECK(format_duration(-1) == "0:00");
  const std::string now = utc_now();
  CHECK(now.size() == 24);
  CHECK((now[10] == 'T' && now.back() == 'Z'));
}

TEST_CASE("events are JSON lines with time, rank and name", "[core]") {
  const std::string path = fmt::format("/tmp/invaria-test-{}.jsonl", getpid());
  {
    EventLog log(path, 3);
    log.event("one", {{"x", 1}});
    EventLog moved = std::move(log);
    moved.event("two");
  }
  std::ifstream file(path);
  std::string first, second, third;
  std::getline(file, first);
  std::getline(file, second);
  CHECK_FALSE(std::getline(file, third));
  const auto event = boost::json::parse(first).as_object();
  CHECK(event.at("event") == "one");
  CHECK(event.at("rank") == 3);
  CHECK(event.at("x") == 1);
  CHECK(boost::json::parse(second).at("event") == "two");
  std::remove(path.c_str());
  CHECK_THROWS_AS(EventLog("/proc/no/such", 0), EnvironmentError);
}

TEST_CASE("a last line that was cut off is dropped from the log, and nothing else", "[core]") {
  const std::string path = fmt::format("/tmp/invaria-test-{}.jsonl", getpid());
  const auto dropped = [&](const std::string& text) {
    std::ofstream(path) << text;
    drop_torn_line(path);
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(dropped("{\"a\":1}\n{\"b\":") == "{\"a\":1}\n");
  CHECK(dropped("{\"a\":1}\n{\"b\":2}\n") == "{\"a\":1}\n{\"b\":2}\n");
  CHECK(dropped("{\"a\"") == "");
  CHECK(dropped("") == "");
  std::remove(path.c_str());
  CHECK_NOTHROW(drop_torn_line(path));
  CHECK_FALSE(std::ifstream(path).is_open());
}

namespace {

int closed = 0;
struct CountingTraits {
  using Type = int;
  static Type invalid() { return -1; }
  static void close(Type) noexcept { ++closed; }
};

}  // namespace

TEST_CASE("a handle is closed exactly once, whoever holds it last", "[core]") {
  closed = 0;
  {
    UniqueHandle<CountingTraits> first(5);
    UniqueHandle<CountingTraits> second = std::move(first);
    CHECK_FALSE(first);
    CHECK(second.get() == 5);
    UniqueHandle<CountingTraits> third(6);
    third = std::move(second);  // closes 6
    CHECK(closed == 1);
  }
  CHECK(closed == 2);
}

TEST_CASE("private node memory is zero-filled and alone", "[core]") {
  const NodeMemory memory = NodeMemory::private_memory();
  const auto bytes = memory.allocate(100);
  for (int index = 0; index < 100; ++index) CHECK(bytes.get()[index] == std::byte{0});
  CHECK(memory.size == 1);
  CHECK(memory.any(true));
  CHECK_FALSE(memory.any(false));
}

TEST_CASE("a signal raises the flag and nothing else", "[core]") {
  install_shutdown_handlers();
  CHECK_FALSE(shutdown_requested());
  raise(SIGUSR1);
  CHECK(shutdown_requested());
}

TEST_CASE("memory and threads that are not to be had are the machine's refusal, other errors are not", "[core]") {
  CHECK(machine_refusal(std::bad_alloc()).find("out of memory") == 0);
  CHECK(machine_refusal(
            std::runtime_error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes\nat"))
            .find("tried to allocate 8 bytes)") != std::string::npos);
  CHECK(machine_refusal(std::system_error(EAGAIN, std::generic_category())).find("Resource temporarily unavailable") !=
        std::string::npos);
  CHECK(machine_refusal(std::out_of_range("vector")).empty());
}
