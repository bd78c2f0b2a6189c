#include "core/machine_refusal.hpp"

#include <fmt/format.h>

#include <new>
#include <string_view>
#include <system_error>

namespace invaria {

std::string machine_refusal(const std::exception& error) {
  const std::string_view what = error.what();
  const std::string_view first_line = what.substr(0, what.find('\n'));
  // LibTorch has no type for a CPU that runs out of memory.
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr || what.find("can't allocate memory") != what.npos ||
      what.find("CUDA out of memory") != what.npos) {
    return fmt::format(
        "out of memory ({}); `invaria plan` says what a rank needs: start fewer ranks on a node, lower "
        "pretraining.global_batch, or raise the limit (ulimit -v, the batch system's)",
        first_line);
  }
  if (dynamic_cast<const std::system_error*>(&error) != nullptr)
    return fmt::format("the system refuses: {}", first_line);
  return "";
}

}  // namespace invaria
