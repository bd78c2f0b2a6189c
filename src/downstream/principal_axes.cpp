#include "downstream/principal_axes.hpp"

#include <ATen/ATen.h>

#include <tuple>

namespace invaria::downstream {

PrincipalAxes::PrincipalAxes(const at::Tensor& features_BD) {
  const double n = static_cast<double>(features_BD.size(0));
  if (features_BD.size(0) >= features_BD.size(1)) {
    std::tie(moment_R, axis_DR) = at::linalg_eigh(at::mm(features_BD.t(), features_BD) / n);
  } else {
    // The few samples span a space whose axes come first; the eigenproblem is then of their size.
    const auto [span_DB, factor_BB] = at::linalg_qr(features_BD.t());
    at::Tensor turn_BR;
    std::tie(moment_R, turn_BR) = at::linalg_eigh(at::mm(factor_BB, factor_BB.t()) / n);
    axis_DR = at::mm(span_DB, turn_BR);
  }
  moment_R = moment_R.clamp_min(0);
  features_BR = at::mm(features_BD, axis_DR);
}

}  // namespace invaria::downstream
