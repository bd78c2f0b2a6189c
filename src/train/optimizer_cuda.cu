// The update on CUDA: one block a chunk, the same rules and the same chunks as on the CPU.
#include <cuda_runtime.h>

#include "core/errors.hpp"
#include "train/update_rules.hpp"

namespace invaria::train {
namespace {

constexpr int kThreads = 256;

template <class Rule>
__global__ void __launch_bounds__(kThreads) update_kernel(const Rule rule, const UpdateOperands operands) {
  const int64_t first_row = blockIdx.x * operands.chunk_rows();
  const int64_t rows = min(operands.chunk_rows(), operands.rows - first_row);
  const int64_t first = first_row * operands.columns;
  const int64_t count = rows * operands.columns;
  double squares = 0.0;
  for (int64_t offset = threadIdx.x; offset < count; offset += kThreads) {
    const int64_t index = first + offset;
    float gradient;
    if (operands.hidden == nullptr) {
      gradient = operands.gradient[index];
    } else {
      // 32-bit division: a chunk holds few numbers, or one long row.
      const auto row = static_cast<uint32_t>(offset) / static_cast<uint32_t>(operands.columns);
      gradient = operands.gradient[first_row + row] * operands.hidden[offset - int64_t{row} * operands.columns];
    }
    float weight = operands.weight[index];
    float moment_1 = operands.moment_1[index];
    float moment_2 = Rule::kHasMoment2 ? operands.moment_2[index] : 0.0F;
    rule(weight, gradient, moment_1, moment_2);
    operands.weight[index] = weight;
    operands.moment_1[index] = moment_1;
    if (Rule::kHasMoment2) operands.moment_2[index] = moment_2;
    if (operands.average != nullptr) move_average(operands.average[index], weight, operands.average_rate);
    squares += static_cast<double>(weight) * weight;
  }
  if (operands.squared_norms == nullptr) return;

  __shared__ double sums[kThreads];  // added as a tree: the order is fixed
  sums[threadIdx.x] = squares;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) operands.squared_norms[blockIdx.x] = sums[0];
}

}  // namespace

void update_cuda(const UpdateRule& rule, const UpdateOperands& operands, void* stream) {
  if (operands.rows == 0) return;
  std::visit(
      [&](const auto& chosen) {
        update_kernel<<<static_cast<unsigned>(operands.n_chunks()), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
            chosen, operands);
      },
      rule);
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) throw EnvironmentError(std::string("optimiser kernel: ") + cudaGetErrorString(code));
}

}  // namespace invaria::train
