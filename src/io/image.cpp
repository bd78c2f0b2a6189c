#include "io/image.hpp"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/errors.hpp"
#include "core/unique_handle.hpp"
#include "io/extensions.hpp"

namespace invaria::io {
namespace {

void check_size(int64_t width, int64_t height, const std::string& name) {
  if (width < 1 || height < 1 || width * height > kMaxImagePixels) {
    throw_config("{}: {} x {} pixels, expected at least 1 and at most {} in all", name, width, height, kMaxImagePixels);
  }
}

Image empty_image(int64_t width, int64_t height) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
}

struct TurboJpegTraits {
  using Type = tjhandle;
  static Type invalid() { return nullptr; }
  static void close(Type handle) noexcept { tjDestroy(handle); }
};

/// Pillow's convert("RGB") of CMYK that is stored as Adobe does, 255 for no ink: as the few of ImageNet are.
void inks_to_rgb(const std::vector<uint8_t>& inks, std::vector<uint8_t>& rgb) {
  for (size_t pixel = 0; pixel < inks.size() / 4; ++pixel) {
    const int light = inks[4 * pixel + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      const int product = (255 - inks[4 * pixel + channel]) * light + 128;
      rgb[3 * pixel + channel] = static_cast<uint8_t>(light - (((product >> 8) + product) >> 8));
    }
  }
}

Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name) {
  const UniqueHandle<TurboJpegTraits> decoder(tjInitDecompress());
  if (!decoder) throw_environment("tjInitDecompress: {}", tjGetErrorStr2(nullptr));
  const auto check = [&](int status) {
    if (status != 0) throw_config("{}: a corrupt JPEG: {}", name, tjGetErrorStr2(decoder.get()));
  };
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colour_space = 0;
  check(tjDecompressHeader3(decoder.get(), data, size, &width, &height, &subsampling, &colour_space));
  check_size(width, height, name);
  const bool is_cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK;
  Image image = empty_image(width, height);
  std::vector<uint8_t> inks(is_cmyk ? static_cast<size_t>(width * height) * 4 : 0);
  // A warning (a premature end, say) also gives a status other than 0. A limit on scans: a small progressive file could
  // take minutes.
  constexpr int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
  check(tjDecompress2(decoder.get(), data, size, is_cmyk ? inks.data() : image.pixels.data(), width, 0, height,
                      is_cmyk ? TJPF_CMYK : TJPF_RGB, flags));
  if (is_cmyk) inks_to_rgb(inks, image.pixels);
  return image;
}

Image decode_png(std::span<const std::byte> bytes, const std::string& name) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  // Frees what libpng holds; after a finished read it does nothing.
  const std::unique_ptr<png_image, decltype(&png_image_free)> owner(&png, &png_image_free);
  const auto fail = [&] { throw_config("{}: a corrupt PNG: {}", name, png.message); };
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) fail();
  check_size(png.width, png.height, name);
  if ((png.format & PNG_FORMAT_FLAG_LINEAR) != 0) png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  png.format = PNG_FORMAT_RGBA;
  Image image = empty_image(png.width, png.height);
  std::vector<uint8_t> rgba(image.pixels.size() / 3 * 4);
  if (png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr) == 0) fail();
  for (size_t pixel = 0; pixel < rgba.size() / 4; ++pixel) {
    std::copy_n(rgba.begin() + static_cast<ptrdiff_t>(4 * pixel), 3,
                image.pixels.begin() + static_cast<ptrdiff_t>(3 * pixel));
  }
  return image;
}

bool starts_with(std::span<const std::byte> bytes, std::string_view signature) {
  return bytes.size() >= signature.size() &&
         std::equal(signature.begin(), signature.end(), bytes.begin(),
                    [](char expected, std::byte found) { return static_cast<std::byte>(expected) == found; });
}

}  // namespace

Image decode_image(std::span<const std::byte> bytes, const std::string& name) {
  if (starts_with(bytes, "\xFF\xD8\xFF")) return decode_jpeg(bytes, name);
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return decode_png(bytes, name);
  throw_config("{}: neither a JPEG nor a PNG ({} bytes)", name, bytes.size());
}

Image decode_image(std::string_view bytes, const std::string& name) {
  return decode_image(std::as_bytes(std::span(bytes)), name);
}

bool has_image_extension(std::string_view file_name) {
  return has_extension(file_name, {".jpg", ".jpeg", ".png"});
}

}  // namespace invaria::io
