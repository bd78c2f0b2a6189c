// Views of sounds as a device finishes them, against the path of the CPU.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "augment/device_sounds.hpp"
#include "augment/sound_bands.hpp"
#include "augment/views.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;
using enum Operation;

namespace {

constexpr int64_t kRate = 8000;
constexpr int64_t kSamples = 5120;
const std::vector<Operation> kAll{kPitchShift, kTimeStretch, kTimeShift, kFade, kNoise, kGain, kTimeMask, kBandMask};
const c10::Device kHost(c10::kCPU);

struct Batch {
  std::vector<at::Tensor> sounds;
  std::vector<SoundParameters> parameters;
};

/// Tones and parameters of every operation; every fifth sound is left alone.
Batch batch(int64_t n, const SoundAugmentSettings& settings, const std::vector<Operation>& operations) {
  Batch batch;
  for (int64_t sample = 0; sample < n; ++sample) {
    const double hertz = 200.0 + 31.0 * static_cast<double>(sample % 60);
    batch.sounds.push_back(
        0.3 * (at::arange(kSamples, at::kDouble) * (2 * std::numbers::pi * hertz / kRate)).sin().to(at::kFloat));
    batch.parameters.push_back(sample % 5 == 4 ? SoundParameters()
                                               : draw(settings, operations, 3, 0, static_cast<uint64_t>(sample), 1));
  }
  return batch;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// A phase near pi may come out near -pi.
at::Tensor without_phase(const at::Tensor& views_BCMT) {
  return views_BCMT.narrow(1, 0, std::min<int64_t>(2, views_BCMT.size(1)));
}

/// Share of numbers, phases among them, that differ.
double share_apart(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs() > 1e-2).to(at::kDouble).mean().item<double>();
}

}  // namespace

TEST_CASE("bands of many views are changed as each alone, to the bit", "[augment][sound][oracle]") {
  for (const SoundMethod method : {SoundMethod::kSpectrogram, SoundMethod::kWaveform}) {
    for (const bool wraps : {false, true}) {
      SoundAugmentSettings settings;
      settings.method = method;
      settings.shift_wraps = wraps;
      const Batch drawn = batch(30, settings, kAll);
      const at::Tensor bands_BMT = at::arange(30 * 24 * 32, at::kFloat).sin().add(1.5).reshape({30, 24, 32});
      const at::Tensor together = changed_bands(bands_BMT, band_changes(drawn.parameters, settings, 24, 32));
      int64_t altered = 0;
      for (int64_t view = 0; view < 30; ++view) {
        const at::Tensor alone =
            changed_bands_slowly(bands_BMT[view].clone(), drawn.parameters[static_cast<size_t>(view)], settings);
        CHECK(at::equal(together[view], alone));
        altered += at::equal(alone, bands_BMT[view]) ? 0 : 1;
      }
      CHECK(altered >= 20);  // a mask may have no band
    }
  }
}

TEST_CASE("what a device does to sounds is what the CPU does", "[augment][sound][oracle]") {
  SoundAugmentSettings settings;
  MelSettings mel;
  const auto compare = [&](const Batch& given) {
    const PackedSounds packed = pack_sounds(given.sounds, given.parameters, settings, mel, kRate, kHost);
    const at::Tensor found = render_packed(packed, kHost);
    const at::Tensor expected = render_sounds(given.sounds, given.parameters, settings, mel, kRate);
    REQUIRE(found.sizes() == expected.sizes());
    CHECK(largest_difference(without_phase(found), without_phase(expected)) < 1e-4);
    CHECK(share_apart(found, expected) < 0.01);
    return packed.n_filters;
  };
  CHECK(compare(batch(150, settings, kAll)) == 150);  // more than are finished at once
  CHECK(compare(batch(20, settings, {kTimeStretch, kGain, kBandMask})) == 1);
  settings.method = SoundMethod::kWaveform;
  mel.channels = MelChannels::kPowerMagnitudePhase;
  mel.normalisation = MelNormalisation::kSample;
  mel.padding = Padding::kSilence;
  mel.window = 399;
  CHECK(compare(batch(20, settings, kAll)) == 1);  // its pitch is altered before
}

TEST_CASE("sounds finished on CUDA are those of the CPU", "[augment][sound][cuda]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  ViewSettings settings;
  settings.sound.mel.channels = GENERATE(MelChannels::kPower, MelChannels::kPowerMagnitudePhase);
  settings.sound.augment.shift_wraps = GENERATE(false, true);
  const config::StoredShape stored = {.media = config::Media::kSounds, .n_values = kSamples, .rate = kRate};
  const auto views = make_views(settings, stored);
  const Batch given = batch(150, settings.sound.augment, kAll);
  std::vector<const uint8_t*> bytes;
  std::vector<Parameters> parameters(given.parameters.begin(), given.parameters.end());
  for (const at::Tensor& sound : given.sounds)
    bytes.push_back(reinterpret_cast<const uint8_t*>(sound.const_data_ptr<float>()));
  const c10::Device device(c10::kCUDA, 0);
  const at::Tensor found = views->begin(bytes, parameters, device)();
  CHECK(found.device() == device);
  CHECK(largest_difference(without_phase(found.cpu()), without_phase(views->render(bytes, parameters))) < 1e-3);
}
