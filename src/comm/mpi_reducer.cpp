#include <ATen/ATen.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "comm/gradient_reducer.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

using Bucket = std::vector<std::span<float>>;

/// Reduces buckets one after another on a thread of its own.
class BucketThread {
 public:
  explicit BucketThread(const Communicator& communicator) : communicator_(communicator), thread_([this] { work(); }) {}
  ~BucketThread() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void push(Bucket bucket) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push(std::move(bucket));
    }
    changed_.notify_all();
  }

  /// Until all pushed buckets are reduced. @throws what the reduction threw
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return error_ != nullptr || (waiting_.empty() && !busy_); });
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      const Bucket bucket = std::move(waiting_.front());
      waiting_.pop();
      busy_ = true;
      lock.unlock();
      std::exception_ptr error;
      try {
        communicator_.all_reduce_mean(bucket);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      busy_ = false;
      if (error != nullptr) error_ = error;
      changed_.notify_all();
    }
  }

  const Communicator& communicator_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<Bucket> waiting_;
  bool busy_ = false;
  bool stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // last: it uses the others
};

class MpiReducer final : public GradientReducer {
 public:
  /// @param communicator  a duplicate of our own: the training thread sums on the original meanwhile (BatchNorm
  /// statistics)
  MpiReducer(Communicator communicator, int64_t bucket_bytes, bool threaded)
      : communicator_(std::move(communicator)), bucket_bytes_(bucket_bytes) {
    if (threaded) thread_ = std::make_unique<BucketThread>(communicator_);
  }

  void add(const at::Tensor& gradient) override {
    require(gradient.scalar_type() == at::kFloat && gradient.is_contiguous(),
            "a gradient to reduce must be float and contiguous");
    const at::Tensor host = gradient.detach().to(at::kCPU);
    gradients_.push_back({gradient.detach(), host});
    bucket_.emplace_back(host.data_ptr<float>(), static_cast<size_t>(host.numel()));
    bucket_filled_bytes_ += static_cast<int64_t>(host.nbytes());
    if (bucket_filled_bytes_ >= bucket_bytes_) reduce_bucket();
  }

  void finish() override {
    reduce_bucket();
    if (thread_) thread_->wait();
    for (const auto& [tensor, host] : gradients_) {
      if (!tensor.is_cpu()) tensor.copy_(host);
    }
    gradients_.clear();
  }

 private:
  struct Gradient {
    at::Tensor tensor;
    at::Tensor host;  ///< `tensor` itself where it lives on the CPU
  };

  void reduce_bucket() {
    if (bucket_.empty()) return;
    if (thread_) {
      thread_->push(std::move(bucket_));
    } else {
      communicator_.all_reduce_mean(bucket_);
    }
    bucket_.clear();
    bucket_filled_bytes_ = 0;
  }

  Communicator communicator_;
  int64_t bucket_bytes_;
  std::vector<Gradient> gradients_;
  Bucket bucket_;
  int64_t bucket_filled_bytes_ = 0;
  std::unique_ptr<BucketThread> thread_;
};

}  // namespace

std::unique_ptr<GradientReducer> make_mpi_reducer(const Communicator& communicator, int64_t bucket_bytes,
                                                  Overlap overlap) {
  require(bucket_bytes >= 1, "bucket_bytes is {}, at least 1 is needed", bucket_bytes);
  // Ranks may choose differently: the sums are the same, in the same order.
  return std::make_unique<MpiReducer>(communicator.duplicate(), bucket_bytes, uses_thread(overlap, communicator));
}

}  // namespace invaria::comm
