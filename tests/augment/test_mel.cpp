// The front end of sounds against torchaudio and librosa (golden files: tests/golden/augment/generate_sound.py).
#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "augment/mel.hpp"
#include "core/errors.hpp"
#include "tests/augment/golden.hpp"
#include "tests/support/catch.hpp"

namespace json = boost::json;
using namespace invaria;
using namespace invaria::augment;

namespace {

constexpr int64_t kRate = 8000;

MelSettings settings_of(const json::object& one) {
  config::Problems problems;
  const auto settings = config::parse<MelSettings>(one.at("settings"), "", problems);
  problems.throw_if_any("golden");
  return settings;
}

/// [1, n] of a tone.
at::Tensor tone(double hertz, int64_t n) {
  return (at::arange(n, at::kFloat) * (2 * std::numbers::pi * hertz / kRate)).sin().unsqueeze(0);
}

int64_t loudest_band(const at::Tensor& power_BFT, const at::Tensor& filters_FM) {
  return at::matmul(filters_FM.t(), power_BFT).mean(2)[0].argmax().item<int64_t>();
}

}  // namespace

TEST_CASE("mel spectrograms are those of torchaudio and of librosa", "[augment][mel][golden]") {
  const Golden golden("sound");
  const at::Tensor sounds_BN = golden.output(golden.cases[0].as_object());
  int compared = 0;
  for (size_t n = 1; n < golden.cases.size(); ++n) {
    const json::object& one = golden.cases[n].as_object();
    if (one.at("case") != "torchaudio" && one.at("case") != "librosa") continue;
    CAPTURE(json::serialize(one));
    ++compared;
    const MelSettings settings = settings_of(one);
    const at::Tensor expected_BMT = golden.output(one);
    const at::Tensor power_BFT = power_spectrogram(sounds_BN, settings);
    const at::Tensor found_BMT = at::matmul(mel_filters(settings, kRate).t(), power_BFT);
    REQUIRE(found_BMT.sizes() == expected_BMT.sizes());
    const double loudest = expected_BMT.max().item<double>();
    CHECK(at::allclose(found_BMT, expected_BMT, 1e-4, 1e-7 * loudest));
    const at::Tensor logarithm = (expected_BMT + settings.floor).log();
    CHECK(at::allclose(log_mel(power_BFT, mel_filters(settings, kRate), settings),
                       (logarithm + settings.offset) / settings.divisor, 1e-4, 1e-4));
  }
  CHECK(compared == 24);
}

TEST_CASE("filters that stand higher hear a sound as if it were lower", "[augment][mel][property]") {
  MelSettings settings;
  settings.norm = GENERATE(MelNorm::kNone, MelNorm::kArea);
  const at::Tensor plain_FM = mel_filters(settings, kRate);
  CHECK(at::equal(mel_filters(settings, kRate, 0.0), plain_FM));
  const at::Tensor octave_FM = mel_filters(settings, kRate, 12.0);
  // Twice as high on twice the frequency.
  CHECK(at::allclose(octave_FM.slice(0, 0, 257, 2), 2.0 * plain_FM.slice(0, 0, 129), 1e-5, 1e-7));
  CHECK(loudest_band(power_spectrogram(tone(880, 4000), settings), octave_FM) ==
        loudest_band(power_spectrogram(tone(440, 4000), settings), plain_FM));
  CHECK(loudest_band(power_spectrogram(tone(440, 4000), settings), plain_FM) !=
        loudest_band(power_spectrogram(tone(880, 4000), settings), plain_FM));
}

TEST_CASE("each sound may have filters of its own", "[augment][mel]") {
  const MelSettings settings;
  const at::Tensor power_BFT = power_spectrogram(at::cat({tone(300, 2000), tone(700, 2000)}), settings);
  const at::Tensor low_FM = mel_filters(settings, kRate, -4.0), high_FM = mel_filters(settings, kRate, 4.0);
  const at::Tensor both = log_mel(power_BFT, at::stack({low_FM, high_FM}), settings);
  CHECK(at::allclose(both[0], log_mel(power_BFT.narrow(0, 0, 1), low_FM, settings)[0], 1e-5, 1e-5));
  CHECK(at::allclose(both[1], log_mel(power_BFT.narrow(0, 1, 1), high_FM, settings)[0], 1e-5, 1e-5));
  CHECK(both.size(2) == 2000 / settings.hop + 1);
}

TEST_CASE("a front end that cannot be is refused", "[augment][mel][settings]") {
  MelSettings settings;
  settings.window = 600;
  settings.lowest_Hz = 300;
  settings.highest_Hz = 300;
  config::Problems problems;
  settings.validate("front_end", problems);
  CHECK(problems.list().size() == 2);
  CHECK_THAT(problems.to_string(), Catch::Contains("front_end.window") && Catch::Contains("at most n_fft, 512"));
  settings = {};
  settings.highest_Hz = 5000;
  CHECK_THROWS_AS(mel_filters(settings, kRate), PreconditionError);
  CHECK_THROWS_AS(power_spectrogram(at::zeros({1, 200}), MelSettings{}), PreconditionError);
}

TEST_CASE("three channels are power, magnitude and the angle in shares of pi", "[augment][sound]") {
  const at::Tensor transform = at::complex(at::tensor({3.0F, 0.0F, -2.0F}), at::tensor({4.0F, 2.0F, 0.0F}));
  MelSettings settings;
  CHECK(channels_of(transform, settings).size() == 1);
  settings.channels = MelChannels::kPowerMagnitudePhase;
  const std::vector<at::Tensor> channels = channels_of(transform, settings);
  REQUIRE(channels.size() == 3);
  CHECK(at::allclose(channels[0], at::tensor({25.0F, 4.0F, 4.0F})));
  CHECK(at::allclose(channels[1], at::tensor({5.0F, 2.0F, 2.0F})));
  CHECK(at::allclose(channels[2], at::tensor({0.29516724F, 0.5F, 1.0F})));  // atan2(4, 3) / pi
  const at::Tensor bands = at::tensor({0.5F, 0.0F});
  CHECK(at::equal(scaled_channel(0, bands, settings), scaled_log(bands, settings)));
  CHECK(at::equal(scaled_channel(1, bands, settings), scaled_log(bands, settings)));
  CHECK(at::equal(scaled_channel(2, bands, settings), bands));
}

TEST_CASE("normalised by itself a sound has no loudness, and silence is zero", "[augment][sound]") {
  MelSettings settings;
  settings.normalisation = MelNormalisation::kSample;
  settings.floor = 1e-12;
  const at::Tensor bands_BMT = at::stack({at::arange(1, 65, at::kFloat).view({8, 8}), at::ones({8, 8})});
  const at::Tensor scaled_BMT = scaled_channel(0, bands_BMT, settings);
  CHECK(scaled_BMT[0].mean().item<double>() == Approx(0.0).margin(1e-5));
  CHECK(scaled_BMT[0].square().mean().item<double>() == Approx(1.0).epsilon(1e-4));
  CHECK(at::allclose(scaled_channel(0, 100.0 * bands_BMT, settings), scaled_BMT, 1e-3, 1e-4));
  CHECK(at::allclose(scaled_channel(0, bands_BMT[0], settings), scaled_BMT[0], 1e-5, 1e-6));  // each by itself
  CHECK(scaled_BMT[1].abs().max().item<double>() < 1e-3);
  settings.channels = MelChannels::kPowerMagnitudePhase;
  CHECK(at::equal(scaled_channel(2, bands_BMT, settings), bands_BMT));
}

TEST_CASE("what a normalisation does not read is refused", "[augment][sound]") {
  MelSettings settings;
  settings.normalisation = MelNormalisation::kSample;
  config::Problems none;
  settings.validate("mel", none);
  CHECK(none.empty());
  settings.divisor = 3.0;
  config::Problems one;
  settings.validate("mel", one);
  CHECK_FALSE(one.empty());
}
