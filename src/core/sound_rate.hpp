#pragma once
/// @file
/// Sound at another rate.

#include <cstdint>
#include <vector>

namespace invaria {

/// One channel at another rate, by libsoxr in its high quality (20 bits, as librosa's soxr_hq): ceil(n to / from)
/// samples.
/// @throws PreconditionError unless both rates are positive
std::vector<float> resampled(const std::vector<float>& samples, int64_t from_rate, int64_t to_rate);

}  // namespace invaria
