#include "model/column_kernels.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/vector_clones.hpp"

namespace invaria::model {
namespace {

constexpr int64_t kChunkBytes = 32 << 10;  // of x: what is read twice stays in the first-level cache
constexpr int64_t kWideColumns = 128;      // enough independent sums to hide the latency of an addition

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
INVARIA_INLINE void add_rows_impl(const T* __restrict x, int64_t rows, int64_t columns, T* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) sum[column] += x[column];
  }
}

template <class T>
INVARIA_INLINE void add_squares_impl(const T* __restrict x, const T* __restrict mean, int64_t rows, int64_t columns,
                                     T* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) {
      const T deviation = x[column] - mean[column];
      sum[column] += deviation * deviation;
    }
  }
}

template <bool kRelu, bool kResidual, class T>
INVARIA_INLINE void affine_loop(const AffineForward<T>& p) {
  const T* x = p.x;  // y may be x, so no __restrict: elements of a row do not depend on each other all the same
  const T* residual = p.residual;
  const T* __restrict scale = p.scale;
  const T* __restrict shift = p.shift;
  T* y = p.y;
  const int64_t columns = p.size.columns;
  for (int64_t row = 0; row < p.size.rows; ++row) {
    const int64_t offset = row * columns;
#pragma GCC ivdep
    for (int64_t column = 0; column < columns; ++column) {
      T value = x[offset + column] * scale[column] + shift[column];
      if constexpr (kResidual) value += residual[offset + column];
      if constexpr (kRelu) value = value < 0 ? T{0} : value;  // this way round a NaN stays one
      y[offset + column] = value;
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
INVARIA_INLINE T incoming(const T* dy, const T* y, int64_t index) {
  if constexpr (kRelu) {
    return y[index] > 0 ? dy[index] : T{0};
  } else {
    return dy[index];
  }
}

/// Pointers of one chunk of a pass for gradient sums.
template <class T>
struct SumRows {
  const T* dy;
  const T* y;
  const T* x;
  const T* mean;
  T* sum_g;
  T* sum_g_deviation;
  int64_t rows;
  int64_t columns;
};

template <bool kRelu, class T>
INVARIA_INLINE void gradient_sums_loop(const SumRows<T>& p) {
  const T* __restrict dy = p.dy;
  const T* __restrict y = p.y;
  const T* __restrict x = p.x;
  const T* __restrict mean = p.mean;
  T* __restrict sum_g = p.sum_g;
  T* __restrict sum_g_deviation = p.sum_g_deviation;
  for (int64_t row = 0; row < p.rows; ++row) {
    const int64_t offset = row * p.columns;
    for (int64_t column = 0; column < p.columns; ++column) {
      const T g = incoming<kRelu>(dy, y, offset + column);
      sum_g[column] += g;
      sum_g_deviation[column] += g * (x[offset + column] - mean[column]);
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
  const T* __restrict mean = p.mean;
  const T* __restrict a = p.a;
  const T* __restrict b = p.b;
  const T* __restrict c = p.c;
  T* __restrict dx = p.dx;
  T* __restrict dresidual = p.dresidual;
  const int64_t columns = p.size.columns;
  for (int64_t row = 0; row < p.size.rows; ++row) {
    const int64_t offset = row * columns;
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t index = offset + column;
      const T g = incoming<kRelu>(dy, y, index);
      T gradient = a[column] * g;
      if constexpr (kStatistics) gradient += b[column] * (x[index] - mean[column]) + c[column];
      dx[index] = gradient;
      if constexpr (kResidual) dresidual[index] = g;
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
void add_rows(const double* x, int64_t rows, int64_t columns, double* sum) {
  add_rows_impl(x, rows, columns, sum);
}

INVARIA_CLONES void add_squares(const float* x, const float* mean, int64_t rows, int64_t columns, float* sum) {
  add_squares_impl(x, mean, rows, columns, sum);
}
void add_squares(const double* x, const double* mean, int64_t rows, int64_t columns, double* sum) {
  add_squares_impl(x, mean, rows, columns, sum);
}

INVARIA_CLONES void affine_rows(const AffineForward<float>& p) {
  affine_impl(p);
}
void affine_rows(const AffineForward<double>& p) {
  affine_impl(p);
}

INVARIA_CLONES void gradient_sums_rows(const SumRows<float>& p) {
  gradient_sums_impl(p);
}
void gradient_sums_rows(const SumRows<double>& p) {
  gradient_sums_impl(p);
}

INVARIA_CLONES void backward_rows(const AffineBackward<float>& p) {
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
  std::vector<T> chunk_mean(static_cast<size_t>(folded.n_chunks) * width, T{0});
  std::vector<T> chunk_squares(chunk_mean.size(), T{0});
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    T* sum = chunk_mean.data() + static_cast<size_t>(chunk) * width;
    add_rows(x + offset, rows, folded.columns, sum);
    for (size_t column = 0; column < width; ++column) sum[column] /= static_cast<T>(rows);
    add_squares(x + offset, sum, rows, folded.columns, chunk_squares.data() + static_cast<size_t>(chunk) * width);
  });

  std::fill(mean, mean + size.columns, 0.0);
  std::fill(squared_deviations, squared_deviations + size.columns, 0.0);
  double counted = 0.0;
  const T* means = chunk_mean.data();
  const T* squares = chunk_squares.data();
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
  const std::vector<T> scale = folded.repeat(pass.scale);
  const std::vector<T> shift = folded.repeat(pass.shift);
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
void column_gradient_sums(MatrixSize size, IncomingGradient<T> gradient, const T* x, const T* mean, double* sum_g,
                          double* sum_g_deviation) {
  const Folded folded(size, sizeof(T));
  const auto width = static_cast<size_t>(folded.columns);
  const std::vector<T> means = folded.repeat(mean);
  std::vector<T> chunk_sums(static_cast<size_t>(folded.n_chunks) * 2 * width, T{0});
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    T* sums = chunk_sums.data() + static_cast<size_t>(chunk) * 2 * width;
    gradient_sums_rows(SumRows<T>{gradient.dy + offset, shifted(gradient.y, offset), x + offset, means.data(), sums,
                                  sums + width, rows, folded.columns});
  });
  std::fill(sum_g, sum_g + size.columns, 0.0);
  std::fill(sum_g_deviation, sum_g_deviation + size.columns, 0.0);
  const T* sums = chunk_sums.data();
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
  const bool has_statistics = pass.x != nullptr;
  const std::vector<T> a = folded.repeat(pass.a);
  const std::vector<T> b = has_statistics ? folded.repeat(pass.b) : std::vector<T>();
  const std::vector<T> c = has_statistics ? folded.repeat(pass.c) : std::vector<T>();
  const std::vector<T> mean = has_statistics ? folded.repeat(pass.mean) : std::vector<T>();
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

template void column_moments(MatrixSize, const float*, double*, double*);
template void column_moments(MatrixSize, const double*, double*, double*);
template void column_affine(const AffineForward<float>&);
template void column_affine(const AffineForward<double>&);
template void column_gradient_sums(MatrixSize, IncomingGradient<float>, const float*, const float*, double*, double*);
template void column_gradient_sums(MatrixSize, IncomingGradient<double>, const double*, const double*, double*,
                                   double*);
template void column_affine_backward(const AffineBackward<float>&);
template void column_affine_backward(const AffineBackward<double>&);

}  // namespace invaria::model
