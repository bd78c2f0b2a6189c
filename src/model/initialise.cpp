#include "model/initialise.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::model {
namespace {

constexpr int64_t kBlock = 4096;  // numbers at one address; even, for pairs

/// fill(draws, first, n) for each block of the tensor, over threads.
template <class Fill>
void fill_blocks(const at::Tensor& values, const InitAddress& address, const Fill& fill) {
  require(values.is_cpu() && values.is_contiguous() && values.scalar_type() == at::kFloat,
          "initialise: expected a contiguous float tensor on the CPU");
  float* data = values.mutable_data_ptr<float>();
  const int64_t n = values.numel();
  at::parallel_for(0, (n + kBlock - 1) / kBlock, 4, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      Draws draws({.seed = address.seed,
                   .purpose = Purpose::kInit,
                   .epoch = static_cast<uint64_t>(block),
                   .sample = address.index,
                   .view = static_cast<uint32_t>(address.family)});
      fill(draws, data + block * kBlock, std::min(kBlock, n - block * kBlock));
    }
  });
}

/// Two normals of two words (Box-Muller, both halves): half the draws of Draws::normal, and float suffices for weights.
struct NormalPair {
  float first;
  float second;
};

NormalPair normal_pair(Draws& draws) {
  const float radius_u = (static_cast<float>(draws.next_u32()) + 1.0f) * 0x1p-32f;  // in (0, 1]
  const float angle = static_cast<float>(draws.next_u32() >> 8) * (2.0f * std::numbers::pi_v<float> * 0x1p-24f);
  const float radius = std::sqrt(-2.0f * std::log(radius_u));
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

void fill_normal(const at::Tensor& values, double standard_deviation, const InitAddress& address) {
  const float scale = static_cast<float>(standard_deviation);
  fill_blocks(values, address, [scale](Draws& draws, float* out, int64_t n) {
    for (int64_t i = 0; i < n; i += 2) {
      const NormalPair pair = normal_pair(draws);
      out[i] = scale * pair.first;
      if (i + 1 < n) out[i + 1] = scale * pair.second;
    }
  });
}

void fill_uniform(const at::Tensor& values, double low, double high, const InitAddress& address) {
  fill_blocks(values, address, [low, high](Draws& draws, float* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(draws.uniform(low, high));
  });
}

}  // namespace invaria::model
