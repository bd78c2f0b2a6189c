#include "core/errors.hpp"
#include "io/cifar.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

uint8_t plane_value(int64_t record, int64_t channel, int64_t y, int64_t x) {
  return static_cast<uint8_t>(record * 50 + channel * 20 + y * 3 + x);
}

/// Records as the data set's page describes them: labels, then red, green and blue planes row by row.
std::string records(const std::vector<std::string>& labels) {
  std::string bytes;
  for (size_t record = 0; record < labels.size(); ++record) {
    bytes += labels[record];
    for (int64_t channel = 0; channel < 3; ++channel) {
      for (int64_t y = 0; y < 32; ++y) {
        for (int64_t x = 0; x < 32; ++x) {
          bytes += static_cast<char>(plane_value(static_cast<int64_t>(record), channel, y, x));
        }
      }
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("CIFAR records become interleaved pictures and labels", "[io][cifar]") {
  const CifarBatch ten = read_cifar(records({"\x03", "\x09"}), CifarKind::kCifar10, "data_batch_1.bin");
  CHECK(ten.count == 2);
  CHECK(ten.labels == std::vector<int64_t>{3, 9});
  REQUIRE(ten.pixels.size() == 2 * 32 * 32 * 3);
  for (int64_t record = 0; record < 2; ++record) {
    for (int64_t y : {0, 5, 31}) {
      for (int64_t x : {0, 7, 31}) {
        for (int64_t channel = 0; channel < 3; ++channel) {
          const auto at = static_cast<size_t>(((record * 32 + y) * 32 + x) * 3 + channel);
          CHECK(ten.pixels[at] == plane_value(record, channel, y, x));
        }
      }
    }
  }
  const CifarBatch hundred = read_cifar(records({"\x13\x63"}), CifarKind::kCifar100, "train.bin");
  CHECK(hundred.labels == std::vector<int64_t>{99});
  CHECK(hundred.pixels[4] == plane_value(0, 1, 0, 1));
}

TEST_CASE("CIFAR files of a wrong length or with impossible labels are refused by name", "[io][cifar][corrupt]") {
  const std::string good = records({"\x03"});
  CHECK_THROWS_WITH(read_cifar(good + "x", CifarKind::kCifar10, "a.bin"),
                    Catch::Contains("a.bin: 3074 bytes") && Catch::Contains("records of 3073 bytes"));
  CHECK_THROWS_AS(read_cifar(good, CifarKind::kCifar100, "a.bin"), ConfigError);
  CHECK_THROWS_AS(read_cifar("", CifarKind::kCifar10, "a.bin"), ConfigError);
  CHECK_THROWS_WITH(read_cifar(records({"\x0a"}), CifarKind::kCifar10, "a.bin"), Catch::Contains("record 0: label 10"));
  CHECK_THROWS_AS(read_cifar(records({std::string("\0\x64", 2)}), CifarKind::kCifar100, "a.bin"), ConfigError);
}
