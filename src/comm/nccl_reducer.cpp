/// @file
/// The only file that knows NCCL.

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>
#include <vector>

#include "comm/gradient_reducer.hpp"
#include "comm/mpi_check.hpp"
#include "core/errors.hpp"

namespace invaria::comm {

namespace {

void check_nccl(ncclResult_t code, const char* call) {
  if (code == ncclSuccess) return;
  const char* detail = ncclGetLastError(nullptr);
  throw_environment("{} failed with code {} ({}{}{}) on {}", call, static_cast<int>(code), ncclGetErrorString(code),
                    detail != nullptr && *detail != '\0' ? "; " : "", detail != nullptr ? detail : "", process_name());
}

void check_cuda(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  throw_environment("{} failed with code {} ({}) on {}", call, static_cast<int>(code), cudaGetErrorString(code),
                    process_name());
}

struct NcclTraits {
  using Type = ncclComm_t;
  static Type invalid() { return nullptr; }
  // Destroying waits for the other ranks' kernels; aborting does not.
  static void close(Type comm) noexcept { may_free_together() ? ncclCommDestroy(comm) : ncclCommAbort(comm); }
};
struct StreamTraits {
  using Type = cudaStream_t;
  static Type invalid() { return nullptr; }
  static void close(Type stream) noexcept { cudaStreamDestroy(stream); }
};
struct EventTraits {
  using Type = cudaEvent_t;
  static Type invalid() { return nullptr; }
  static void close(Type event) noexcept { cudaEventDestroy(event); }
};

int count_gpus() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // no driver or no device is an answer, not an error to keep
  return 0;
}

/// Collective: a code that some rank got is an error on all ranks, so that none waits for one that left.
void agree_nccl(const Communicator& communicator, ncclResult_t code, const char* call) {
  const bool failed = communicator.any(code != ncclSuccess);
  check_nccl(code, call);
  if (failed) throw_environment("{} failed on another rank, seen on {}", call, process_name());
}

class NcclReducer final : public GradientReducer {
 public:
  NcclReducer(const Communicator& communicator, int64_t bucket_bytes)
      : communicator_(communicator), bucket_bytes_(bucket_bytes) {
    check_cuda(cudaGetDevice(&device_), "cudaGetDevice");
    cudaStream_t stream = nullptr;
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    stream_ = UniqueHandle<StreamTraits>(stream);
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    event_ = UniqueHandle<EventTraits>(event);

    ncclUniqueId id{};
    agree_nccl(communicator, communicator.is_root() ? ncclGetUniqueId(&id) : ncclSuccess, "ncclGetUniqueId");
    communicator.broadcast(std::as_writable_bytes(std::span(&id, 1)));
    ncclComm_t comm = nullptr;
    const ncclResult_t code = ncclCommInitRank(&comm, communicator.size(), id, communicator.rank());
    if (code == ncclSuccess) comm_ = UniqueHandle<NcclTraits>(comm);
    agree_nccl(communicator, code, "ncclCommInitRank");
  }

  void add(const at::Tensor& gradient) override {
    require(gradient.scalar_type() == at::kFloat && gradient.is_contiguous(),
            "a gradient to reduce must be float and contiguous");
    require(gradient.is_cuda() && gradient.get_device() == device_,
            "a gradient to reduce over NCCL must be on CUDA device {}", device_);
    bucket_.push_back(gradient.detach());
    bucket_filled_bytes_ += static_cast<int64_t>(gradient.nbytes());
    if (bucket_filled_bytes_ >= bucket_bytes_) reduce_bucket();
  }

  void finish() override {
    reduce_bucket();
    follow(stream_.get(), at::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)));
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(comm_.get(), &state), "ncclCommGetAsyncError");
    check_nccl(state, "ncclAllReduce");
    // Freed only now: the caller's stream waits for the reduction, so the allocator may hand this memory on.
    in_flight_.clear();
  }

 private:
  /// Work put on `second` from now on waits for the work now on `first`.
  void follow(cudaStream_t first, cudaStream_t second) {
    check_cuda(cudaEventRecord(event_.get(), first), "cudaEventRecord");
    check_cuda(cudaStreamWaitEvent(second, event_.get(), 0), "cudaStreamWaitEvent");
  }

  /// One group call: NCCL fuses the bucket's small tensors into few kernels, without copying them together.
  void reduce_bucket() {
    if (bucket_.empty()) return;
    follow(at::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)), stream_.get());
    check_nccl(ncclGroupStart(), "ncclGroupStart");
    for (const at::Tensor& gradient : bucket_) {
      float* const values = gradient.data_ptr<float>();
      check_nccl(ncclAllReduce(values, values, static_cast<size_t>(gradient.numel()), ncclFloat, ncclAvg, comm_.get(),
                               stream_.get()),
                 "ncclAllReduce");
    }
    check_nccl(ncclGroupEnd(), "ncclGroupEnd");
    communicator_.count_reduced(bucket_filled_bytes_);
    in_flight_.insert(in_flight_.end(), bucket_.begin(), bucket_.end());
    bucket_.clear();
    bucket_filled_bytes_ = 0;
  }

  Communicator communicator_;
  int64_t bucket_bytes_;
  int device_ = 0;
  std::vector<at::Tensor> bucket_;
  std::vector<at::Tensor> in_flight_;
  int64_t bucket_filled_bytes_ = 0;
  UniqueHandle<StreamTraits> stream_;
  UniqueHandle<EventTraits> event_;
  UniqueHandle<NcclTraits> comm_;  // last, so destroyed first: it uses the stream
};

}  // namespace

std::unique_ptr<GradientReducer> make_nccl_reducer(const Communicator& communicator, int64_t bucket_bytes) {
  require(bucket_bytes >= 1, "bucket_bytes is {}, at least 1 is needed", bucket_bytes);
  const int gpus = count_gpus();
  if (communicator.any(gpus == 0)) {
    throw_environment("NCCL needs a GPU on every rank; {} sees {}. Use the MPI reducer (--device cpu)", process_name(),
                      gpus);
  }
  return std::make_unique<NcclReducer>(communicator, bucket_bytes);
}

}  // namespace invaria::comm
