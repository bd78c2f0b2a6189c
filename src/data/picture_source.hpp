#pragma once
/// @file
/// Where decoded pictures come from: memory, a mapped file, or files that are decoded when they are asked for.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace invaria::data {

/// One decoded picture, [height, width, 3] RGB uint8; it lies still as long as somebody holds it.
using PicturePixels = std::shared_ptr<const uint8_t>;

/// Decoded pictures of one size, each at its place. Safe to ask from several threads at once.
class PictureSource {
 public:
  virtual ~PictureSource() = default;
  /// @throws ConfigError naming it if the picture is not what it was when the source was made
  virtual PicturePixels picture(int64_t place) const = 0;
  /// Whether asking costs a decoding, which threads then share.
  virtual bool decodes() const { return false; }
};

/// Pictures that lie one after the other, `picture_bytes` each.
std::shared_ptr<const PictureSource> pictures_in_memory(std::shared_ptr<const std::byte> pixels, int64_t picture_bytes);

/// A picture that somebody will ask for.
struct PictureRef {
  std::shared_ptr<const PictureSource> source;
  int64_t place = 0;

  PicturePixels picture() const { return source->picture(place); }
};

/// Pictures that are at hand together, as rendering takes them.
struct HeldPictures {
  std::vector<const uint8_t*> pixels;  ///< [n], [height, width, 3] each
  std::vector<PicturePixels> holders;
};

/// The pictures that `wanted` names, in its order; those that must be decoded are, once each, on up to `threads`
/// threads. @throws what PictureSource::picture() does
HeldPictures hold(std::span<const PictureRef> wanted, int threads);

}  // namespace invaria::data
