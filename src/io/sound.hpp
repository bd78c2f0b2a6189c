#pragma once
/// @file
/// Sound from the bytes of WAV, FLAC, Ogg and other files to one channel of float samples.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::io {

/// One channel; full scale is 1, which samples of floating-point files may pass.
struct Sound {
  int64_t rate = 0;  ///< Hz
  std::vector<float> samples;
};

/// Longer sounds are refused, in samples of all channels: their length may be a lie of a corrupt header.
constexpr int64_t kMaxSoundSamples = 200'000'000;
/// And longer ones in time: at a rate of 1 Hz a small file would become gigabytes where it is resampled.
constexpr int64_t kMaxSoundSeconds = 25'000;

/// Decode a sound by libsndfile, which tells the format from the content; MP3 where it is built with it. Several
/// channels become their mean.
/// @param name  names the sound in messages: a path, or archive:entry
/// @throws ConfigError naming the sound and the reason if it is of no known format, empty, truncated, corrupt in a way
///         that the decoder notices, not finite, or longer than kMaxSoundSamples or kMaxSoundSeconds
Sound decode_sound(std::string_view bytes, const std::string& name);

/// Whether a file name ends in .wav, .flac, .ogg, .oga, .opus, .aif, .aiff, .au or .mp3, in any case.
bool has_sound_extension(std::string_view file_name);

}  // namespace invaria::io
