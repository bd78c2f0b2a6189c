#include <algorithm>
#include <vector>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "io/files.hpp"
#include "io/image.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

const fs::path kGolden = fs::path(INVARIA_SOURCE_DIR) / "tests/golden/io";
constexpr int64_t kHeight = 13;
constexpr int64_t kWidth = 19;

std::string golden(const std::string& name) {
  return read_file(kGolden / name);
}

int largest_difference(const Image& image, const std::string& expected) {
  REQUIRE(image.pixels.size() == expected.size());
  int largest = 0;
  for (size_t n = 0; n < expected.size(); ++n) {
    largest = std::max(largest, std::abs(int{image.pixels[n]} - int{static_cast<uint8_t>(expected[n])}));
  }
  return largest;
}

}  // namespace

TEST_CASE("pictures decode to the pixels that Pillow gives", "[io][image][golden]") {
  const auto* name = GENERATE("rgb-420.jpg", "rgb-444.jpg", "rgb-422.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg",
                              "rgb.png", "grey.png", "bilevel.png", "palette.png", "palette-transparent.png",
                              "rgba.png", "grey-alpha.png", "rgb16.png");
  const Image image = decode_image(golden(name), name);
  INFO(name);
  CHECK(image.height == kHeight);
  CHECK(image.width == kWidth);
  CHECK(largest_difference(image, golden(std::string(name) + ".rgb")) == 0);
}

TEST_CASE("what is no picture is refused by name with the reason", "[io][image][corrupt]") {
  CHECK_THROWS_WITH(decode_image(std::string_view("GIF89a"), "a.gif"),
                    Catch::Contains("a.gif: neither a JPEG nor a PNG"));
  CHECK_THROWS_WITH(decode_image(std::string_view(), "a"), Catch::Contains("0 bytes"));
}

TEST_CASE("a picture cut off at any length is refused", "[io][image][corrupt]") {
  const auto* name = GENERATE("rgb-420.jpg", "progressive.jpg", "grey.jpg", "rgb.png", "palette.png");
  const std::string whole = golden(name);
  // A PNG is whole before its last chunk: libpng stops reading at the end of the pixels.
  const size_t tail = std::string_view(name).ends_with(".png") ? 12 : 0;
  for (size_t length = 0; length < whole.size() - tail; ++length) {
    INFO(name << " cut to " << length << " of " << whole.size());
    CHECK_THROWS_AS(decode_image(std::string_view(whole).substr(0, length), name), ConfigError);
  }
}

TEST_CASE("a picture with bytes changed at random is decoded or refused, never worse", "[io][image][corrupt]") {
  const auto* name = GENERATE("rgb-420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png", "palette.png",
                              "rgba.png", "rgb16.png", "bilevel.png");
  const std::string whole = golden(name);
  Draws draws({.seed = 11});
  int refused = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::string changed = whole;
    for (int64_t n = draws.below(4) + 1; n > 0; --n) {
      changed[static_cast<size_t>(draws.below(static_cast<int64_t>(whole.size())))] =
          static_cast<char>(draws.below(256));
    }
    try {
      const Image image = decode_image(changed, name);
      CHECK(static_cast<int64_t>(image.pixels.size()) == 3 * image.height * image.width);
    } catch (const ConfigError&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("a picture that claims too many pixels is refused before memory is asked for", "[io][image][corrupt]") {
  std::string jpeg = golden("grey.jpg");
  // The start-of-frame marker FF C0: length, precision, then height and width.
  const size_t frame = jpeg.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  CHECK_THROWS_WITH(decode_image(jpeg, "a.jpg"), Catch::Contains("65280 x 65280 pixels"));
}

TEST_CASE("names of pictures end in .jpg, .jpeg or .png in any case", "[io][image]") {
  CHECK(has_image_extension("a.jpg"));
  CHECK(has_image_extension("dir/B.JPEG"));
  CHECK(has_image_extension("c.PnG"));
  CHECK_FALSE(has_image_extension("a.jpg.txt"));
  CHECK_FALSE(has_image_extension("jpg"));
}
