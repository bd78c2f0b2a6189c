#pragma once
/// @file
/// What fuzz targets have in common. A target hands bytes to a reader, which may refuse them by a ConfigError or an
/// EnvironmentError that names the file; anything else is a bug: another exception, a crash, an hour of work or memory
/// without bounds.
///
/// libFuzzer calls LLVMFuzzerTestOneInput with inputs that it makes up (option INVARIA_FUZZ, clang); the ordinary tests
/// call it with the files of corpus/ (replay.cpp).

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/errors.hpp"
#include "io/files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace invaria::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The bytes as a file, for readers that want a path.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    require(file_.get() >= 0 && write(file_.get(), data, size) == static_cast<ssize_t>(size), "no memory for a file");
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  io::Descriptor file_;
};

/// Do the work; errors that a reader is meant to throw are no finding.
template <class Work>
int try_to(const Work& work) {
  try {
    work();
  } catch (const ConfigError&) {
  } catch (const EnvironmentError&) {
  }
  return 0;
}

}  // namespace invaria::fuzz
