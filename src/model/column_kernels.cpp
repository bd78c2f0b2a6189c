#include "model/column_kernels.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

// Baseline, AVX2 and AVX-512 versions of each loop in one portable binary; the loader picks one (an ifunc of the C
// library).
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define INVARIA_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define INVARIA_CLONES
#endif
#define INVARIA_INLINE inline __attribute__((always_inline))

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

  explicit Folded(MatrixSize size) : rows(size.rows), columns(size.columns) {
    while (columns < kWideColumns && rows % 2 == 0 && rows > 0) {
      rows /= 2;
      columns *= 2;
      copies *= 2;
    }
    chunk_rows = std::max<int64_t>(1, kChunkBytes / (columns * static_cast<int64_t>(sizeof(float))));
    n_chunks = (rows + chunk_rows - 1) / chunk_rows;
  }

  /// A coefficient per column, repeated for the joined rows.
  std::vector<float> repeat(const float* coefficients) const {
    std::vector<float> repeated(static_cast<size_t>(columns));
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

INVARIA_CLONES void add_rows(const float* __restrict x, int64_t rows, int64_t columns, float* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) sum[column] += x[column];
  }
}

INVARIA_CLONES void add_squared_deviations(const float* __restrict x, const float* __restrict mean, int64_t rows,
                                           int64_t columns, float* __restrict sum) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    for (int64_t column = 0; column < columns; ++column) {
      const float deviation = x[column] - mean[column];
      sum[column] += deviation * deviation;
    }
  }
}

template <bool kRelu, bool kResidual>
INVARIA_INLINE void affine_impl(const float* x, const float* residual, const float* __restrict scale,
                                const float* __restrict shift, int64_t rows, int64_t columns, float* y) {
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t offset = row * columns;
#pragma GCC ivdep
    for (int64_t column = 0; column < columns; ++column) {
      float value = x[offset + column] * scale[column] + shift[column];
      if constexpr (kResidual) value += residual[offset + column];
      if constexpr (kRelu) value = value < 0.0f ? 0.0f : value;  // this way round a NaN stays one
      y[offset + column] = value;
    }
  }
}

INVARIA_CLONES void affine_rows(const float* x, const float* residual, const float* scale, const float* shift,
                                int64_t rows, int64_t columns, bool relu, float* y) {
  if (relu && residual != nullptr) {
    affine_impl<true, true>(x, residual, scale, shift, rows, columns, y);
  } else if (relu) {
    affine_impl<true, false>(x, residual, scale, shift, rows, columns, y);
  } else if (residual != nullptr) {
    affine_impl<false, true>(x, residual, scale, shift, rows, columns, y);
  } else {
    affine_impl<false, false>(x, residual, scale, shift, rows, columns, y);
  }
}

template <bool kRelu>
INVARIA_INLINE float incoming(const float* dy, const float* y, int64_t index) {
  if constexpr (kRelu) {
    return y[index] > 0.0f ? dy[index] : 0.0f;
  } else {
    return dy[index];
  }
}

template <bool kRelu>
INVARIA_INLINE void gradient_sums_impl(const float* __restrict dy, const float* __restrict y, const float* __restrict x,
                                       const float* __restrict mean, int64_t rows, int64_t columns,
                                       float* __restrict sum_g, float* __restrict sum_g_deviation) {
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t offset = row * columns;
    for (int64_t column = 0; column < columns; ++column) {
      const float g = incoming<kRelu>(dy, y, offset + column);
      sum_g[column] += g;
      sum_g_deviation[column] += g * (x[offset + column] - mean[column]);
    }
  }
}

INVARIA_CLONES void gradient_sums_rows(const float* dy, const float* y, const float* x, const float* mean, int64_t rows,
                                       int64_t columns, float* sum_g, float* sum_g_deviation) {
  if (y != nullptr) {
    gradient_sums_impl<true>(dy, y, x, mean, rows, columns, sum_g, sum_g_deviation);
  } else {
    gradient_sums_impl<false>(dy, y, x, mean, rows, columns, sum_g, sum_g_deviation);
  }
}

/// Pointers of one chunk of a backward pass.
struct BackwardRows {
  const float* dy;
  const float* y;
  const float* x;
  const float* mean;
  const float* a;
  const float* b;
  const float* c;
  float* dx;
  float* dresidual;
  int64_t rows;
  int64_t columns;
};

template <bool kRelu, bool kStatistics, bool kResidual>
INVARIA_INLINE void backward_impl(const BackwardRows& p) {
  const float* __restrict dy = p.dy;
  const float* __restrict y = p.y;
  const float* __restrict x = p.x;
  const float* __restrict mean = p.mean;
  const float* __restrict a = p.a;
  const float* __restrict b = p.b;
  const float* __restrict c = p.c;
  float* __restrict dx = p.dx;
  float* __restrict dresidual = p.dresidual;
  for (int64_t row = 0; row < p.rows; ++row) {
    const int64_t offset = row * p.columns;
    for (int64_t column = 0; column < p.columns; ++column) {
      const int64_t index = offset + column;
      const float g = incoming<kRelu>(dy, y, index);
      float gradient = a[column] * g;
      if constexpr (kStatistics) gradient += b[column] * (x[index] - mean[column]) + c[column];
      dx[index] = gradient;
      if constexpr (kResidual) dresidual[index] = g;
    }
  }
}

INVARIA_CLONES void backward_rows(const BackwardRows& p) {
  const int variant = (p.y != nullptr ? 4 : 0) + (p.x != nullptr ? 2 : 0) + (p.dresidual != nullptr ? 1 : 0);
  switch (variant) {
    case 0:
      return backward_impl<false, false, false>(p);
    case 1:
      return backward_impl<false, false, true>(p);
    case 2:
      return backward_impl<false, true, false>(p);
    case 3:
      return backward_impl<false, true, true>(p);
    case 4:
      return backward_impl<true, false, false>(p);
    case 5:
      return backward_impl<true, false, true>(p);
    case 6:
      return backward_impl<true, true, false>(p);
    default:
      return backward_impl<true, true, true>(p);
  }
}

}  // namespace

void column_moments(MatrixSize size, const float* x, double* mean, double* squared_deviations) {
  const Folded folded(size);
  const auto width = static_cast<size_t>(folded.columns);
  std::vector<float> chunk_mean(static_cast<size_t>(folded.n_chunks) * width, 0.0f);
  std::vector<float> chunk_squares(chunk_mean.size(), 0.0f);
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    float* sum = chunk_mean.data() + static_cast<size_t>(chunk) * width;
    add_rows(x + offset, rows, folded.columns, sum);
    for (size_t column = 0; column < width; ++column) sum[column] /= static_cast<float>(rows);
    add_squared_deviations(x + offset, sum, rows, folded.columns,
                           chunk_squares.data() + static_cast<size_t>(chunk) * width);
  });

  std::fill(mean, mean + size.columns, 0.0);
  std::fill(squared_deviations, squared_deviations + size.columns, 0.0);
  std::vector<double> counted(static_cast<size_t>(size.columns), 0.0);
  for (int64_t chunk = 0; chunk < folded.n_chunks; ++chunk) {
    const double rows = static_cast<double>(std::min(folded.chunk_rows, folded.rows - chunk * folded.chunk_rows));
    const float* means = chunk_mean.data() + static_cast<size_t>(chunk) * width;
    const float* squares = chunk_squares.data() + static_cast<size_t>(chunk) * width;
    for (int64_t copy = 0; copy < folded.copies; ++copy) {
      for (int64_t column = 0; column < size.columns; ++column, ++means, ++squares) {
        double& n = counted[static_cast<size_t>(column)];
        const double total = n + rows;
        const double delta = static_cast<double>(*means) - mean[column];
        mean[column] += delta * rows / total;
        squared_deviations[column] += static_cast<double>(*squares) + delta * delta * n * rows / total;
        n = total;
      }
    }
  }
}

void column_affine(const AffineForward& pass) {
  const Folded folded(pass.size);
  const std::vector<float> scale = folded.repeat(pass.scale);
  const std::vector<float> shift = folded.repeat(pass.shift);
  folded.for_each_chunk([&](int64_t, int64_t rows, int64_t offset) {
    affine_rows(pass.x + offset, pass.residual != nullptr ? pass.residual + offset : nullptr, scale.data(),
                shift.data(), rows, folded.columns, pass.relu, pass.y + offset);
  });
}

void column_gradient_sums(MatrixSize size, IncomingGradient gradient, const float* x, const float* mean, double* sum_g,
                          double* sum_g_deviation) {
  const Folded folded(size);
  const auto width = static_cast<size_t>(folded.columns);
  const std::vector<float> means = folded.repeat(mean);
  std::vector<float> chunk_sums(static_cast<size_t>(folded.n_chunks) * 2 * width, 0.0f);
  folded.for_each_chunk([&](int64_t chunk, int64_t rows, int64_t offset) {
    float* sums = chunk_sums.data() + static_cast<size_t>(chunk) * 2 * width;
    gradient_sums_rows(gradient.dy + offset, gradient.y != nullptr ? gradient.y + offset : nullptr, x + offset,
                       means.data(), rows, folded.columns, sums, sums + width);
  });
  std::fill(sum_g, sum_g + size.columns, 0.0);
  std::fill(sum_g_deviation, sum_g_deviation + size.columns, 0.0);
  const float* sums = chunk_sums.data();
  for (int64_t chunk = 0; chunk < folded.n_chunks; ++chunk) {
    for (double* total : {sum_g, sum_g_deviation}) {
      for (int64_t copy = 0; copy < folded.copies; ++copy) {
        for (int64_t column = 0; column < size.columns; ++column, ++sums) total[column] += static_cast<double>(*sums);
      }
    }
  }
}

void column_affine_backward(const AffineBackward& pass) {
  const Folded folded(pass.size);
  const bool has_statistics = pass.x != nullptr;
  const std::vector<float> a = folded.repeat(pass.a);
  const std::vector<float> b = has_statistics ? folded.repeat(pass.b) : std::vector<float>();
  const std::vector<float> c = has_statistics ? folded.repeat(pass.c) : std::vector<float>();
  const std::vector<float> mean = has_statistics ? folded.repeat(pass.mean) : std::vector<float>();
  folded.for_each_chunk([&](int64_t, int64_t rows, int64_t offset) {
    backward_rows({.dy = pass.gradient.dy + offset,
                   .y = pass.gradient.y != nullptr ? pass.gradient.y + offset : nullptr,
                   .x = has_statistics ? pass.x + offset : nullptr,
                   .mean = mean.data(),
                   .a = a.data(),
                   .b = b.data(),
                   .c = c.data(),
                   .dx = pass.dx + offset,
                   .dresidual = pass.dresidual != nullptr ? pass.dresidual + offset : nullptr,
                   .rows = rows,
                   .columns = folded.columns});
  });
}

}  // namespace invaria::model
