#include "data/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/other_failed.hpp"

namespace invaria::data {

void parallel_for(int64_t n, int threads, const std::function<void(int64_t)>& body) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  int64_t failed_at = n;
  const auto work = [&] {
    for (int64_t i = next++; i < n; i = next++) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
        next = n;
      }
    }
  };
  const auto helpers = std::clamp<int64_t>(threads, 1, std::max<int64_t>(n, 1)) - 1;
  {
    std::vector<std::jthread> pool;
    for (int64_t i = 0; i < helpers; ++i) pool.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

void together(const NodeMemory& node, const char* what, const std::function<void()>& body) {
  std::exception_ptr failure;
  try {
    body();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!node.any(failure != nullptr)) return;
  if (failure) std::rethrow_exception(failure);
  throw OtherFailed(fmt::format("rank {} of this node: another rank of the node failed at {}; its message says why",
                                node.rank, what));
}

}  // namespace invaria::data
