#include "io/sound.hpp"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "core/errors.hpp"
#include "core/unique_handle.hpp"
#include "io/extensions.hpp"

namespace invaria::io {
namespace {

/// Bytes as libsndfile reads a file.
struct ByteFile {
  std::string_view bytes;
  sf_count_t at = 0;
};

sf_count_t length_of(void* file) {
  return std::ssize(static_cast<ByteFile*>(file)->bytes);
}

sf_count_t seek_in(sf_count_t offset, int whence, void* file) {
  auto& [bytes, at] = *static_cast<ByteFile*>(file);
  const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? at : std::ssize(bytes);
  at = std::clamp<sf_count_t>(from + offset, 0, std::ssize(bytes));
  return at;
}

sf_count_t read_from(void* to, sf_count_t count, void* file) {
  auto& [bytes, at] = *static_cast<ByteFile*>(file);
  const sf_count_t read = std::clamp<sf_count_t>(count, 0, std::ssize(bytes) - at);
  std::memcpy(to, bytes.data() + at, static_cast<size_t>(read));
  at += read;
  return read;
}

sf_count_t write_nothing(const void*, sf_count_t, void*) {
  return 0;
}

sf_count_t place_in(void* file) {
  return static_cast<ByteFile*>(file)->at;
}

struct SoundFileTraits {
  using Type = SNDFILE*;
  static Type invalid() { return nullptr; }
  static void close(Type handle) noexcept { sf_close(handle); }
};

/// What libsndfile wrote down while it read the header.
std::string log_of(SNDFILE* file) {
  std::string log(16384, '\0');
  log.resize(
      static_cast<size_t>(std::max(0, sf_command(file, SFC_GET_LOG_INFO, log.data(), static_cast<int>(log.size())))));
  return log;
}

/// Whether the header promises more samples than the file has. The log has then a line like "data : 8000 (should be
/// 3978)"; other lengths may be wrong in whole files, and what is written into a pipe has the greatest number for a
/// length that is not known yet.
bool is_truncated(SNDFILE* file) {
  constexpr long long kUnknown = 0x7FFFF000;
  std::istringstream log(log_of(file));
  for (std::string line; std::getline(log, line);) {
    std::array<char, 32> chunk{};
    long long promised = 0, found = 0;
    if (std::sscanf(line.c_str(), " %31[^:]: %lld (should be %lld", chunk.data(), &promised, &found) != 3) continue;
    const std::string name(chunk.data());
    const bool has_samples = name == "data " || name == "SSND " || name == "BODY " || name == "Data Size   ";
    if (has_samples && found < promised && promised < kUnknown) return true;
  }
  return false;
}

}  // namespace

Sound decode_sound(std::string_view bytes, const std::string& name) {
  SF_VIRTUAL_IO calls{length_of, seek_in, read_from, write_nothing, place_in};
  ByteFile from{bytes};
  SF_INFO info{};
  const UniqueHandle<SoundFileTraits> file(sf_open_virtual(&calls, SFM_READ, &info, &from));
  if (!file) throw_config("{}: no sound of a known format ({} bytes): {}", name, bytes.size(), sf_strerror(nullptr));
  if (info.frames < 1) throw_config("{}: a sound without samples", name);
  if (info.channels < 1 || info.samplerate < 1 || info.frames > kMaxSoundSamples / info.channels) {
    throw_config("{}: {} samples in {} channels at {} Hz, expected at most {} in all", name, info.frames, info.channels,
                 info.samplerate, kMaxSoundSamples);
  }
  if (info.frames / info.samplerate > kMaxSoundSeconds) {
    throw_config("{}: {} samples at {} Hz, expected at most {} s", name, info.frames, info.samplerate,
                 kMaxSoundSeconds);
  }
  if (is_truncated(file.get())) throw_config("{}: a truncated sound", name);

  Sound sound{info.samplerate, std::vector<float>(static_cast<size_t>(info.frames))};
  const auto channels = static_cast<size_t>(info.channels);
  constexpr size_t kFramesAtOnce = 4096;
  std::vector<float> interleaved(kFramesAtOnce * channels);
  size_t done = 0;
  while (done < sound.samples.size()) {
    const auto wanted = static_cast<sf_count_t>(std::min(kFramesAtOnce, sound.samples.size() - done));
    const sf_count_t read = sf_readf_float(file.get(), interleaved.data(), wanted);
    if (sf_error(file.get()) != SF_ERR_NO_ERROR) {
      throw_config("{}: a corrupt sound: {}", name, sf_strerror(file.get()));
    }
    if (read < 1) {
      throw_config("{}: a truncated sound: {} of {} samples", name, done, sound.samples.size());
    }
    for (size_t frame = 0; frame < static_cast<size_t>(read); ++frame) {
      float sum = 0.0F;
      for (size_t channel = 0; channel < channels; ++channel) sum += interleaved[frame * channels + channel];
      sound.samples[done + frame] = sum / static_cast<float>(channels);
    }
    done += static_cast<size_t>(read);
  }
  if (!std::all_of(sound.samples.begin(), sound.samples.end(), [](float value) { return std::isfinite(value); }))
    throw_config("{}: a sound with samples that are no finite numbers", name);
  return sound;
}

bool has_sound_extension(std::string_view file_name) {
  return has_extension(file_name, {".wav", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".mp3"});
}

}  // namespace invaria::io
