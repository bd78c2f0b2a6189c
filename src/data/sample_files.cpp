#include "data/sample_files.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.hpp"
#include "core/sound_rate.hpp"
#include "data/resize.hpp"

namespace invaria::data {
namespace {

/// What a sound is multiplied with to be at its level.
double gain(std::span<const float> sound, const SoundShapeSettings& settings) {
  if (settings.level == SoundLevel::kAsIs) return 1.0;
  double power = 0.0, peak = 0.0;
  for (const float value : sound) {
    power += static_cast<double>(value) * value;
    peak = std::max(peak, std::abs(static_cast<double>(value)));
  }
  if (peak == 0.0) return 1.0;
  const double rms = std::sqrt(power / static_cast<double>(sound.size()));
  return settings.level_value / (settings.level == SoundLevel::kRms ? rms : peak);
}

}  // namespace

bool has_extension(config::Media media, std::string_view file_name) {
  return media == config::Media::kSounds ? io::has_sound_extension(file_name) : io::has_image_extension(file_name);
}

Decoded decode_file(config::Media media, std::string_view bytes, const std::string& name) {
  if (media == config::Media::kSounds) return io::decode_sound(bytes, name);
  return io::decode_image(bytes, name);
}

std::pair<int64_t, int64_t> stored_size(const Decoded& decoded) {
  if (const auto* sound = std::get_if<io::Sound>(&decoded)) return {sound->rate, std::ssize(sound->samples)};
  const auto& image = std::get<io::Image>(decoded);
  return {image.height, image.width};
}

config::StoredShape stored_shape(config::Media media, const DatasetSettings& settings) {
  if (media == config::Media::kSounds)
    return {.media = media, .n_values = settings.sound.n_values(), .rate = settings.sound.rate};
  return {.media = media, .height = settings.size, .width = settings.size};
}

int64_t n_parts(config::Media media, std::pair<int64_t, int64_t> size, const DatasetSettings& settings) {
  if (media != config::Media::kSounds) return 1;
  const auto [rate, n] = size;
  return settings.sound.n_parts((n * settings.sound.rate + rate - 1) / rate);  // as resampled() rounds
}

void fit_into(const Decoded& decoded, const DatasetSettings& settings, int64_t part, std::span<uint8_t> out) {
  if (const auto* image = std::get_if<io::Image>(&decoded)) {
    resize_into(*image, settings.size, settings.resize, out);
    return;
  }
  fit_sound(std::get<io::Sound>(decoded), settings.sound, part,
            {reinterpret_cast<float*>(out.data()), out.size() / sizeof(float)});
}

void fit_sound(const io::Sound& sound, const SoundShapeSettings& settings, int64_t part, std::span<float> out) {
  const int64_t n = settings.n_values();
  require(std::ssize(out) == n, "fit_sound: room for {} samples, expected {}", out.size(), n);
  std::vector<float> other_rate;
  if (sound.rate != settings.rate) other_rate = resampled(sound.samples, sound.rate, settings.rate);
  const std::span<const float> all = sound.rate != settings.rate ? other_rate : sound.samples;
  require(!all.empty(), "fit_sound: a sound without values");
  require(part == 0 || part < settings.n_parts(std::ssize(all)), "fit_sound: part {} of a sound of {} values", part,
          all.size());
  const bool is_middle = settings.cut == SoundCut::kMiddle && settings.parts == 1;
  const int64_t kept = std::min<int64_t>(std::ssize(all) - part * n, n);
  const int64_t first = is_middle ? (std::ssize(all) - kept) / 2 : part * n;
  const std::span<const float> cut(all.data() + first, static_cast<size_t>(kept));
  const double factor = gain(cut, settings);
  const bool repeats = settings.fill == SoundFill::kRepeat;
  const int64_t before = is_middle && !repeats ? (n - kept) / 2 : 0;
  for (int64_t k = 0; k < n; ++k) {
    const int64_t from = repeats ? k % kept : k - before;
    const bool is_silent = from < 0 || from >= kept;
    out[static_cast<size_t>(k)] =
        is_silent ? 0.0F : static_cast<float>(factor * static_cast<double>(cut[static_cast<size_t>(from)]));
  }
}

}  // namespace invaria::data
