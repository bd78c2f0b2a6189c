// The CPU passes. Compiled without LibTorch and without errno from sqrt (see src/CMakeLists.txt), so that the loops
// vectorise; one clone per vector width, chosen when the program starts.
#include <algorithm>
#include <array>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "core/vector_clones.hpp"
#include "train/update_rules.hpp"

namespace invaria::train {
namespace {

template <class Rule>
inline __attribute__((always_inline)) void update_dense(const Rule& rule, const UpdateOperands& operands, int64_t begin,
                                                        int64_t end) {
  float* __restrict weight = operands.weight;
  float* __restrict moment_1 = operands.moment_1;
  float* __restrict moment_2 = operands.moment_2;
  const float* __restrict gradient = operands.gradient;
  for (int64_t index = begin; index < end; ++index) {
    if constexpr (Rule::kHasMoment2) {
      rule(weight[index], gradient[index], moment_1[index], moment_2[index]);
    } else {
      float none = 0.0F;
      rule(weight[index], gradient[index], moment_1[index], none);
    }
  }
}

template <class Rule>
inline __attribute__((always_inline)) void update_row(const Rule& rule, float gradient, const float* __restrict hidden,
                                                      float* __restrict weight, float* __restrict moment_1,
                                                      float* __restrict moment_2, int64_t columns) {
  for (int64_t column = 0; column < columns; ++column) {
    if constexpr (Rule::kHasMoment2) {
      rule(weight[column], gradient * hidden[column], moment_1[column], moment_2[column]);
    } else {
      float none = 0.0F;
      rule(weight[column], gradient * hidden[column], moment_1[column], none);
    }
  }
}

// The hypernetwork's width, known to the compiler: a row is then a handful of vector instructions without a loop.
constexpr int64_t kUsualColumns = 32;

template <class Rule>
inline __attribute__((always_inline)) void update_rows(const Rule& rule, const UpdateOperands& operands, int64_t begin,
                                                       int64_t end) {
  if (operands.hidden == nullptr) {
    update_dense(rule, operands, begin, end);
    return;
  }
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = row * operands.columns;
    float* moment_2 = Rule::kHasMoment2 ? operands.moment_2 + first : nullptr;
    if (operands.columns == kUsualColumns) {
      update_row(rule, operands.gradient[row], operands.hidden, operands.weight + first, operands.moment_1 + first,
                 moment_2, kUsualColumns);
    } else {
      update_row(rule, operands.gradient[row], operands.hidden, operands.weight + first, operands.moment_1 + first,
                 moment_2, operands.columns);
    }
  }
}

inline __attribute__((always_inline)) void move_averages(float* __restrict average, const float* __restrict weight,
                                                         float rate, int64_t count) {
  for (int64_t index = 0; index < count; ++index) move_average(average[index], weight[index], rate);
}

}  // namespace

INVARIA_CLONES double squared_norm(const float* values, int64_t count) {
  constexpr int64_t kLanes = 16;
  std::array<double, kLanes> sums{};
  const int64_t whole = count - count % kLanes;
  for (int64_t index = 0; index < whole; index += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[index + lane];
      sums[lane] += value * value;
    }
  }
  for (int64_t index = whole; index < count; ++index) {
    const double value = values[index];
    sums[index - whole] += value * value;
  }
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  return sum;
}

namespace {

INVARIA_CLONES void update_chunk_in_this_mode(const UpdateRule& rule, const UpdateOperands& operands, int64_t chunk) {
  const int64_t begin = chunk * operands.chunk_rows();
  const int64_t end = std::min(operands.rows, begin + operands.chunk_rows());
  if (const auto* sgd = std::get_if<SgdRule>(&rule)) update_rows(SgdRule(*sgd), operands, begin, end);
  if (const auto* lars = std::get_if<LarsRule>(&rule)) update_rows(LarsRule(*lars), operands, begin, end);
  if (const auto* adam = std::get_if<AdamRule>(&rule)) update_rows(AdamRule(*adam), operands, begin, end);
  // From here on the chunk is still in the cache.
  const int64_t first = begin * operands.columns;
  const int64_t count = (end - begin) * operands.columns;
  if (operands.average != nullptr)
    move_averages(operands.average + first, operands.weight + first, operands.average_rate, count);
  if (operands.squared_norms != nullptr) operands.squared_norms[chunk] = squared_norm(operands.weight + first, count);
}

// Subnormal numbers count as zero while this lives. The moments of a hidden unit that stays off decay into them and
// never leave: 0.9 of the smallest rounds to itself. Each operation on one traps into microcode: a step took twenty
// times as long.
class FlushSubnormals {
 public:
#if defined(__x86_64__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kSubnormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
#else
  FlushSubnormals() = default;
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kSubnormalsAreZero = 0x0040;
  unsigned before_;
#endif
};

}  // namespace

void update_chunk(const UpdateRule& rule, const UpdateOperands& operands, int64_t chunk) {
  const FlushSubnormals flush;
  update_chunk_in_this_mode(rule, operands, chunk);
}

}  // namespace invaria::train
