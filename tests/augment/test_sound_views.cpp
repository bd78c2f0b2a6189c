#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "augment/sound_views.hpp"
#include "core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;
using enum Operation;

namespace {

constexpr int64_t kRate = 8000;
constexpr int64_t kSamples = 5120;
const std::vector<Operation> kAll{kPitchShift, kTimeStretch, kTimeShift, kFade, kNoise, kGain, kTimeMask, kBandMask};

at::Tensor tone(double hertz) {
  return 0.3 * (at::arange(kSamples, at::kDouble) * (2 * std::numbers::pi * hertz / kRate)).sin().to(at::kFloat);
}

/// A tone in the middle fifth, silence around.
at::Tensor beep(double hertz) {
  at::Tensor sound = at::zeros({kSamples});
  sound.narrow(0, 2048, 1024).copy_(tone(hertz).narrow(0, 0, 1024));
  return sound;
}

/// [M, T] of one view.
at::Tensor view_of(const at::Tensor& sound, const SoundParameters& parameters,
                   const SoundAugmentSettings& settings = {}) {
  return render_sounds({sound}, {parameters}, settings, MelSettings{}, kRate)[0][0];
}

/// The band, or frame, that is loudest on average.
int64_t loudest_band(const at::Tensor& view_MT) {
  return view_MT.mean(1).argmax().item<int64_t>();
}
/// The middle of the energy in time, in frames.
double middle(const at::Tensor& view_MT) {
  const at::Tensor power_T = (view_MT * 4.0 - 5.0).exp().sum(0);
  return ((power_T * at::arange(power_T.size(0))).sum() / power_T.sum()).item<double>();
}

}  // namespace

TEST_CASE("a view of a sound is a log-mel picture, and alone what was asked for alters it", "[augment][sound]") {
  const at::Tensor sound = tone(500);
  const at::Tensor plain = view_of(sound, {});
  CHECK(plain.sizes() == at::IntArrayRef({64, 32}));
  const MelSettings mel;
  const at::Tensor expected =
      log_mel(power_spectrogram(sound.unsqueeze(0), mel), mel_filters(mel, kRate), mel)[0].narrow(1, 0, 32);
  CHECK(at::allclose(plain, expected, 1e-5, 1e-5));
  CHECK(render_sounds({sound, sound}, {{}, {}}, {}, mel, kRate).sizes() == at::IntArrayRef({2, 1, 64, 32}));
  CHECK_THROWS_AS(render_sounds({sound}, {}, {}, mel, kRate), PreconditionError);
}

TEST_CASE("pitch and time move alike in the waveform and in the spectrogram", "[augment][sound][property]") {
  SoundAugmentSettings waveform, spectrogram;
  waveform.method = SoundMethod::kWaveform;
  for (const double semitones : {-5.0, 4.0, 8.0}) {
    SoundParameters parameters;
    parameters.semitones = semitones;
    const int64_t expected = loudest_band(view_of(tone(500 * std::exp2(semitones / 12)), {}));
    CAPTURE(semitones);
    CHECK(std::abs(loudest_band(view_of(tone(500), parameters, waveform)) - expected) <= 1);
    CHECK(std::abs(loudest_band(view_of(tone(500), parameters, spectrogram)) - expected) <= 1);
  }
  for (const double shift : {-0.25, 0.2}) {
    SoundParameters parameters;
    parameters.shift = shift;
    const double expected = middle(view_of(beep(500), {})) + 32 * shift;
    CAPTURE(shift);
    CHECK(middle(view_of(beep(500), parameters, waveform)) == Approx(expected).margin(0.3));
    CHECK(middle(view_of(beep(500), parameters, spectrogram)) == Approx(expected).margin(0.3));
  }
  // Half a sound later, a beep in the middle is at both ends where shifts wrap, and gone where they do not.
  for (SoundAugmentSettings settings : {waveform, spectrogram}) {
    SoundParameters half;
    half.shift = 0.5;
    const auto is_loud = [&] {
      const at::Tensor frames_T = view_of(beep(500), half, settings).amax(0);
      return std::pair(frames_T[0].item<float>() > 0.5, frames_T[16].item<float>() > 0.5);
    };
    CHECK(is_loud() == std::pair(false, false));
    settings.shift_wraps = true;
    CHECK(is_loud() == std::pair(true, false));
  }
  for (const double rate : {0.65, 1.6}) {
    SoundParameters parameters;
    parameters.rate = rate;
    const auto frames = [](const at::Tensor& view) { return (view.amax(0) > 0.5 * view.max()).sum().item<int64_t>(); };
    CAPTURE(rate);
    const int64_t expected = std::llround(static_cast<double>(frames(view_of(beep(500), {}))) / rate);
    CHECK(std::abs(frames(view_of(beep(500), parameters, waveform)) - expected) <= 2);
    CHECK(std::abs(frames(view_of(beep(500), parameters, spectrogram)) - expected) <= 2);
  }
}

TEST_CASE("masks silence frames and bands, fades the ends, noise what was silent", "[augment][sound]") {
  const MelSettings mel;
  const auto silence = static_cast<float>((std::log(mel.floor) + mel.offset) / mel.divisor);
  SoundParameters masked;
  masked.mask_first = 0.5;
  masked.mask_share = 0.125;
  masked.band_mask_first = 0.25;
  masked.band_mask_share = 0.25;
  const at::Tensor view = view_of(tone(500), masked);
  CHECK((view.narrow(1, 16, 4) == silence).all().item<bool>());
  CHECK((view.narrow(0, 16, 16) == silence).all().item<bool>());
  CHECK((view.narrow(1, 20, 4).amax(0) > silence).all().item<bool>());
  SoundAugmentSettings waveform;
  waveform.method = SoundMethod::kWaveform;
  masked.mask_share = 0.25;
  const at::Tensor cut = view_of(tone(500), masked, waveform);  // frames reach into what is beside the mask
  CHECK((cut.narrow(1, 18, 4) == silence).all().item<bool>());
  CHECK((cut.narrow(1, 25, 6).amax(0) > silence).all().item<bool>());
  SoundParameters faded;
  faded.fade_in = 0.5;
  const at::Tensor rising = view_of(tone(500), faded).amax(0);
  CHECK(rising[1].item<float>() < rising[8].item<float>());
  CHECK(rising[8].item<float>() < rising[14].item<float>());
  SoundParameters noisy;
  noisy.noise = NoiseColour::kWhite;
  noisy.snr_dB = 10.0;
  noisy.noise_address = {.seed = 3, .purpose = Purpose::kNoiseSamples};
  CHECK(view_of(tone(500), noisy).min().item<float>() > view_of(tone(500), {}).min().item<float>());
  CHECK(at::equal(view_of(tone(500), noisy), view_of(tone(500), noisy)));
  SoundParameters quiet;
  quiet.gain_dB = -14.0;
  CHECK(view_of(tone(500), quiet).max().item<float>() < view_of(tone(500), {}).max().item<float>());
}

TEST_CASE("each operation draws from a stream of its own, within its bounds", "[augment][sound][property]") {
  const SoundAugmentSettings settings;
  const auto all = [&](uint64_t sample) { return draw(settings, kAll, 7, 1, sample, 0); };
  for (uint64_t sample = 0; sample < 200; ++sample) {
    const SoundParameters drawn = all(sample);
    CHECK(std::abs(drawn.semitones) <= settings.pitch_semitones);
    CHECK((drawn.rate >= settings.stretch[0] && drawn.rate <= settings.stretch[1]));
    CHECK(std::abs(drawn.shift) <= settings.shift);
    CHECK((drawn.fade_in <= 0.5 && drawn.fade_out <= 0.5));
    CHECK((drawn.noise && drawn.snr_dB >= 3.0 && drawn.snr_dB <= 30.0));
    CHECK((drawn.gain_dB >= -12.0 && drawn.gain_dB <= 6.0));
    CHECK(drawn.mask_first + drawn.mask_share <= 1.0);
    CHECK(drawn.band_mask_first + drawn.band_mask_share <= 1.0);
    // Alone it draws what it draws among the others.
    CHECK(draw(settings, std::vector{kPitchShift}, 7, 1, sample, 0).semitones == drawn.semitones);
    CHECK(draw(settings, std::vector{kTimeMask}, 7, 1, sample, 0).mask_first == drawn.mask_first);
    CHECK(draw(settings, std::vector{kNoise}, 7, 1, sample, 0).snr_dB == drawn.snr_dB);
    CHECK(draw(settings, std::vector{kNoise}, 7, 1, sample, 0).semitones == 0.0);
  }
  CHECK(all(1).semitones != all(2).semitones);
  CHECK(draw(settings, kAll, 7, 1, 1, 1).semitones != all(1).semitones);
  CHECK(draw(settings, {}, 7, 1, 1, 0).gain_dB == 0.0);
}

TEST_CASE("strengths that cannot be are refused", "[augment][sound][settings]") {
  SoundAugmentSettings settings;
  settings.stretch = {1.5, 0.5};
  settings.gain_dB = {1.0};
  settings.noise_colours = {};
  config::Problems problems;
  settings.validate("augment", problems);
  CHECK(problems.list().size() == 3);
  CHECK_THAT(problems.to_string(), Catch::Contains("augment.stretch") && Catch::Contains("low <= high"));
}

TEST_CASE("views of sounds equal the operations done one after the other", "[augment][sound][oracle]") {
  const auto [method, norm, padding] =
      GENERATE(table<SoundMethod, MelNorm, Padding>({{SoundMethod::kSpectrogram, MelNorm::kNone, Padding::kReflect},
                                                     {SoundMethod::kSpectrogram, MelNorm::kArea, Padding::kSilence},
                                                     {SoundMethod::kWaveform, MelNorm::kNone, Padding::kSilence}}));
  SoundAugmentSettings settings;
  settings.method = method;
  MelSettings mel;
  mel.norm = norm;
  mel.padding = padding;
  mel.channels = padding == Padding::kSilence ? MelChannels::kPowerMagnitudePhase : MelChannels::kPower;
  mel.window = 399;  // odd: where it stands in the transform is to be the same
  std::vector<at::Tensor> sounds;
  std::vector<SoundParameters> parameters;
  for (uint64_t sample = 0; sample < 40; ++sample) {  // more than are transformed at once
    sounds.push_back(sample % 3 == 0 ? beep(300 + 20 * static_cast<double>(sample))
                                     : tone(200 + 31 * static_cast<double>(sample)));
    parameters.push_back(sample == 5 ? SoundParameters() : draw(settings, kAll, 3, 0, sample, 1));
  }
  const at::Tensor found = render_sounds(sounds, parameters, settings, mel, kRate);
  const at::Tensor expected = render_sounds_slowly(sounds, parameters, settings, mel, kRate);
  REQUIRE(found.sizes() == expected.sizes());
  CHECK(found.size(1) == mel.n_channels());
  CHECK((found.select(1, 0) - expected.select(1, 0)).abs().max().item<double>() < 1e-4);
  if (mel.n_channels() == 1) return;
  CHECK((found.select(1, 1) - expected.select(1, 1)).abs().max().item<double>() < 1e-4);
  // A phase near pi may come out near -pi: few do.
  CHECK(((found.select(1, 2) - expected.select(1, 2)).abs() > 1e-2).to(at::kDouble).mean().item<double>() < 0.01);
}

TEST_CASE("banded filters are the filters", "[augment][sound][oracle]") {
  for (const double semitones : {0.0, -7.3, 5.1}) {
    for (const MelScale scale : {MelScale::kHtk, MelScale::kSlaney}) {
      MelSettings mel;
      mel.scale = scale;
      mel.lowest_Hz = 50;
      mel.highest_Hz = 3500;
      const at::Tensor dense_FM = mel_filters(mel, kRate, semitones);
      const BandedFilters banded = banded_mel_filters(mel, kRate, semitones);
      at::Tensor spread_FM = at::zeros_like(dense_FM);
      for (size_t band = 0; band < banded.first.size(); ++band) {
        for (int64_t k = 0; k < banded.begin[band + 1] - banded.begin[band]; ++k)
          spread_FM[banded.first[band] + k][static_cast<int64_t>(band)] =
              banded.weights[static_cast<size_t>(banded.begin[band] + k)];
      }
      CHECK(at::equal(spread_FM, dense_FM));
    }
  }
}
