#pragma once
/// @file
/// A node of several ranks inside one process: each rank a thread, memory and agreement shared.

#include <atomic>
#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "core/node_memory.hpp"

namespace invaria::data::test {

class FakeNode {
 public:
  explicit FakeNode(int size) : size_(size), barrier_(size), allocations_(static_cast<size_t>(size)) {}

  /// Run `body(memory of rank r)` on one thread a rank. What a rank threw is at its place in the result, nullptr if
  /// nothing.
  std::vector<std::exception_ptr> run(const std::function<void(const NodeMemory&)>& body) {
    std::vector<std::exception_ptr> failures(static_cast<size_t>(size_));
    {
      std::vector<std::jthread> ranks;
      for (int rank = 0; rank < size_; ++rank) {
        ranks.emplace_back([&, rank] {
          try {
            body(memory(rank));
          } catch (...) {
            failures[static_cast<size_t>(rank)] = std::current_exception();
          }
        });
      }
    }
    return failures;
  }

 private:
  NodeMemory memory(int rank) {
    NodeMemory node;
    node.rank = rank;
    node.size = size_;
    node.barrier = [this] { barrier_.arrive_and_wait(); };
    node.any = [this](bool mine) {
      if (mine) any_ = true;
      barrier_.arrive_and_wait();
      const bool result = any_;
      barrier_.arrive_and_wait();
      any_ = false;
      barrier_.arrive_and_wait();
      return result;
    };
    node.allocate = [this, rank](size_t bytes) {
      const size_t number = allocations_[static_cast<size_t>(rank)]++;
      const std::lock_guard lock(mutex_);
      auto& memory = memories_[number];
      if (!memory) {
        memory.reset(new std::byte[bytes + 1], std::default_delete<std::byte[]>());
        std::memset(memory.get(), 0, bytes);
      }
      return memory;
    };
    return node;
  }

  int size_;
  std::barrier<> barrier_;
  std::atomic<bool> any_{false};
  std::vector<size_t> allocations_;  ///< so far, by rank
  std::mutex mutex_;
  std::map<size_t, std::shared_ptr<std::byte>> memories_;
};

/// The message of an exception, or "" for nullptr.
inline std::string message_of(const std::exception_ptr& failure) {
  if (!failure) return "";
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace invaria::data::test
