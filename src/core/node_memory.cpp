#include "core/node_memory.hpp"

#include <cstdlib>

namespace invaria {

NodeMemory NodeMemory::private_memory() {
  NodeMemory memory;
  memory.allocate = [](size_t bytes) {
    auto* raw = static_cast<std::byte*>(std::calloc(bytes > 0 ? bytes : 1, 1));
    if (raw == nullptr) throw std::bad_alloc();
    return std::shared_ptr<std::byte>(raw, [](std::byte* pointer) { std::free(pointer); });
  };
  memory.barrier = [] {};
  memory.any = [](bool mine) { return mine; };
  return memory;
}

}  // namespace invaria
