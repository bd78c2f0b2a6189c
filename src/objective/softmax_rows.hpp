#pragma once
/// @file
/// The inner loop of NT-Xent's tiles: plain C++ that the compiler vectorises, compiled for several instruction sets and
/// chosen at load time. Its slow twin stands in nt_xent.cpp.

#include <cstdint>

namespace invaria::objective {

/// What one anchor's logits come to.
struct RowSoftmax {
  float greatest = 0.0F;    ///< logit
  float total = 0.0F;       ///< sum over candidates of exp(logit - greatest)
  float score = 0.0F;       ///< the positive's logit
  bool is_highest = false;  ///< no other candidate scores as high as the positive
};

/// Replace each of n logits by exp(logit - greatest), and that of the anchor itself, which is no candidate, by 0. A NaN
/// among the others makes `total` a NaN. Values below exp(-87) become that.
RowSoftmax exponentials(float* logits, int64_t n, int64_t self, int64_t positive);

}  // namespace invaria::objective
