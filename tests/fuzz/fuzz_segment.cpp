#include "io/segments.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

/// Most inputs end at the checksum, as damaged files do: behind it is HDF5, which damaged files can crash.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  return fuzz::try_to([&] { io::read_segment(file.path()); });
}
