#include "objective/contrast.hpp"

#include <ATen/ATen.h>

namespace invaria::objective {

at::Tensor unit_rows(const at::Tensor& rows_nC) {
  constexpr double kSmallestNorm = 1e-12;
  return rows_nC / at::linalg_vector_norm(rows_nC, 2, {-1}, true).clamp_min(kSmallestNorm);
}

}  // namespace invaria::objective
