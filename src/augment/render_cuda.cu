// Views on CUDA: one block a view, by the body that the host runs too.
#include <cuda_runtime.h>

#include <string>

#include "augment/view_program.hpp"
#include "core/errors.hpp"

namespace invaria::augment {

namespace {

constexpr int kThreads = 256;

struct CudaBlock {
  double* sums;  ///< [kThreads], shared

  __device__ int32_t thread() const { return static_cast<int32_t>(threadIdx.x); }
  __device__ int32_t threads() const { return kThreads; }
  __device__ void sync() const { __syncthreads(); }
  /// Added as a tree: the order is fixed.
  __device__ double sum(double mine) const {
    __syncthreads();
    sums[threadIdx.x] = mine;
    for (unsigned half = kThreads / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
  }
};

__global__ void __launch_bounds__(kThreads)
    render_kernel(const ViewProgram* programs, int64_t n_views, const RenderShape shape, const uint8_t* pictures,
                  const float* weights, float* spare, float* out) {
  __shared__ double sums[kThreads];
  extern __shared__ AxisPlace places[];  // [2 S]
  const int64_t values = int64_t{3} * shape.view_size * shape.view_size;
  const int64_t picture_bytes = int64_t{3} * shape.height * shape.width;
  for (int64_t view = blockIdx.x; view < n_views; view += gridDim.x) {
    const ViewProgram program = programs[view];
    render_block(CudaBlock{sums}, program, shape, pictures + program.picture * picture_bytes, weights, places,
                 spare + blockIdx.x * values, out + view * values);
  }
}

}  // namespace

void render_cuda(const ViewProgram* programs, int64_t n_views, const RenderShape& shape, const uint8_t* pictures,
                 const float* weights, float* spare, int64_t n_blocks, float* out, void* stream) {
  const size_t places = 2 * static_cast<size_t>(shape.view_size) * sizeof(AxisPlace);
  render_kernel<<<static_cast<unsigned>(n_blocks), kThreads, places, static_cast<cudaStream_t>(stream)>>>(
      programs, n_views, shape, pictures, weights, spare, out);
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) throw EnvironmentError(std::string("views kernel: ") + cudaGetErrorString(code));
}

}  // namespace invaria::augment
