#pragma once
/// @file
/// Where decoded pictures and sounds come from: memory, a mapped file, or files that are decoded when they are asked
/// for.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace invaria::data {

/// One decoded sample as its StoredShape says; it lies still as long as somebody holds it.
using SampleBytes = std::shared_ptr<const uint8_t>;

/// Decoded samples of one shape, each at its place. Safe to ask from several threads at once.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  /// @throws ConfigError naming it if a sample that is decoded now is not what it was when the source was made. (Packed
  ///         pixels are mapped as they lie: `check_contents` and `invaria data verify` hold them to their hashes.)
  virtual SampleBytes sample(int64_t place) const = 0;
  /// Whether asking costs a decoding, which threads then share.
  virtual bool decodes() const { return false; }
};

/// Samples that lie one after the other, `sample_bytes` each.
std::shared_ptr<const SampleSource> samples_in_memory(std::shared_ptr<const std::byte> bytes, int64_t sample_bytes);

/// A sample that somebody will ask for.
struct SampleRef {
  std::shared_ptr<const SampleSource> source;
  int64_t place = 0;

  SampleBytes sample() const { return source->sample(place); }
};

/// Samples that are at hand together, as rendering takes them.
struct HeldSamples {
  std::vector<const uint8_t*> bytes;  ///< [n], of one StoredShape
  std::vector<SampleBytes> holders;
};

/// The samples that `wanted` names, in its order; those that must be decoded are, once each, on up to `threads`
/// threads. @throws what SampleSource::sample() does
HeldSamples hold(std::span<const SampleRef> wanted, int threads);

}  // namespace invaria::data
