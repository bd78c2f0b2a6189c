#include <cmath>
#include <cstring>
#include <vector>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "io/safetensors.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// Header text and data as a file, with the length in front.
std::string assemble(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  for (size_t k = 0; k < 8; ++k) file[k] = static_cast<char>(header.size() >> (8 * k));
  return file + header + data;
}

struct Sample {
  std::vector<float> weights{1.5F, -2.0F, 3.25F, 0.0F, std::nanf(""), 6.0F};
  std::vector<uint8_t> flags{1, 2, 3};
  std::vector<int64_t> step{-7};
  std::vector<double> empty;
  std::vector<TensorView> views() const {
    return {{"flags", {3}, DType::kU8, bytes_of(flags)},
            {"layer.weight", {2, 3}, DType::kF32, bytes_of(weights)},
            {"empty", {0, 4}, DType::kF64, bytes_of(empty)},
            {"step", {}, DType::kI64, bytes_of(step)}};
  }
};

}  // namespace

TEST_CASE("tensors and metadata read back as written, each aligned to its element", "[io][safetensors]") {
  const ScratchDirectory scratch;
  const Sample sample;
  const std::map<std::string, std::string> metadata{{"step", "12"}, {"k\"ey", "t\n\xc3\xa9xt"}};
  write_safetensors(scratch / "a", sample.views(), metadata);
  const SafetensorsFile file(scratch / "a");
  CHECK(file.metadata() == metadata);
  CHECK(file.names() == std::vector<std::string>{"empty", "step", "layer.weight", "flags"});
  for (const TensorView& expected : sample.views()) {
    const TensorView& found = file.view(expected.name);
    CHECK(found.shape == expected.shape);
    CHECK(found.dtype == expected.dtype);
    REQUIRE(found.bytes.size() == expected.bytes.size());
    if (!found.bytes.empty()) CHECK(std::memcmp(found.bytes.data(), expected.bytes.data(), found.bytes.size()) == 0);
    CHECK(reinterpret_cast<uintptr_t>(found.bytes.data()) % static_cast<uintptr_t>(size_of(found.dtype)) == 0);
  }
  CHECK_THROWS_WITH(file.view("absent"), Catch::Contains("no tensor \"absent\""));
}

TEST_CASE("no tensors at all is a file too", "[io][safetensors]") {
  const ScratchDirectory scratch;
  write_safetensors(scratch / "a", {});
  CHECK(SafetensorsFile(scratch / "a").names().empty());
}

TEST_CASE("tensors that contradict themselves are not written", "[io][safetensors]") {
  const ScratchDirectory scratch;
  const Sample sample;
  auto views = sample.views();
  views[0].shape = {4};
  CHECK_THROWS_AS(write_safetensors(scratch / "a", views), PreconditionError);
  views = sample.views();
  views[1].name = "flags";
  CHECK_THROWS_AS(write_safetensors(scratch / "a", views), PreconditionError);
  CHECK_FALSE(fs::exists(scratch / "a"));
}

TEST_CASE("a safetensors file cut off at any length is refused, naming it", "[io][safetensors][corrupt]") {
  const ScratchDirectory scratch;
  write_safetensors(scratch / "whole", Sample().views(), {{"step", "12"}});
  const std::string whole = read_file(scratch / "whole");
  for (size_t length = 0; length < whole.size(); ++length) {
    write_plain(scratch / "cut", std::string_view(whole).substr(0, length));
    CHECK_THROWS_AS(SafetensorsFile(scratch / "cut"), ConfigError);
  }
  write_plain(scratch / "cut", whole + "x");
  CHECK_THROWS_WITH(SafetensorsFile(scratch / "cut"), Catch::Contains("cut") && Catch::Contains("1 bytes after"));
}

TEST_CASE("headers that lie are refused with the reason", "[io][safetensors][corrupt]") {
  const ScratchDirectory scratch;
  const auto reason = [&](const std::string& file) -> std::string {
    write_plain(scratch / "x", file);
    try {
      const SafetensorsFile read(scratch / "x");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string eight(8, 'd');
  const auto with_a = [&](const std::string& entry) { return reason(assemble("{\"a\":" + entry + "}", eight)); };
  REQUIRE(with_a(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})") == "accepted");
  CHECK_THAT(with_a("[]"), Catch::Contains("not an object"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[2]})"), Catch::Contains("no \"data_offsets\""));
  CHECK_THAT(with_a(R"({"dtype":"F33","shape":[2],"data_offsets":[0,8]})"), Catch::Contains("F33"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), Catch::Contains("at least 0"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,8]})"), Catch::Contains("at least 0"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), Catch::Contains("does not fill"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]})"),
             Catch::Contains("does not fill"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"), Catch::Contains("inside the file"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), Catch::Contains("inside the file"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), Catch::Contains("leave a gap"));
  CHECK_THAT(with_a(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), Catch::Contains("after the last tensor"));
  CHECK_THAT(
      with_a(
          R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})"),
      Catch::Contains("overlap"));
  CHECK_THAT(reason(assemble("{\"__metadata__\":{\"a\":1}}", "")), Catch::Contains("not text"));
  CHECK_THAT(reason(assemble("[]", "")), Catch::Contains("not a JSON object"));
  CHECK_THAT(reason(assemble("{", "")), Catch::Contains("not JSON"));
  CHECK_THAT(reason(std::string(8, '\xff') + "{}"), Catch::Contains("truncated"));
}

TEST_CASE("a header longer than any encoder's is refused before it is read as JSON", "[io][safetensors][corrupt]") {
  const ScratchDirectory scratch;
  constexpr uint64_t kLength = 100'000'001;
  std::string bytes(8, '\0');
  for (size_t k = 0; k < 8; ++k) bytes[k] = static_cast<char>(kLength >> (8 * k));
  write_plain(scratch / "long", bytes + "{}");
  fs::resize_file(scratch / "long", kLength + 100);  // sparse
  CHECK_THROWS_WITH(SafetensorsFile(scratch / "long"), Catch::Contains("a header of 100000001 bytes"));
}

TEST_CASE("a safetensors file with any header byte changed is read or refused, never worse",
          "[io][safetensors][corrupt]") {
  const ScratchDirectory scratch;
  write_safetensors(scratch / "whole", Sample().views(), {{"step", "12"}});
  const std::string whole = read_file(scratch / "whole");
  Draws draws({.seed = 5});
  int refused = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::string changed = whole;
    for (int64_t n = draws.below(3) + 1; n > 0; --n) {
      changed[static_cast<size_t>(draws.below(static_cast<int64_t>(whole.size())))] =
          static_cast<char>(draws.below(256));
    }
    write_plain(scratch / "x", changed);
    try {
      const SafetensorsFile file(scratch / "x");
      size_t bytes = 0;
      for (const std::string& name : file.names()) bytes += file.view(name).bytes.size();
      CHECK(bytes <= changed.size());
    } catch (const ConfigError&) {
      ++refused;
    }
  }
  CHECK(refused > kTrials / 2);
}
