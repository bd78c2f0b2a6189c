#include "io/segments.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  return fuzz::try_to([&] { io::read_segment(file.path()); });
}
