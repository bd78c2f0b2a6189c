// Operations on waveforms: against torchaudio (golden files: tests/golden/augment/generate_sound.py), and what they
// promise.
#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "augment/sound_operations.hpp"
#include "core/errors.hpp"
#include "tests/augment/golden.hpp"
#include "tests/augment/slow_vocoder.hpp"
#include "tests/support/catch.hpp"

namespace json = boost::json;
using namespace invaria;
using namespace invaria::augment;

namespace {

constexpr int64_t kRate = 8000;

at::Tensor tone(double hertz, int64_t n) {
  return 0.5 * (at::arange(n, at::kDouble) * (2 * std::numbers::pi * hertz / kRate)).sin().to(at::kFloat);
}

double power(const at::Tensor& sound_N) {
  return sound_N.to(at::kDouble).square().mean().item<double>();
}

/// The loudest frequency of the middle half, by a parabola through the logarithms around the greatest of the spectrum.
double pitch_of(const at::Tensor& sound_N) {
  const int64_t n = sound_N.size(0) / 2;
  const at::Tensor middle = sound_N.narrow(0, sound_N.size(0) / 4, n).to(at::kDouble) * at::hann_window(n, at::kDouble);
  const at::Tensor size = at::fft_rfft(middle).abs().log();
  const auto at = size.argmax().item<int64_t>();
  const double left = size[at - 1].item<double>(), here = size[at].item<double>(), right = size[at + 1].item<double>();
  const double shift = 0.5 * (left - right) / (left - 2 * here + right);
  return (static_cast<double>(at) + shift) * kRate / static_cast<double>(n);
}

double cents(double from, double to) {
  return 1200.0 * std::log2(to / from);
}

/// Decibels an octave: the slope of the mean power of octaves between 125 and 2,000 Hz.
double slope_of(const at::Tensor& noise_N) {
  const at::Tensor power_F = at::fft_rfft(noise_N.to(at::kDouble)).abs().square();
  const double per_hertz = static_cast<double>(noise_N.size(0)) / kRate;
  std::vector<double> octaves;
  for (double low = 125.0; low < 2000.0; low *= 2) {
    const auto first = static_cast<int64_t>(low * per_hertz), end = static_cast<int64_t>(2 * low * per_hertz);
    octaves.push_back(10.0 * std::log10(power_F.narrow(0, first, end - first).mean().item<double>()));
  }
  return (octaves.back() - octaves.front()) / static_cast<double>(octaves.size() - 1);
}

}  // namespace

TEST_CASE("fades and sounds stretched with free phases are torchaudio's", "[augment][sound][golden]") {
  const Golden golden("sound");
  const at::Tensor sounds_BN = golden.output(golden.cases[0].as_object());
  int compared = 0;
  for (const json::value& value : golden.cases) {
    const json::object& one = value.as_object();
    const json::object& given = one.at("settings").as_object();
    const bool is_fade = one.at("case") == "fade";
    if (!is_fade && one.at("case") != "stretch") continue;
    CAPTURE(json::serialize(one));
    const at::Tensor expected = golden.output(one);
    for (int64_t sound = 0; sound < 2; ++sound) {
      config::Problems problems;
      const at::Tensor found =
          is_fade ? faded(sounds_BN[sound], 700, 400, config::parse<FadeShape>(given.at("shape"), "", problems))
                  : stretched_slowly(sounds_BN[sound], given.at("rate").to_number<double>(),
                                     given.at("n_fft").to_number<int64_t>(), PhaseLocking::kNone);
      REQUIRE(found.sizes() == expected[sound].sizes());
      CHECK((found - expected[sound]).abs().max().item<double>() < 1e-5);
      ++compared;
    }
  }
  CHECK(compared == 12);
}

TEST_CASE("noise is as far below the sound as was asked, and as coloured", "[augment][sound][property]") {
  Draws draws({.purpose = Purpose::kTest});
  const auto [colour, slope] = GENERATE(table<NoiseColour, double>({{NoiseColour::kWhite, 0.0},
                                                                    {NoiseColour::kPink, -3.01},
                                                                    {NoiseColour::kBrown, -6.02},
                                                                    {NoiseColour::kBlue, 3.01}}));
  const at::Tensor made = noise(1 << 17, colour, draws);
  // Windows of one table: alike in power, and hardly ever the same.
  CHECK(power(made) == Approx(1.0).epsilon(slope >= 0.0 ? 0.02 : slope > -4.0 ? 0.3 : 0.9));  // slow waves vary
  CHECK_FALSE(at::equal(noise(1 << 17, colour, draws), made));
  Draws again({.purpose = Purpose::kTest});
  CHECK(at::equal(noise(1 << 17, colour, again), made));
  CHECK(slope_of(made) == Approx(slope).margin(0.3));
  const at::Tensor sound = tone(440, 1 << 17);
  const double snr_dB = GENERATE(-5.0, 3.0, 30.0);
  const at::Tensor mixed = with_noise(sound, made, snr_dB);
  CHECK(10.0 * std::log10(power(sound) / power(mixed - sound)) == Approx(snr_dB).margin(0.1));
  CHECK(at::equal(with_noise(sound, at::zeros_like(sound), snr_dB), sound));
  CHECK(power(with_noise(at::zeros_like(sound), made, snr_dB)) == 0.0);
}

TEST_CASE("a sound stretched in single precision without angles is the one by angles in double precision",
          "[augment][sound][oracle]") {
  const double rate = GENERATE(0.55, 0.8, 1.25, 1.8);
  const PhaseLocking locking = GENERATE(PhaseLocking::kNone, PhaseLocking::kPeaks);
  const at::Tensor sound = tone(440, 16000) + 0.5 * tone(1234, 16000) + 0.2 * tone(3010, 16000);
  const at::Tensor slowly = stretched_slowly(sound, rate, 512, locking);
  const at::Tensor found = stretched(sound, rate, 512, locking);
  REQUIRE(found.sizes() == slowly.sizes());
  CHECK(std::sqrt(power(found - slowly) / power(slowly)) < 1e-3);
}

TEST_CASE("a stretched sound has another length and its own pitch", "[augment][sound][property]") {
  const double rate = GENERATE(0.5, 0.8, 1.0, 1.25, 1.5);
  const at::Tensor sound = tone(523.25, 16000);
  const at::Tensor found = stretched(sound, rate, 512);
  CHECK(found.size(0) == std::llround(16000 / rate));
  CHECK(std::abs(cents(523.25, pitch_of(found))) < 5.0);
  const int64_t n = found.size(0);
  CHECK(power(found.narrow(0, n / 4, n / 2)) == Approx(0.125).epsilon(0.05));
}

TEST_CASE("a shifted sound has another pitch and its own length", "[augment][sound][property]") {
  const double semitones = GENERATE(-15.0, -4.5, 0.0, 4.0, 8.0, 15.0);
  const at::Tensor sound = tone(440, 16000);
  const at::Tensor found = pitch_shifted(sound, semitones, 512);
  CHECK(found.size(0) == 16000);
  CHECK(std::abs(cents(440, pitch_of(found)) - 100 * semitones) < 5.0);
  CHECK(power(found.narrow(0, 4000, 8000)) == Approx(0.125).epsilon(0.05));
}

TEST_CASE("fades, masks, shifts and gains do what they say, and leave the sound that was given", "[augment][sound]") {
  const at::Tensor sound = tone(300, 1000);
  const at::Tensor before = sound.clone();
  const at::Tensor ones = at::ones({1000});
  for (const FadeShape shape : {FadeShape::kLinear, FadeShape::kLogarithmic, FadeShape::kExponential}) {
    const at::Tensor envelope = faded(ones, 200, 100, shape);
    CHECK(envelope[0].item<float>() == Approx(0.0F).margin(1e-6));
    CHECK(envelope[199].item<float>() == Approx(1.0F).epsilon(1e-5));
    CHECK(at::equal(envelope.narrow(0, 200, 700), at::ones({700})));
    CHECK(envelope[999].item<float>() == Approx(0.0F).margin(1e-6));
    const at::Tensor rising = envelope.narrow(0, 0, 200).diff();
    CHECK(rising.min().item<float>() >= 0.0F);
  }
  CHECK(at::equal(faded(sound, 0, 0, FadeShape::kLinear), sound));
  const at::Tensor silent = masked(sound, 100, 50);
  CHECK(silent.narrow(0, 100, 50).abs().sum().item<float>() == 0.0F);
  CHECK(at::equal(silent.narrow(0, 150, 850), sound.narrow(0, 150, 850)));
  CHECK(at::equal(rolled(sound, 30).narrow(0, 30, 970), sound.narrow(0, 0, 970)));
  CHECK(at::equal(rolled(rolled(sound, 30), -30), sound));
  CHECK(power(amplified(sound, -14.0)) / power(sound) == Approx(std::pow(10.0, -1.4)));
  CHECK(at::equal(sound, before));
  CHECK_THROWS_AS(faded(sound, 1001, 0, FadeShape::kLinear), PreconditionError);
  CHECK_THROWS_AS(stretched(sound, 0.0, 512), PreconditionError);
  CHECK_THROWS_AS(stretched(sound.narrow(0, 0, 200), 1.2, 512), PreconditionError);
}
