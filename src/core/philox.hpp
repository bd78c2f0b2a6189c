#pragma once
/// @file
/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
///
/// Randomness is addressed, not stored: a number is a function of (seed, purpose, epoch, sample, view), so that draws
/// depend neither on ranks nor on threads nor on where a run was resumed.

#include <array>
#include <cstdint>
#include <span>

namespace invaria {

/// What a stream of draws is for. Two purposes never share numbers. Values are part of the reproducibility contract:
/// append only.
enum class Purpose : uint32_t {
  kCorner = 1,   ///< the invariance of a pretraining step
  kShuffle = 2,  ///< the order of an epoch
  kCrop = 3,     ///< one purpose per augmentation operation
  kFlip = 4,
  kColorJitter = 5,
  kGrayscale = 6,
  kBlur = 7,
  kSolarize = 8,
  kInit = 9,          ///< parameters of an encoder
  kSplit = 10,        ///< cutting a validation split
  kTask = 11,         ///< pictures and samples of a downstream task
  kSupport = 12,      ///< halves and batches of the learned invariance
  kReadout = 13,      ///< a readout's initial weights and batches
  kSynthetic = 14,    ///< made data
  kCalibration = 15,  ///< pictures for re-estimated BatchNorm statistics and the sensitivity table
  kKeyQueue = 16,     ///< the keys that fill a fresh queue
  kKeyShuffle = 17,   ///< which key goes through BatchNorm beside which
  kBootstrap = 18,    ///< resamples of a test set
  kEpisode = 19,      ///< classes and samples of few-shot episodes
  kFraction = 20,     ///< the part of a training set that a task takes
  kDropPath = 21,     ///< which blocks an image skips
  kPitchShift = 22,   ///< one purpose per operation on sounds
  kTimeStretch = 23,
  kTimeShift = 24,
  kFade = 25,
  kNoise = 26,
  kNoiseSamples = 27,
  kGain = 28,
  kTimeMask = 29,
  kBandMask = 30,
  kTest = 1000,  ///< tests only
};

/// Where a stream of draws lives.
struct DrawAddress {
  uint64_t seed = 0;
  Purpose purpose = Purpose::kTest;
  uint64_t epoch = 0;
  uint64_t sample = 0;
  uint32_t view = 0;
};

/// Four 32-bit words for (key, counter): the bare bijection, as in the Random123 reference (known-answer tests).
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// The stream of numbers at one address. Cheap to make (no allocation); not shared between threads.
class Draws {
 public:
  explicit Draws(const DrawAddress& address);

  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, 1), 24 bits.
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high);
  /// Uniform integer in [0, n), without modulo bias. @throws PreconditionError if n < 1
  int64_t below(int64_t n);
  /// Standard normal (Box-Muller).
  double normal();
  /// True with the given probability.
  bool bernoulli(double probability);
  /// Fisher-Yates shuffle in place.
  template <class T>
  void shuffle(std::span<T> values) {
    for (int64_t n = static_cast<int64_t>(values.size()); n > 1; --n) std::swap(values[n - 1], values[below(n)]);
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace invaria
