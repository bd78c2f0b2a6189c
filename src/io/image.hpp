#pragma once
/// @file
/// Pictures from JPEG and PNG bytes to 8-bit RGB.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace invaria::io {

/// Row-major, three interleaved channels: pixel (y, x) starts at 3 (y width + x).
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> pixels;  ///< [height, width, 3]
};

/// Larger pictures are refused: their size may be a lie of a corrupt header.
constexpr int64_t kMaxImagePixels = 100'000'000;

/// Decode one picture; the format is told from the first bytes.
///
/// JPEG by libjpeg-turbo with the accurate inverse DCT; grey is widened to three equal channels; CMYK and YCCK become
/// RGB as by Pillow, which takes them as Adobe's. PNG by libpng: palettes, grey and 1 to 16 bits a channel become 8-bit
/// sRGB; alpha is dropped, not composited, as Pillow's convert("RGB") does. EXIF orientation is not applied
/// (torchvision's ImageFolder does not either).
///
/// @param name  names the picture in messages: a path, or archive:entry
/// @throws ConfigError naming the picture and the reason if it is no JPEG or PNG, truncated or corrupt in any way that
///         the decoder notices (of a JPEG a warning counts; those of PNGs are often harmless), or larger than
///         kMaxImagePixels
Image decode_image(std::span<const std::byte> bytes, const std::string& name);
Image decode_image(std::string_view bytes, const std::string& name);

/// Whether a file name ends in .jpg, .jpeg or .png, in any case.
bool has_image_extension(std::string_view file_name);

}  // namespace invaria::io
