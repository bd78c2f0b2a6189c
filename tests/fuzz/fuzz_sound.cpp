#include "io/sound.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::try_to([&] { io::decode_sound(fuzz::text_of(data, size), "sound"); });
}
