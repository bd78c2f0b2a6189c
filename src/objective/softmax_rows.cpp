#include "objective/softmax_rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "core/vector_clones.hpp"

namespace invaria::objective {
namespace {

constexpr int64_t kLanes = 16;          // partial results: independent, so that they fit in vector registers
constexpr float kNoCandidate = -1e30F;  // less than any logit
constexpr float kLeast = -87.0F;        // exp of it is still a normal number

/// exp(x) of x in [-87, 0], to 2 units in the last place: 2^n exp(r) with |r| <= ln(2) / 2, Cephes' polynomial.
INVARIA_INLINE float exp_below_0(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number, in the low bits
  x = std::max(x, kLeast);
  const float rounded = x * 1.44269504F + kRound;
  const float n = rounded - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const uint32_t exponent = std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(kRound);
  return p * std::bit_cast<float>((exponent + 127U) << 23);  // of NaN, p is
}

}  // namespace

INVARIA_CLONES RowSoftmax exponentials(float* logits, int64_t n, int64_t self, int64_t positive) {
  RowSoftmax row;
  row.score = logits[positive];
  logits[self] = kNoCandidate;
  const int64_t whole = n / kLanes * kLanes;

  std::array<float, kLanes> greatest, not_below;
  greatest.fill(kNoCandidate);
  not_below.fill(0.0F);
  const float score = row.score;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float logit = logits[i + lane];
      greatest[lane] = std::max(greatest[lane], logit);
      not_below[lane] += logit >= score ? 1.0F : 0.0F;
    }
  }
  float most = kNoCandidate, count = 0.0F;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    most = std::max(most, greatest[lane]);
    count += not_below[lane];
  }
  for (int64_t i = whole; i < n; ++i) {
    most = std::max(most, logits[i]);
    count += logits[i] >= score ? 1.0F : 0.0F;
  }

  std::array<float, kLanes> partial{};
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = exp_below_0(logits[i + lane] - most);
      logits[i + lane] = value;
      partial[lane] += value;
    }
  }
  for (const float sum : partial) row.total += sum;
  for (int64_t i = whole; i < n; ++i) {
    logits[i] = exp_below_0(logits[i] - most);
    row.total += logits[i];
  }
  logits[self] = 0.0F;
  row.greatest = most;
  row.is_highest = count == 1.0F;
  return row;
}

}  // namespace invaria::objective
