#include "io/sound.hpp"

#include <sndfile.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "io/files.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

constexpr int kRate = 8000;
constexpr size_t kFrames = 5000;

double tone(double hertz, double rate, size_t n) {
  return std::sin(2 * std::numbers::pi * hertz * static_cast<double>(n) / rate);
}

/// The bytes of a file that libsndfile writes: `channels` interleaved.
std::string written(int format, const std::vector<float>& interleaved, int channels = 1, int rate = kRate) {
  const ScratchDirectory scratch;
  const fs::path path = scratch / "sound";
  SF_INFO info{0, rate, channels, format, 0, 0};
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file != nullptr);
  const auto frames = std::ssize(interleaved) / channels;
  CHECK(sf_writef_float(file, interleaved.data(), frames) == frames);
  sf_close(file);
  return read_file(path);
}

std::vector<float> made(size_t frames, const std::function<double(size_t)>& value) {
  std::vector<float> samples;
  for (size_t n = 0; n < frames; ++n) samples.push_back(static_cast<float>(value(n)));
  return samples;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (size_t n = 0; n < a.size(); ++n) largest = std::max(largest, std::abs(double{a[n]} - double{b[n]}));
  return largest;
}

}  // namespace

TEST_CASE("sounds of every format decode to the samples that were written", "[io][sound]") {
  const std::vector<float> samples = made(kFrames, [](size_t n) { return 0.5 * tone(440, kRate, n); });
  const auto [format, name, tolerance] =
      GENERATE(table<int, std::string, double>({{SF_FORMAT_WAV | SF_FORMAT_PCM_16, "a.wav", 1.0 / 32768},
                                                {SF_FORMAT_WAV | SF_FORMAT_FLOAT, "float.wav", 0.0},
                                                {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "a.flac", 1.0 / 32768},
                                                {SF_FORMAT_AIFF | SF_FORMAT_PCM_24, "a.aiff", 1.0 / 8388608},
                                                {SF_FORMAT_AU | SF_FORMAT_PCM_16, "a.au", 1.0 / 32768},
                                                {SF_FORMAT_OGG | SF_FORMAT_VORBIS, "a.ogg", 0.05}}));
  INFO(name);
  const Sound sound = decode_sound(written(format, samples), name);
  CHECK(sound.rate == kRate);
  CHECK(largest_difference(sound.samples, samples) <= tolerance);
  CHECK(has_sound_extension(name));
}

TEST_CASE("several channels become their mean", "[io][sound]") {
  const std::vector<float> stereo =
      made(2 * kFrames, [](size_t n) { return n % 2 == 0 ? 0.6 * tone(100, kRate, n / 2) : 0.2; });
  const Sound sound = decode_sound(written(SF_FORMAT_WAV | SF_FORMAT_FLOAT, stereo, 2), "two.wav");
  CHECK(largest_difference(sound.samples, made(kFrames, [](size_t n) { return 0.3 * tone(100, kRate, n) + 0.1; })) <
        1e-6);
}

TEST_CASE("whole files of odd lengths, and headers that are wrong about what does no harm, decode", "[io][sound]") {
  for (const size_t frames : {kFrames, kFrames + 1}) {
    const std::vector<float> samples = made(frames, [](size_t n) { return 0.5 * tone(440, kRate, n); });
    for (const int format :
         {SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_AU | SF_FORMAT_PCM_24}) {
      INFO("format " << std::hex << format << std::dec << ", " << frames << " samples");
      CHECK(largest_difference(decode_sound(written(format, samples), "odd").samples, samples) <= 1.0 / 64);
    }
  }
  const std::vector<float> samples = made(kFrames, [](size_t n) { return 0.5 * tone(440, kRate, n); });
  const std::string whole = written(SF_FORMAT_WAV | SF_FORMAT_PCM_16, samples);
  const auto with = [&](size_t place, uint32_t number) {
    std::string bytes = whole;
    for (size_t byte = 0; byte < 4; ++byte) bytes[place + byte] = static_cast<char>(number >> (8 * byte));
    return bytes;
  };
  constexpr size_t kRiffSize = 4, kBytesPerSecond = 28;
  const size_t data_size = whole.find("data") + 4;
  CHECK(decode_sound(with(kBytesPerSecond, 0), "rate.wav").samples.size() == kFrames);
  CHECK(decode_sound(with(kRiffSize, 36), "riff.wav").samples.size() == kFrames);
  CHECK(decode_sound(with(data_size, 0xFFFFFFFF), "pipe.wav").samples.size() == kFrames);
  CHECK_THROWS_WITH(decode_sound(with(data_size, 2 * kFrames + 2), "short.wav"),
                    Catch::Contains("short.wav: a truncated sound"));
}

TEST_CASE("an MP3 decodes where libsndfile has it", "[io][sound]") {
  constexpr int kMp3 = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
  SF_INFO info{0, 16000, 1, kMp3, 0, 0};
  if (sf_format_check(&info) == 0) INVARIA_SKIP("this libsndfile writes no MP3");
  const std::vector<float> samples = made(16000, [](size_t n) { return 0.5 * tone(440, 16000, n); });
  const Sound sound = decode_sound(written(kMp3, samples, 1, 16000), "a.mp3");
  CHECK(sound.rate == 16000);
  REQUIRE(sound.samples.size() >= samples.size());
  // A coder's delay shifts a tone, and leaves its power.
  double power = 0.0;
  for (size_t n = 4000; n < 12000; ++n) power += double{sound.samples[n]} * sound.samples[n] / 8000.0;
  CHECK(power == Approx(0.125).epsilon(0.02));
  CHECK(has_sound_extension("a.mp3"));
}

TEST_CASE("what is no sound, empty, cut off or not finite is refused by name", "[io][sound][corrupt]") {
  const std::vector<float> samples = made(kFrames, [](size_t n) { return 0.5 * tone(440, kRate, n); });
  CHECK_THROWS_WITH(decode_sound("RIFF, but no more", "a.wav"), Catch::Contains("a.wav: no sound of a known format"));
  CHECK_THROWS_WITH(decode_sound("", "b.wav"), Catch::Contains("b.wav: no sound of a known format (0 bytes)"));
  CHECK_THROWS_WITH(decode_sound(written(SF_FORMAT_WAV | SF_FORMAT_PCM_16, {}), "none.wav"),
                    Catch::Contains("none.wav: a sound without samples"));
  std::string slow = written(SF_FORMAT_WAV | SF_FORMAT_PCM_16, std::vector<float>(30'000, 0.1F));
  const std::array<char, 4> one_Hz{1, 0, 0, 0};
  std::copy(one_Hz.begin(), one_Hz.end(), slow.begin() + 24);  // where WAV has its rate
  CHECK_THROWS_WITH(decode_sound(slow, "slow.wav"),
                    Catch::Contains("slow.wav: 30000 samples at 1 Hz, expected at most 25000 s"));
  std::vector<float> odd = samples;
  odd[1234] = NAN;
  CHECK_THROWS_WITH(decode_sound(written(SF_FORMAT_WAV | SF_FORMAT_FLOAT, odd), "nan.wav"),
                    Catch::Contains("nan.wav: a sound with samples that are no finite numbers"));
  for (const int format :
       {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
        SF_FORMAT_AU | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_VORBIS}) {
    const std::string whole = written(format, samples);
    for (const size_t share : {10, 50, 95}) {
      INFO("format " << std::hex << format << std::dec << ", " << share << " %");
      CHECK_THROWS_AS(decode_sound(std::string_view(whole).substr(0, whole.size() * share / 100), "cut"), ConfigError);
    }
  }
}
