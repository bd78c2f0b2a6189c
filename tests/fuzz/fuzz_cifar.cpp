#include "io/cifar.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  fuzz::try_to([&] { io::read_cifar(bytes, io::CifarKind::kCifar10, "ten"); });
  return fuzz::try_to([&] { io::read_cifar(bytes, io::CifarKind::kCifar100, "hundred"); });
}
