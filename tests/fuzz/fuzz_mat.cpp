#include "io/mat.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  fuzz::try_to([&] { io::read_mat(bytes, "labels", {}, "variable"); });
  return fuzz::try_to([&] { io::read_mat(bytes, "synsets", {"WNID", "ILSVRC2012_ID"}, "fields"); });
}
