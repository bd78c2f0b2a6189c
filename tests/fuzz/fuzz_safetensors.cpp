#include "io/safetensors.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  return fuzz::try_to([&] {
    const io::SafetensorsFile tensors(file.path());
    // Every byte that is handed out can be read.
    uint64_t sum = 0;
    for (const std::string& name : tensors.names()) {
      for (const std::byte byte : tensors.view(name).bytes) sum += static_cast<uint64_t>(byte);
    }
    require(sum <= 255 * size, "tensors hold more than the file");
  });
}
