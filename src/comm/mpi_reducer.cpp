#include <ATen/ATen.h>

#include <future>
#include <memory>
#include <vector>

#include "comm/gradient_reducer.hpp"
#include "core/errors.hpp"
#include "core/worker_thread.hpp"

namespace invaria::comm {

namespace {

using Bucket = std::vector<std::span<float>>;

class MpiReducer final : public GradientReducer {
 public:
  /// @param communicator  a duplicate of our own: the training thread sums on the original meanwhile (BatchNorm
  /// statistics)
  MpiReducer(Communicator communicator, int64_t bucket_bytes, bool threaded)
      : communicator_(std::move(communicator)), bucket_bytes_(bucket_bytes) {
    if (threaded) thread_ = std::make_unique<WorkerThread>();
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
    for (std::future<void>& bucket : travelling_) bucket.get();
    travelling_.clear();
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
      travelling_.push_back(
          thread_->submit([this, bucket = std::move(bucket_)] { communicator_.all_reduce_mean(bucket); }));
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
  std::vector<std::future<void>> travelling_;
  std::unique_ptr<WorkerThread> thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<GradientReducer> make_mpi_reducer(const Communicator& communicator, int64_t bucket_bytes,
                                                  Overlap overlap) {
  require(bucket_bytes >= 1, "bucket_bytes is {}, at least 1 is needed", bucket_bytes);
  // Ranks may choose differently: the sums are the same, in the same order.
  return std::make_unique<MpiReducer>(communicator.duplicate(), bucket_bytes, uses_thread(overlap, communicator));
}

}  // namespace invaria::comm
