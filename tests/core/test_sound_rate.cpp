#include "core/sound_rate.hpp"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;

namespace {

constexpr int64_t kRate = 8000;
constexpr size_t kSamples = 5000;

double sine(double hertz, int64_t rate, size_t n) {
  return 0.5 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(n) / static_cast<double>(rate));
}

std::vector<float> tone(double hertz) {
  std::vector<float> samples;
  for (size_t n = 0; n < kSamples; ++n) samples.push_back(static_cast<float>(sine(hertz, kRate, n)));
  return samples;
}

}  // namespace

TEST_CASE("a tone keeps its pitch and height at another rate, and lasts as long", "[core][sound]") {
  const int64_t to = GENERATE(4000, 8000, 11025, 16000, 44100);
  const std::vector<float> output = resampled(tone(440), kRate, to);
  CHECK(std::ssize(output) == (static_cast<int64_t>(kSamples) * to + kRate - 1) / kRate);
  double largest = 0.0;
  for (size_t n = output.size() / 8; n < output.size() * 7 / 8; ++n)  // away from the ends, beyond which is silence
    largest = std::max(largest, std::abs(output[n] - sine(440, to, n)));
  CHECK(largest < 1e-4);
  CHECK(resampled({}, kRate, to).empty());
  CHECK_THROWS_AS(resampled(tone(440), kRate, 0), PreconditionError);
}

TEST_CASE("what lies above the new Nyquist frequency is taken out", "[core][sound]") {
  const std::vector<float> output = resampled(tone(3000), kRate, 4000);
  double largest = 0.0;
  for (size_t n = output.size() / 8; n < output.size() * 7 / 8; ++n)
    largest = std::max(largest, std::abs(double{output[n]}));
  CHECK(largest < 1e-4);
}
