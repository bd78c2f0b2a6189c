#include <string>

#include "core/sha256.hpp"
#include "io/segments.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

/// Behind the bytes comes their checksum, so that what is behind its check is met too.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  bytes += sha256_hex(bytes);
  const fuzz::MemoryFile file(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return fuzz::try_to([&] { io::read_segment(file.path()); });
}
