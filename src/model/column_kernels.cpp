#include "model/column_kernels.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/vector_clones.hpp"

namespace invaria::model {
namespace {

constexpr int64_t kChunkBytes = 32 << 10;  // of x: what is read twice stays in the first-level cache
constexpr int64_t kWideColumns = 128;      // enough independent sums to hide the latency of an addition

// c10::BFloat16's own conversions would not be inlined into the clones.
INVARIA_INLINE float widen(float value) {
  return value;
}
INVARIA_INLINE double widen(double value) {
  return value;
}
INVARIA_INLINE float widen(c10::BFloat16 value) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(value.x) << 16);
}

/// To nearest, ties to even; a NaN stays one.
template <class T>
INVARIA_INLINE T narrow(at::opmath_type<T> value) {
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    const auto bits = __builtin_bit_cast(uint32_t, value);
    const auto rounded = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    constexpr uint16_t kNan = 0x7FC0;
    return __builtin_bit_cast(c10::BFloat16, value != value ? kNan : rounded);
  } else {
    return value;
  }
}

/// The matrix with `copies` neighbouring rows joined to one, so that narrow matrices (16 channels) fill vector
/// registers too.
struct Folded {
  int64_t copies = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t chunk_rows = 0;
  int64_t n_chunks = 0;

  Folded(MatrixSize size, size_t element_bytes) : rows(size.rows), columns(size.columns) {
    while (columns < kWideColumns && rows % 2 == 0 && rows > 0) {
      rows /= 2;
      columns *= 2;
      copies *= 2;
    }
    chunk_rows = std::max<int64_t>(1, kChunkBytes / (columns * static_cast<int64_t>(element_bytes)));
    n_chunks = (rows + chunk_rows - 1) / chunk_rows;
  }

  /// A coefficient per column, repeated for the joined rows.
  template <class T>
  std::vector<T> repeat(const T* coefficients) const {
    std::vector<T> repeated(static_cast<size_t>(columns));
    const int64_t width = columns / copies;
    for (int64_t column = 0; column < columns; ++column) {
      repeated[static_cast<size_t>(column)] = coefficients[column % width];
    }
    return repeated;
  }

  /// body(chunk, its rows, the offset of its first element), over threads.
  template <class Body>
  void for_each_chunk(const Body& body) const {
    at::parallel_for(0, n_chunks, 4, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk * chunk_rows;
        body(chunk, std::min(chunk_rows, rows - first), first * columns);
      }
    });
  }
};

template <class T>
INVARIA_INLINE void add_rows_impl(const T* __restrict x, int64_t rows, int64_t columns,
                                  at::opmath_type<T>* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) sum[column] += widen(x[column]);
  }
}

template <class T>
INVARIA_INLINE void add_squares_impl(const T* __restrict x, const at::opmath_type<T>* __restrict mean, int64_t rows,
                                     int64_t columns, at::opmath_type<T>* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) {
      const auto deviation = widen(x[column]) - mean[column];
      sum[column] += deviation * deviation;
    }
  }
}

template <bool kRelu, bool kResidual, class T>
INVARIA_INLINE void affine_loop(const AffineForward<T>& p) {
  const T* x = p.x;  // y may be x, so no __restrict: elements of a row do not depend on each other all the same
  const T* residual = p.residual;
  const at::opmath_type<T>* __restrict scale = p.scale;
  const at::opmath_type<T>* __restrict shift = p.shift;
  T* y = p.y;
  const int64_t columns = p.size.columns;
  for (int64_t row = 0; row < p.size.rows; ++row) {
    const int64_t offset = row * columns;
#pragma GCC ivdep
    for (int64_t column = 0; column < columns; ++column) {
      auto value = widen(x[offset + column]) * scale[column] + shift[column];
      if constexpr (kResidual) value += widen(residual[offset + column]);
      if constexpr (kRelu) value = value < 0 ? 0 : value;  // this way round a NaN stays one
      y[offset + column] = narrow<T>(value);
    }
  }
}

template <class T>
INVARIA_INLINE void affine_impl(const AffineForward<T>& p) {
  if (p.relu && p.residual != nullptr) {
    affine_loop<true, true>(p);
  } else if (p.relu) {
    affine_loop<true, false>(p);
  } else if (p.residual != nullptr) {
    affine_loop<false, true>(p);
  } else {
    affine_loop<false, false>(p);
  }
}

template <bool kRelu, class T>
INVARIA_INLINE at::opmath_type<T> incoming(const T* dy, const T* y, int64_t index) {
  if constexpr (kRelu) {
    return widen(y[index]) > 0 ? widen(dy[index]) : 0;
  } else {
    return widen(dy[index]);
  }
}

/// Pointers of one chunk of a pass for gradient sums.
template <class T>
struct SumRows {
  const T* dy;
  const T* y;
  const T* x;
  const at::opmath_type<T>* mean;
  at::opmath_type<T>* sum_g;
  at::opmath_type<T>* sum_g_deviation;
  int64_t rows;
  int64_t columns;
};

template <bool kRelu, class T>
INVARIA_INLINE void gradient_sums_loop(const SumRows<T>& p) {
  const T* __restrict dy = p.dy;
  const T* __restrict y = p.y;
  const T* __restrict x = p.x;
  const at::opmath_type<T>* __restrict mean = p.mean;
  at::opmath_type<T>* __restrict sum_g = p.sum_g;
  at::opmath_type<T>* __restrict sum_g_deviation = p.sum_g_deviation;
  for (int64_t row = 0; row < p.rows; ++row) {
    const int64_t offset = row * p.columns;
    for (int64_t column = 0; column < p.columns; ++column) {
      const auto g = incoming<kRelu>(dy, y, offset + column);
      sum_g[column] += g;
      sum_g_deviation[column] += g * (widen(x[offset + column]) - mean[column]);
    }
  }
}

template <class T>
INVARIA_INLINE void gradient_sums_impl(const SumRows<T>& p) {
  if (p.y != nullptr) {
    gradient_sums_loop<true>(p);
  } else {
    gradient_sums_loop<false>(p);
  }
}

template <bool kRelu, bool kStatistics, bool kResidual, class T>
INVARIA_INLINE void backward_loop(const AffineBackward<T>& p) {
  const T* __restrict dy = p.gradient.dy;
  const T* __restrict y = p.gradient.y;
  const T* __restrict x = p.x;
  const at::opmath_type<T>* __restrict mean = p.mean;
  const at::opmath_type<T>* __restrict a = p.a;
  const at::opmath_type<T>* __restrict b = p.b;
  const at::opmath_type<T>* __restrict c = p.c;
  T* __restrict dx = p.dx;
  T* __restrict dresidual = p.dresidual;
  const int64_t columns = p.size.columns;
  for (int64_t row = 0; row < p.size.rows; ++row) {
    const int64_t offset = row * columns;
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t index = offset + column;
      const auto g = incoming<kRelu>(dy, y, index);
      auto gradient = a[column] * g;
      if constexpr (kStatistics) gradient += b[column] * (widen(x[index]) - mean[column]) + c[column];
      dx[index] = narrow<T>(gradient);
      if constexpr (kResidual) dresidual[index] = narrow<T>(g);
    }
  }
}

template <class T>
INVARIA_INLINE void backward_impl(const AffineBackward<T>& p) {
  const int variant = (p.gradient.y != nullptr ? 4 : 0) + (p.x != nullptr ? 2 : 0) + (p.dresidual != nullptr ? 1 : 0);
  switch (variant) {
    case 0:
      return backward_loop<false, false, false>(p);
    case 1:
      return backward_loop<false, false, true>(p);
    case 2:
      return backward_loop<false, true, false>(p);
    case 3:
      return backward_loop<false, true, true>(p);
    case 4:
      return backward_loop<true, false, false>(p);
    case 5:
      return backward_loop<true, false, true>(p);
    case 6:
      return backward_loop<true, true, false>(p);
    default:
      return backward_loop<true, true, true>(p);
  }
}

INVARIA_CLONES void add_rows(const float* x, int64_t rows, int64_t columns, float* sum) {
  add_rows_impl(x, rows, columns, sum);
}
INVARIA_CLONES void add_rows(const c10::BFloat16* x, int64_t rows, int64_t columns, float* sum) {
  add_rows_impl(x, rows, columns, sum);
}
void add_rows(const double* x, int64_t rows, int64_t columns, double* sum) {
  add_rows_impl(x, rows, columns, sum);
}

INVARIA_CLONES void add_squares(const float* x, const float* mean, int64_t rows, int64_t columns, float* sum) {
  add_squares_impl(x, mean, rows, columns, sum);
}
INVARIA_CLONES void add_squares(const c10::BFloat16* x, const float* mean, int64_t rows, int64_t columns, float* sum) {
  add_squares_impl(x, mean, rows, columns, sum);
}
void add_squares(const double* x, const double* mean, int64_t rows, int64_t columns, double* sum) {
  add_squares_impl(x, mean, rows, columns, sum);
}

INVARIA_CLONES void affine_rows(const AffineForward<float>& p) {
  affine_impl(p);
}
INVARIA_CLONES void affine_rows(const AffineForward<c10::BFloat16>& p) {
  affine_impl(p);
}
void affine_rows(const AffineForward<double>& p) {
  affine_impl(p);
}

INVARIA_CLONES void gradient_sums_rows(const SumRows<float>& p) {
  gradient_sums_impl(p);
}
INVARIA_CLONES void gradient_sums_rows(const SumRows<c10::BFloat16>& p) {
  gradient_sums_impl(p);
}
void gradient_sums_rows(const SumRows<double>& p) {
  gradient_sums_impl(p);
}

INVARIA_CLONES void backward_rows(const AffineBackward<float>& p) {
  backward_impl(p);
}
INVARIA_CLONES void backward_rows(const AffineBackward<c10::BFloat16>& p) {
  backward_impl(p);
}
void backward_rows(const AffineBackward<double>& p) {
  backward_impl(p);
}

template <class T>
T* shifted(T* pointer, int64_t offset) {
  return pointer != nullptr ? pointer + offset : nullptr;
}

}  // namespace

template <class T>
void column_moments(MatrixSize size, const T* x, double* mean, double* squared_deviations) {
  const Folded folded(size, sizeof(T));
  const auto width = static_cast<size_t>(folded.columns);
  using Sum = at::opmath_type<T>;
  std::vector<Sum> chunk_mean(static_cast<size_t>(folded.n_chunks) * width, Sum{0});
  std::vector<Sum> chunk_squares(chunk_mean.size(), Sum{0});
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    Sum* sum = chunk_mean.data() + static_cast<size_t>(chunk) * width;
    add_rows(x + offset, rows, folded.columns, sum);
    for (size_t column = 0; column < width; ++column) sum[column] /= static_cast<Sum>(rows);
    add_squares(x + offset, sum, rows, folded.columns, chunk_squares.data() + static_cast<size_t>(chunk) * width);
  });

  std::fill(mean, mean + size.columns, 0.0);
  std::fill(squared_deviations, squared_deviations + size.columns, 0.0);
  double counted = 0.0;
  const Sum* means = chunk_mean.data();
  const Sum* squares = chunk_squares.data();
  for (int64_t chunk = 0; chunk < folded.n_chunks; ++chunk) {
    const double rows = static_cast<double>(std::min(folded.chunk_rows, folded.rows - chunk * folded.chunk_rows));
    for (int64_t copy = 0; copy < folded.copies; ++copy, counted += rows) {
      const double share = rows / (counted + rows);
      for (int64_t column = 0; column < size.columns; ++column, ++means, ++squares) {
        const double delta = static_cast<double>(*means) - mean[column];
        mean[column] += delta * share;
        squared_deviations[column] += static_cast<double>(*squares) + delta * delta * counted * share;
      }
    }
  }
}

template <class T>
void column_affine(const AffineForward<T>& pass) {
  const Folded folded(pass.size, sizeof(T));
  const auto scale = folded.repeat(pass.scale);
  const auto shift = folded.repeat(pass.shift);
  folded.for_each_chunk([&](int64_t, int64_t rows, int64_t offset) {
    AffineForward<T> part = pass;
    part.size = {rows, folded.columns};
    part.x += offset;
    part.residual = shifted(pass.residual, offset);
    part.scale = scale.data();
    part.shift = shift.data();
    part.y += offset;
    affine_rows(part);
  });
}

template <class T>
void column_gradient_sums(MatrixSize size, IncomingGradient<T> gradient, const T* x, const at::opmath_type<T>* mean,
                          double* sum_g, double* sum_g_deviation) {
  using Sum = at::opmath_type<T>;
  const Folded folded(size, sizeof(T));
  const auto width = static_cast<size_t>(folded.columns);
  const std::vector<Sum> means = folded.repeat(mean);
  std::vector<Sum> chunk_sums(static_cast<size_t>(folded.n_chunks) * 2 * width, Sum{0});
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    Sum* sums = chunk_sums.data() + static_cast<size_t>(chunk) * 2 * width;
    gradient_sums_rows(SumRows<T>{gradient.dy + offset, shifted(gradient.y, offset), x + offset, means.data(), sums,
                                  sums + width, rows, folded.columns});
  });
  std::fill(sum_g, sum_g + size.columns, 0.0);
  std::fill(sum_g_deviation, sum_g_deviation + size.columns, 0.0);
  const Sum* sums = chunk_sums.data();
  for (int64_t chunk = 0; chunk < folded.n_chunks; ++chunk) {
    for (double* total : {sum_g, sum_g_deviation}) {
      for (int64_t copy = 0; copy < folded.copies; ++copy) {
        for (int64_t column = 0; column < size.columns; ++column, ++sums) total[column] += static_cast<double>(*sums);
      }
    }
  }
}

template <class T>
void column_affine_backward(const AffineBackward<T>& pass) {
  const Folded folded(pass.size, sizeof(T));
  using Coefficients = std::vector<at::opmath_type<T>>;
  const bool has_statistics = pass.x != nullptr;
  const Coefficients a = folded.repeat(pass.a);
  const Coefficients b = has_statistics ? folded.repeat(pass.b) : Coefficients();
  const Coefficients c = has_statistics ? folded.repeat(pass.c) : Coefficients();
  const Coefficients mean = has_statistics ? folded.repeat(pass.mean) : Coefficients();
  folded.for_each_chunk([&](int64_t, int64_t rows, int64_t offset) {
    backward_rows(AffineBackward<T>{.size = {rows, folded.columns},
                                    .gradient = {pass.gradient.dy + offset, shifted(pass.gradient.y, offset)},
                                    .x = shifted(pass.x, offset),
                                    .mean = mean.data(),
                                    .a = a.data(),
                                    .b = b.data(),
                                    .c = c.data(),
                                    .dx = pass.dx + offset,
                                    .dresidual = shifted(pass.dresidual, offset)});
  });
}

#define INVARIA_FOR_ELEMENTS(T)                                                                                     \
  template void column_moments(MatrixSize, const T*, double*, double*);                                             \
  template void column_affine(const AffineForward<T>&);                                                             \
  template void column_gradient_sums(MatrixSize, IncomingGradient<T>, const T*, const at::opmath_type<T>*, double*, \
                                     double*);                                                                      \
  template void column_affine_backward(const AffineBackward<T>&)
INVARIA_FOR_ELEMENTS(float);
INVARIA_FOR_ELEMENTS(double);
INVARIA_FOR_ELEMENTS(c10::BFloat16);
#undef INVARIA_FOR_ELEMENTS

}  // namespace invaria::model
