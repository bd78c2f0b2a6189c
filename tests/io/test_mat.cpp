#include "core/errors.hpp"
#include "io/files.hpp"
#include "io/mat.hpp"

#include <zlib.h>

#include <cstring>
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

std::string golden(const std::string& name) {
  return read_file(fs::path(INVARIA_SOURCE_DIR) / "tests/golden/data" / name);
}

}  // namespace

TEST_CASE("a row vector is a row a number, ids without a point or exponent", "[io][mat]") {
  CHECK(read_mat(golden("imagelabels.mat"), "labels", {}, "l") ==
        MatRows{{"102"}, {"1"}, {"1"}, {"102"}, {"1"}, {"102"}});
  CHECK(read_mat(golden("setid.mat"), "valid", {}, "s") == MatRows{{"6"}, {"3"}});
}

TEST_CASE("a 3-D array is a row for each index of its last dimension, the first index fastest", "[io][mat]") {
  const MatRows by_joint = read_mat(golden("joints-3x14.mat"), "joints", {}, "j");
  const MatRows by_axis = read_mat(golden("joints-14x3.mat"), "joints", {}, "j");
  REQUIRE(by_joint.size() == 4);
  REQUIRE(by_axis.size() == 4);
  REQUIRE(by_joint[2].size() == 42);
  CHECK(std::vector(by_joint[2].begin() + 3, by_joint[2].begin() + 6) == std::vector<std::string>{"301", "301.5", "1"});
  CHECK(by_axis[2][1] == "301");
  CHECK(by_axis[2][14 + 1] == "301.5");
  CHECK(by_axis[2][28 + 1] == "1");
}

TEST_CASE("a struct array is a row an element, of the fields asked for", "[io][mat]") {
  CHECK(read_mat(golden("meta.mat"), "synsets", {"ILSVRC2012_ID", "WNID"}, "m") ==
        MatRows{{"2", "n01440764"}, {"1", "n02119789"}, {"3", "n01443537"}});
}

TEST_CASE("what is no such variable, field or file is an error that names it", "[io][mat][corrupt]") {
  const std::string meta = golden("meta.mat");
  CHECK_THROWS_WITH(read_mat(meta, "labels", {}, "x/meta.mat"),
                    Catch::StartsWith("x/meta.mat, variable labels") && Catch::Contains("synsets"));
  CHECK_THROWS_WITH(read_mat(meta, "synsets", {}, "m"), Catch::Contains("expected real numbers"));
  CHECK_THROWS_WITH(read_mat(meta, "synsets", {"wnid"}, "m"), Catch::Contains("m, variable synsets(1).wnid"));
  CHECK_THROWS_WITH(read_mat(meta, "synsets", {"children"}, "m"), Catch::Contains("expected one number or a text"));
  CHECK_THROWS_WITH(read_mat(golden("setid.mat"), "valid", {"a"}, "s"), Catch::Contains("expected a struct array"));
  CHECK_THROWS_AS(read_mat("not MATLAB", "x", {}, "n"), ConfigError);
  CHECK_THROWS_AS(read_mat("", "x", {}, "n"), ConfigError);
  for (const char* whole : {"joints-14x3.mat", "joints-3x14.mat"}) {
    const std::string bytes = golden(whole);
    for (const size_t length : {size_t{100}, size_t{128}, size_t{130}, size_t{300}, bytes.size() - 1}) {
      CAPTURE(whole, length);
      CHECK_THROWS_AS(read_mat(bytes.substr(0, length), "joints", {}, "n"), ConfigError);
    }
  }
}

TEST_CASE("matrices that nobody asks for are passed over, whatever they are", "[io][mat]") {
  // An object has a name where others have dimensions; a sparse matrix has few of the elements that it claims.
  const auto element = [](uint32_t type, std::string bytes) {
    const uint32_t tag[2] = {type, static_cast<uint32_t>(bytes.size())};
    bytes.resize((bytes.size() + 7) / 8 * 8);
    return std::string(reinterpret_cast<const char*>(tag), sizeof(tag)) + bytes;
  };
  const auto words = [](std::vector<uint32_t> values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(uint32_t));
  };
  const std::string object = element(14, element(6, words({17, 0})) + element(1, "birthdays of everybody"));
  const std::string sparse =
      element(14, element(6, words({5, 1})) + element(5, words({1000000, 1000000})) + element(1, "links"));
  const std::string plain = golden("imagelabels.mat");
  const std::string all = plain.substr(0, 128) + object + sparse + plain.substr(128);
  CHECK(read_mat(all, "labels", {}, "l") == read_mat(plain, "labels", {}, "l"));
  CHECK_THROWS_WITH(read_mat(plain.substr(0, 128) + element(14, element(6, words({6}))), "labels", {}, "l"),
                    Catch::Contains("without flags"));
  CHECK_THROWS_WITH(read_mat(plain.substr(0, 124) + std::string("\x01\x00MI", 4), "labels", {}, "l"),
                    Catch::Contains("big-endian"));
}

TEST_CASE("a matrix that claims more dimensions or elements than there can be is refused unread",
          "[io][mat][corrupt]") {
  // The first matrix of the file: its tag, flags, and the tag of its dimensions, whose length is at 156.
  const auto with = [](std::string bytes, size_t place, uint32_t value) {
    std::memcpy(bytes.data() + place, &value, sizeof(value));
    return bytes;
  };
  const std::string plain = golden("joints-14x3.mat");
  uint32_t type = 0;
  std::memcpy(&type, plain.data() + 128, sizeof(type));
  REQUIRE(type == 14);  // not compressed
  // The same, compressed as MATLAB does by default.
  const auto compressed = [](const std::string& bytes) {
    std::string small(bytes.size() + 64, '\0');
    uLongf size = small.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(small.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()) + 128,
                     bytes.size() - 128) == Z_OK);
    const uint32_t tag[2] = {15, static_cast<uint32_t>(size)};
    return bytes.substr(0, 128) + std::string(reinterpret_cast<const char*>(tag), sizeof(tag)) + small.substr(0, size);
  };
  CHECK(read_mat(compressed(plain), "joints", {}, "n") == read_mat(plain, "joints", {}, "n"));
  for (const bool is_compressed : {false, true}) {
    INFO("compressed: " << is_compressed);
    const auto read_with = [&](size_t place, uint32_t value) {
      const std::string changed = with(plain, place, value);
      return read_mat(is_compressed ? compressed(changed) : changed, "joints", {}, "n");
    };
    CHECK_THROWS_WITH(read_with(156, 0xbe00000c), Catch::Contains("claims 796917763 dimensions"));
    CHECK_THROWS_WITH(read_with(156, 4), Catch::Contains("claims 1 dimensions"));
    CHECK_THROWS_WITH(read_with(156, 131), Catch::Contains("claims 32 dimensions"));
    CHECK_THROWS_WITH(read_with(152, 5 | 100 << 16), Catch::Contains("cut off"));  // more than its word has room for
    CHECK_THROWS_WITH(read_mat(with(with(plain, 144, 17), 156, 0xbe00000c), "joints", {}, "n"),  // as an object
                      Catch::Contains("claims 796917763 dimensions"));
    CHECK_THROWS_WITH(read_with(180, 0xc3000006), Catch::Contains("a name of 3271557126 bytes"));
    CHECK_THROWS_WITH(read_with(180, 4000), Catch::Contains("cut off"));
    CHECK_THROWS_WITH(read_with(160, 0x7fffffff),
                      Catch::Contains("claims 2147483647 x") && Catch::Contains("more than the file can hold"));
  }
}
