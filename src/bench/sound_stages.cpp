#include "bench/sound_stages.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "augment/sound_operations.hpp"
#include "augment/sound_views.hpp"
#include "bench/checks.hpp"
#include "bench/made.hpp"

namespace invaria::bench {
namespace {

namespace json = boost::json;

constexpr int64_t kClips = 8;
constexpr int64_t kRate = 16000;
constexpr int64_t kSamples = 5 * kRate;
constexpr int64_t kVocoder = 1024;  ///< samples of its transforms
constexpr double kSemitones = 4.0;
constexpr double kTimes = 1.25;  ///< as fast
constexpr double kShare = 0.25;  ///< of a clip: fades, shift, mask
constexpr double kSnr_dB = 10.0;
constexpr double kGain_dB = -6.0;

/// Pitch of a clip, Hz: a semitone apart.
double pitch_of(int64_t clip) {
  return 220.0 * std::exp2(static_cast<double>(clip) / 12.0);
}

/// Tones with five overtones whose loudness comes and goes, [clips, samples].
at::Tensor made_clips() {
  const at::Tensor t_N = at::arange(kSamples, at::kDouble) / static_cast<double>(kRate);
  std::vector<at::Tensor> clips;
  for (int64_t clip = 0; clip < kClips; ++clip) {
    at::Tensor wave_N = at::zeros({kSamples}, at::kDouble);
    for (int overtone = 1; overtone <= 6; ++overtone)
      wave_N += (2.0 * std::numbers::pi * overtone * pitch_of(clip) * t_N).sin() / (overtone * overtone);
    wave_N *= 0.6 + 0.4 * (2.0 * std::numbers::pi * 1.5 * t_N).sin();
    clips.push_back(0.1 * wave_N / wave_N.square().mean().sqrt());
  }
  return at::stack(clips).to(at::kFloat);
}

/// The full setting of audio-fewshot.json.
augment::MelSettings mel_settings() {
  augment::MelSettings mel;
  mel.n_fft = mel.window = 1024;
  mel.hop = 512;
  mel.bands = 128;
  return mel;
}

augment::SoundAugmentSettings augment_settings(augment::SoundMethod method) {
  augment::SoundAugmentSettings settings;
  settings.method = method;
  settings.vocoder_n_fft = kVocoder;
  return settings;
}

/// A real transform of n samples: 2.5 n log2 n.
double transform_flops(int64_t n) {
  return 2.5 * static_cast<double>(n) * std::log2(static_cast<double>(n));
}

double bytes_of_waves(double waves) {
  return waves * sizeof(float) * static_cast<double>(kClips * kSamples);
}

/// Frames of the vocoder's analysis of a clip.
double vocoder_frames() {
  return static_cast<double>(kSamples) / (kVocoder / 4.0);
}

/// Transforms there and back, and of each frequency its size, angle, advance and a sine and a cosine: some 60 of a
/// polynomial each.
Work vocoder_work(double frames_out) {
  constexpr double kOfFrequency = 60.0;
  const double frames = vocoder_frames() + frames_out;
  const double per_frame = transform_flops(kVocoder) + kOfFrequency * kVocoder / 2.0;
  return {kClips * frames * per_frame, bytes_of_waves(2.0)};
}

/// The loudest frequency, Hz, of the middle half of a clip.
double loudest(const at::Tensor& wave_N) {
  const int64_t n = wave_N.size(0) / 2;
  const at::Tensor window_N = at::hann_window(n);
  const at::Tensor power_F = at::fft_rfft(wave_N.narrow(0, n / 2, n) * window_N).abs();
  return static_cast<double>(power_F.argmax().item<int64_t>() * kRate) / static_cast<double>(n);
}

/// Clips of `n` samples each, `ratio` times as high as those that were given, to a hundredth.
std::function<void(const at::Tensor&)> has_pitch(double ratio, int64_t n) {
  return [ratio, n](const at::Tensor& made_CN) {
    expect(made_CN.dim() == 2 && made_CN.size(0) == kClips && std::abs(made_CN.size(1) - n) <= 1,
           "made {} where {} clips of {} samples were expected", fmt::join(made_CN.sizes(), " x "), kClips, n);
    for (int64_t clip = 0; clip < kClips; ++clip) {
      const double found = loudest(made_CN[clip]), expected = ratio * pitch_of(clip);
      expect(std::abs(found / expected - 1.0) < 0.01, "a clip is at {:.1f} Hz where {:.1f} were expected", found,
             expected);
    }
  };
}

/// Sound and noise at the asked ratio, to a tenth of a decibel: by what was added.
std::function<void(const at::Tensor&)> has_noise(at::Tensor clips_CN, double tolerance_dB) {
  return [clips_CN, tolerance_dB](const at::Tensor& made_CN) {
    expect_shape(made_CN, clips_CN.sizes());
    for (int64_t clip = 0; clip < kClips; ++clip) {
      const double sound = clips_CN[clip].square().mean().item<double>();
      const double noise = (made_CN[clip] - clips_CN[clip]).square().mean().item<double>();
      const double found_dB = 10.0 * std::log10(sound / noise);
      expect(std::abs(found_dB - kSnr_dB) < tolerance_dB, "a clip is {:.2f} dB above its noise instead of {:.1f}",
             found_dB, kSnr_dB);
    }
  };
}

/// Pictures [clips, bands, frames] whose first frames are those expected: others add one that is centred on the end.
std::function<void(const at::Tensor&)> begins_like(at::Tensor expected_CMT, double tolerance) {
  return [expected_CMT, tolerance](const at::Tensor& made_CMT) {
    const int64_t n_frames = expected_CMT.size(2);
    const bool has_one_more = made_CMT.dim() == 3 && made_CMT.size(2) == n_frames + 1;
    expect_near(has_one_more ? made_CMT.narrow(2, 0, n_frames) : made_CMT, expected_CMT, tolerance);
  };
}

/// A quarter of each clip is silent, in one piece, and the rest as it was.
std::function<void(const at::Tensor&)> is_masked(at::Tensor clips_CN) {
  return [clips_CN](const at::Tensor& made_CN) {
    expect_shape(made_CN, clips_CN.sizes());
    for (int64_t clip = 0; clip < kClips; ++clip) {
      const at::Tensor changed = made_CN[clip].ne(clips_CN[clip]).nonzero().flatten();
      expect(changed.numel() > 0 && made_CN[clip].index_select(0, changed).abs().max().item<double>() == 0.0,
             "a clip is changed where it is not silent");
      const double share = static_cast<double>((changed.max() - changed.min()).item<int64_t>()) / kSamples;
      expect(std::abs(share - kShare) < 0.01, "a share of {:.3f} of a clip is silent instead of {}", share, kShare);
    }
  };
}

/// Builds stages of one set of clips.
class SoundStages {
 public:
  explicit SoundStages(const std::filesystem::path& folder)
      : clips_CN_(made_clips()), mel_(mel_settings()), file_(folder / "clips.f32") {
    write_values(file_, clips_CN_);
    for (int64_t clip = 0; clip < kClips; ++clip) each_.push_back(clips_CN_[clip]);
  }

  /// An operation on one clip.
  void add(const std::string& name, std::string what, Work work, std::function<at::Tensor(const at::Tensor&)> operation,
           std::function<void(const at::Tensor&)> check, json::object settings, const std::vector<std::string>& peers,
           std::function<void(const at::Tensor&)> check_of_peers = {}) {
    const std::vector<at::Tensor>& each = each_;
    const auto run = [each, operation] {
      std::vector<at::Tensor> made;
      for (const at::Tensor& clip_N : each) made.push_back(operation(clip_N));
      return made;
    };
    add_batched(name, std::move(what), work, run, check, std::move(settings), peers,
                check_of_peers ? std::move(check_of_peers) : check);
  }

  void add_batched(const std::string& name, std::string what, Work work, std::function<std::vector<at::Tensor>()> run,
                   std::function<void(const at::Tensor&)> check, json::object settings,
                   const std::vector<std::string>& peers,
                   const std::function<void(const at::Tensor&)>& check_of_peers) {
    Stage stage{"sound/" + name,  std::move(what), "clips", static_cast<double>(kClips), work, std::move(run),
                std::move(check), "sound.py",      {}};
    settings["stage"] = name;
    settings["input"] = file_.string();
    settings["shape"] = {kClips, kSamples};
    settings["rate"] = kRate;
    for (const std::string& peer : peers) stage.peers.push_back({peer, settings, check_of_peers});
    stages_.push_back(std::move(stage));
  }

  std::vector<Stage> all() {
    add_vocoder();
    add_simple();
    add_noise();
    add_views();
    return std::move(stages_);
  }

 private:
  void add_vocoder() {
    const double ratio = std::exp2(kSemitones / 12.0);
    add("pitch-shift", "pitch up by 4 semitones: phase vocoder and resampling", vocoder_work(vocoder_frames() * ratio),
        [](const at::Tensor& clip_N) { return augment::pitch_shifted(clip_N, kSemitones, kVocoder); },
        has_pitch(ratio, kSamples), {{"semitones", kSemitones}, {"n_fft", kVocoder}}, {"torchaudio", "librosa"});
    add("time-stretch", "1.25 times as fast: phase vocoder", vocoder_work(vocoder_frames() / kTimes),
        [](const at::Tensor& clip_N) { return augment::stretched(clip_N, kTimes, kVocoder); },
        has_pitch(1.0, std::llround(kSamples / kTimes)), {{"times", kTimes}, {"n_fft", kVocoder}},
        {"torchaudio", "librosa"});
  }

  void add_simple() {
    const Work once{static_cast<double>(kClips * kSamples), bytes_of_waves(2.0)};
    const int64_t n = std::llround(kShare * kSamples);
    const at::Tensor ramp_N = at::linspace(0.0, 1.0, n);
    const at::Tensor faded_CN = clips_CN_.clone();
    faded_CN.narrow(1, 0, n).mul_(ramp_N);
    faded_CN.narrow(1, kSamples - n, n).mul_(ramp_N.flip(0));
    add("fade", "linear fades over a quarter at both ends", once,
        [n](const at::Tensor& clip_N) { return augment::faded(clip_N, n, n, augment::FadeShape::kLinear); },
        is_near(faded_CN, 1e-5), {{"share", kShare}}, {"torchaudio"});
    add("gain", "6 dB quieter", once, [](const at::Tensor& clip_N) { return augment::amplified(clip_N, kGain_dB); },
        is_near(clips_CN_ * std::pow(10.0, kGain_dB / 20.0), 1e-5), {{"gain_dB", kGain_dB}},
        {"torchaudio", "audiomentations"});
    add("time-shift", "later by a quarter, round the end", once,
        [n](const at::Tensor& clip_N) { return augment::rolled(clip_N, n); },
        is_near(at::cat({clips_CN_.narrow(1, kSamples - n, n), clips_CN_.narrow(1, 0, kSamples - n)}, 1), 0.0),
        {{"share", kShare}}, {"audiomentations"});
    add("time-mask", "a quarter silent", once, [n](const at::Tensor& clip_N) { return augment::masked(clip_N, n, n); },
        is_masked(clips_CN_), {{"share", kShare}}, {"audiomentations"});
  }

  void add_noise() {
    // A window of a table, both powers, and a sum.
    const Work work{6.0 * static_cast<double>(kClips * kSamples), bytes_of_waves(3.0)};
    const auto noisy = [](augment::NoiseColour colour) {
      return [colour](const at::Tensor& clip_N) {
        Draws draws({.seed = 1, .purpose = Purpose::kNoiseSamples});
        return augment::with_noise(clip_N, augment::noise(kSamples, colour, draws), kSnr_dB);
      };
    };
    add("noise-white", "white noise 10 dB below", work, noisy(augment::NoiseColour::kWhite), has_noise(clips_CN_, 0.1),
        {{"snr_dB", kSnr_dB}}, {"torchaudio", "audiomentations"}, has_noise(clips_CN_, 0.5));
    add("noise-pink", "pink noise 10 dB below", work, noisy(augment::NoiseColour::kPink), has_noise(clips_CN_, 0.1),
        {{"snr_dB", kSnr_dB}}, {"audiomentations"}, has_noise(clips_CN_, 0.5));
  }

  void add_views() {
    const double frames = static_cast<double>(kClips * kSamples) / static_cast<double>(mel_.hop);
    const double frequencies = static_cast<double>(mel_.n_fft) / 2.0 + 1.0;
    // Window, transform, power, each frequency in two bands, and some 20 of a logarithm.
    const double of_frame = static_cast<double>(mel_.n_fft) + transform_flops(mel_.n_fft) + 7.0 * frequencies +
                            20.0 * static_cast<double>(mel_.bands);
    const Work front{frames * of_frame, bytes_of_waves(1.0) + frames * sizeof(float) * static_cast<double>(mel_.bands)};
    const augment::MelSettings mel = mel_;
    const std::vector<at::Tensor> each = each_;
    const auto add_rendered = [&](const std::string& name, std::string what, Work work, augment::SoundMethod method,
                                  const std::vector<augment::SoundParameters>& parameters, json::object settings,
                                  const std::vector<std::string>& peers) {
      const augment::SoundAugmentSettings alter = augment_settings(method);
      const at::Tensor slowly = augment::render_sounds_slowly(each, parameters, alter, mel, kRate);
      add_batched(
          name, std::move(what), work,
          [each, parameters, alter, mel] {
            return std::vector{augment::render_sounds(each, parameters, alter, mel, kRate)};
          },
          is_near(slowly, 1e-3), std::move(settings), peers, begins_like(slowly.select(1, 0), 1e-3));
    };
    const std::vector<augment::SoundParameters> none(kClips);
    const json::object settings{{"n_fft", mel.n_fft}, {"hop", mel.hop},       {"bands", mel.bands},
                                {"floor", mel.floor}, {"offset", mel.offset}, {"divisor", mel.divisor}};
    add_rendered("log-mel", "128 bands of 1,024 samples, 156 frames", front, augment::SoundMethod::kSpectrogram, none,
                 settings, {"torchaudio", "librosa"});
    std::vector<augment::SoundParameters> higher(kClips);
    for (augment::SoundParameters& one : higher) one.semitones = kSemitones;
    add_rendered("log-mel-pitched", "the same, pitch up by 4 semitones in its filters", front,
                 augment::SoundMethod::kSpectrogram, higher, {}, {});
    std::vector<augment::SoundParameters> masked(kClips);
    for (augment::SoundParameters& one : masked) one.band_mask_first = one.band_mask_share = kShare;
    add_rendered("log-mel-masked", "the same, a quarter of its bands silent", front, augment::SoundMethod::kSpectrogram,
                 masked, {}, {});
    const std::vector<augment::Operation> active{augment::Operation::kPitchShift, augment::Operation::kTimeStretch,
                                                 augment::Operation::kTimeShift,  augment::Operation::kFade,
                                                 augment::Operation::kNoise,      augment::Operation::kGain,
                                                 augment::Operation::kTimeMask};
    for (const auto method : {augment::SoundMethod::kSpectrogram, augment::SoundMethod::kWaveform}) {
      std::vector<augment::SoundParameters> drawn;
      for (uint64_t clip = 0; clip < static_cast<uint64_t>(kClips); ++clip)
        drawn.push_back(augment::draw(augment_settings(method), active, 1, 0, clip, 0));
      const bool is_wave = method == augment::SoundMethod::kWaveform;
      Work work = front;
      if (is_wave) work.flops += 2.0 * vocoder_work(vocoder_frames()).flops;
      add_rendered(
          is_wave ? "views-waveform" : "views-spectrogram",
          fmt::format("a view with all operations, pitch and time in the {}", is_wave ? "waveform" : "spectrogram"),
          work, method, drawn, {}, {});
    }
  }

  at::Tensor clips_CN_;
  augment::MelSettings mel_;
  std::filesystem::path file_;
  std::vector<at::Tensor> each_;
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<Stage> sound_stages(const std::filesystem::path& folder) {
  return SoundStages(folder).all();
}

}  // namespace invaria::bench
