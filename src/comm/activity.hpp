#pragma once
/// @file
/// What a rank waits for in comm, seen by its watchdog: marks that collectives set and take away. For comm's own
/// sources.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace invaria::comm {

/// The collective of one communicator, which one thread at a time is in.
struct WaitingPlace {
  std::atomic<const char*> call{nullptr};  ///< a literal; null: in none
  std::atomic<const char*> left{nullptr};  ///< the last one
  std::atomic<int64_t> since_ns{0};        ///< on the steady clock
};

/// What a communicator and its duplicates share: their places, and what they moved.
class Activity {
 public:
  std::shared_ptr<WaitingPlace> add_place() {
    auto place = std::make_shared<WaitingPlace>();
    const std::lock_guard lock(mutex_);
    std::erase_if(places_, [](const auto& each) { return each.expired(); });
    places_.push_back(place);
    return place;
  }

  std::vector<std::shared_ptr<WaitingPlace>> places() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<WaitingPlace>> found;
    for (const auto& each : places_) {
      if (auto place = each.lock()) found.push_back(std::move(place));
    }
    return found;
  }

  std::atomic<int64_t> bytes_reduced{0};
  std::atomic<int> patience{0};  ///< > 0: long waits are as they should be

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<WaitingPlace>> places_;
};

inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Marks a collective from its begin to its end. Of one within another the outer counts.
class InCollective {
 public:
  /// @param call  a literal: what the user is told
  InCollective(WaitingPlace& place, const char* call) : place_(place.call == nullptr ? &place : nullptr) {
    if (place_ == nullptr) return;
    place_->since_ns = now_ns();
    place_->call = call;
  }
  ~InCollective() {
    if (place_ == nullptr) return;
    place_->left = place_->call.load();
    place_->call = nullptr;
  }
  InCollective(const InCollective&) = delete;
  InCollective& operator=(const InCollective&) = delete;

 private:
  WaitingPlace* place_;
};

}  // namespace invaria::comm
