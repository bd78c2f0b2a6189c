#pragma once
/// @file
/// From the bytes of one file to one sample of the suite's shape, whatever it is a file of.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "config/stored_shape.hpp"
#include "data/settings.hpp"
#include "io/image.hpp"
#include "io/sound.hpp"

namespace invaria::data {

using Decoded = std::variant<io::Image, io::Sound>;

/// Whether a file's name ends as those of pictures, or of sounds.
bool has_extension(config::Media media, std::string_view file_name);

/// @param name  for messages @throws ConfigError as io::decode_image() and io::decode_sound()
Decoded decode_file(config::Media media, std::string_view bytes, const std::string& name);

/// Height and width of the picture in pixels; values a second and number of values of a sound.
std::pair<int64_t, int64_t> stored_size(const Decoded& decoded);

/// What all samples of a data set become.
config::StoredShape stored_shape(config::Media media, const DatasetSettings& settings);

/// Samples that a file of this stored_size() gives.
int64_t n_parts(config::Media media, std::pair<int64_t, int64_t> size, const DatasetSettings& settings);

/// Resize a picture; resample, cut, level and fill up a sound. @param part  of a sound that gives several
/// @param out  stored_shape().bytes()
void fit_into(const Decoded& decoded, const DatasetSettings& settings, int64_t part, std::span<uint8_t> out);

/// The sound as the suite's: resampled, cut, brought to its level, filled up. A silent one stays silent.
/// @param part  where it gives several, which of them: below n_parts() of its length
/// @param out   settings.n_values()
void fit_sound(const io::Sound& sound, const SoundShapeSettings& settings, int64_t part, std::span<float> out);

}  // namespace invaria::data
