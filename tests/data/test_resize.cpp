#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "data/resize.hpp"
#include "tests/data/make_files.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::data;

namespace {

/// The slow, obvious twin: for each output pixel the double sum over the whole stored picture of the product of two
/// triangles.
std::vector<uint8_t> resize_slowly(const io::Image& image, const Framing& frame, int64_t size) {
  const auto weight = [](int64_t in, int64_t out, int64_t in_size, int64_t out_size) {
    const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
    const double centre = (static_cast<double>(out) + 0.5) * scale;
    return std::max(0.0, 1.0 - std::abs(static_cast<double>(in) + 0.5 - centre) / std::max(scale, 1.0));
  };
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < size; ++y) {
    for (int64_t x = 0; x < size; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        double sum = 0.0;
        double total = 0.0;
        for (int64_t row = 0; row < image.height; ++row) {
          const double down = weight(row, y + frame.top, image.height, frame.height);
          for (int64_t column = 0; down > 0 && column < image.width; ++column) {
            const double w = down * weight(column, x + frame.left, image.width, frame.width);
            sum += w * image.pixels[static_cast<size_t>((row * image.width + column) * 3 + c)];
            total += w;
          }
        }
        out.push_back(static_cast<uint8_t>(std::lround(sum / total)));
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a resize is within one grey level of the double sum over the whole picture", "[data][resize][property]") {
  const auto mode = GENERATE(ResizeMode::kWholeFrame, ResizeMode::kShortSideCrop);
  const auto [height, width] = GENERATE(std::pair{50, 77}, std::pair{77, 50}, std::pair{9, 5}, std::pair{16, 16},
                                        std::pair{1, 40}, std::pair{64, 3});
  const int64_t size = 16;
  const io::Image image = test::make_image(height, width, 3);
  std::vector<uint8_t> fast(static_cast<size_t>(size * size * 3));
  const Framing frame = resize_into(image, size, mode, fast);
  const auto slow = resize_slowly(image, frame, size);
  int worst = 0;
  for (size_t i = 0; i < fast.size(); ++i) worst = std::max(worst, std::abs(int{fast[i]} - int{slow[i]}));
  CAPTURE(height, width);
  CHECK(worst <= 1);
}

TEST_CASE("a picture that is a line takes no more memory than its weights", "[data][resize][corrupt]") {
  const auto peak_MiB = [] {
    struct rusage usage {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  const auto mode = GENERATE(ResizeMode::kWholeFrame, ResizeMode::kShortSideCrop, ResizeMode::kCentreCrop);
  const auto [height, width] = GENERATE(std::pair{1, 1'000'000}, std::pair{1'000'000, 1});
  const io::Image line{height, width, std::vector<uint8_t>(3'000'000, 77)};
  std::vector<uint8_t> out(224 * 224 * 3);
  const auto before_MiB = peak_MiB();
  resize_into(line, 224, mode, out);
  CHECK(peak_MiB() - before_MiB < 300);
  CHECK(std::all_of(out.begin(), out.end(), [](uint8_t value) { return value == 77; }));
}

TEST_CASE("a picture of the right size comes through unchanged", "[data][resize]") {
  const io::Image image = test::make_image(12, 12, 1);
  std::vector<uint8_t> out(12 * 12 * 3);
  resize_into(image, 12, ResizeMode::kWholeFrame, out);
  CHECK(out == image.pixels);
}

TEST_CASE("white and black stay white and black", "[data][resize]") {
  for (const uint8_t level : {uint8_t{0}, uint8_t{255}}) {
    const io::Image image{37, 91, std::vector<uint8_t>(37 * 91 * 3, level)};
    std::vector<uint8_t> out(16 * 16 * 3, 7);
    resize_into(image, 16, ResizeMode::kShortSideCrop, out);
    CHECK(std::all_of(out.begin(), out.end(), [&](uint8_t value) { return value == level; }));
  }
}

TEST_CASE("the framing is torchvision's: long side rounded down, half a pixel to even", "[data][resize]") {
  // torchvision 0.26: Resize(64) of 100 x 133 gives 64 x 85; CenterCrop(64) starts at round(10.5) = 10.
  const Framing wide = framing(100, 133, 64, ResizeMode::kShortSideCrop);
  CHECK(wide.height == 64);
  CHECK(wide.width == 85);
  CHECK(wide.left == 10);
  CHECK(wide.top == 0);
  // Resize(64) of 135 x 100 gives 86 x 64; CenterCrop starts at 11.
  const Framing tall = framing(135, 100, 64, ResizeMode::kShortSideCrop);
  CHECK(tall.height == 86);
  CHECK(tall.top == 11);
  // 87 - 64 = 23: round(11.5) = 12.
  CHECK(framing(137, 100, 64, ResizeMode::kShortSideCrop).top == 12);
}

TEST_CASE("pixel coordinates move with the picture", "[data][resize]") {
  // Resize(256) and CenterCrop(224) of 300 x 400: 256 x 341, from row 16 and column 58.
  const Framing centre = framing(300, 400, 224, ResizeMode::kCentreCrop);
  CHECK((centre.height == 256 && centre.width == 341 && centre.top == 16 && centre.left == 58));
  const Framing upright = framing(400, 300, 224, ResizeMode::kCentreCrop);
  CHECK((upright.height == 341 && upright.width == 256 && upright.top == 58 && upright.left == 16));
  const Framing whole = framing(100, 200, 50, ResizeMode::kWholeFrame);
  CHECK(whole.map().x(100) == Approx(25));
  CHECK(whole.map().y(100) == Approx(50));
  const Framing crop = framing(100, 200, 50, ResizeMode::kShortSideCrop);
  CHECK(crop.map().x(100) == Approx(25));
  CHECK(crop.map().x(0) == Approx(-25));
  CHECK(crop.map().y(100) == Approx(50));
}

TEST_CASE("a resize into the wrong room is refused", "[data][resize]") {
  std::vector<uint8_t> out(10);
  CHECK_THROWS_AS(resize_into(test::make_image(4, 4, 0), 4, ResizeMode::kWholeFrame, out), PreconditionError);
}
