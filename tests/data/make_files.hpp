#pragma once
/// @file
/// Pictures, archives and folders made by the tests, with libraries other than the readers' own code paths.

#include <archive.h>
#include <archive_entry.h>
#include <png.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "io/image.hpp"
#include "tests/support/catch.hpp"

namespace invaria::data::test {

namespace fs = std::filesystem;

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "invaria-data-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline void write_file(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A smooth picture that differs with `seed`.
inline io::Image make_image(int64_t height, int64_t width, int seed) {
  io::Image image{height, width, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<uint8_t>((x * 255 / width + seed * 31) % 256));
      image.pixels.push_back(static_cast<uint8_t>((y * 255 / height + seed * 57) % 256));
      image.pixels.push_back(static_cast<uint8_t>(((x + y) * 128 / (width + height) + seed * 11) % 256));
    }
  }
  return image;
}

inline std::string compress_jpeg(const uint8_t* pixels, int64_t height, int64_t width, TJPF format, TJSAMP sampling) {
  tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  REQUIRE(tjCompress2(handle, pixels, static_cast<int>(width), 0, static_cast<int>(height), format, &bytes, &size,
                      sampling, 95, TJFLAG_ACCURATEDCT) == 0);
  std::string out(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(handle);
  return out;
}

inline std::string jpeg(const io::Image& image) {
  return compress_jpeg(image.pixels.data(), image.height, image.width, TJPF_RGB, TJSAMP_444);
}

inline std::string grey_jpeg(int64_t height, int64_t width, uint8_t level) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(height * width), level);
  return compress_jpeg(pixels.data(), height, width, TJPF_GRAY, TJSAMP_GRAY);
}

inline std::string png(const io::Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string bytes(size, '\0');
  REQUIRE(png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) != 0);
  bytes.resize(size);
  return bytes;
}

using Files = std::vector<std::pair<std::string, std::string>>;

/// What a link's bytes begin with; the rest is where it points.
constexpr const char* kLink = "-> ";

/// A tar, or a zip if it is named so, with the files, and links, in the order given.
inline void write_archive(const fs::path& path, const Files& files) {
  fs::create_directories(path.parent_path());
  archive* out = archive_write_new();
  if (path.extension() == ".zip") {
    archive_write_set_format_zip(out);
  } else {
    archive_write_set_format_ustar(out);
  }
  if (path.extension() == ".gz") archive_write_add_filter_gzip(out);
  REQUIRE(archive_write_open_filename(out, path.c_str()) == ARCHIVE_OK);
  for (const auto& [name, bytes] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    const bool is_link = bytes.starts_with(kLink);
    if (is_link) archive_entry_set_symlink(entry, bytes.c_str() + std::string(kLink).size());
    archive_entry_set_size(entry, is_link ? 0 : static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, is_link ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    REQUIRE(archive_write_header(out, entry) == ARCHIVE_OK);
    if (!is_link) REQUIRE(archive_write_data(out, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
  }
  REQUIRE(archive_write_close(out) == ARCHIVE_OK);
  archive_write_free(out);
}

inline void write_folder(const fs::path& path, const Files& files) {
  for (const auto& [name, bytes] : files) write_file(path / name, bytes);
}

}  // namespace invaria::data::test
