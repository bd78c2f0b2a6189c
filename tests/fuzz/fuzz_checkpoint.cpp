#include "tests/fuzz/target.hpp"
#include "train/checkpoint.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  return fuzz::try_to([&] { train::read_checkpoint(file.path()); });
}
