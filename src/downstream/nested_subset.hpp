#pragma once
/// @file
/// A share of a training set, such that smaller shares lie within larger ones.

#include <cstdint>
#include <span>
#include <vector>

namespace invaria::downstream {

/// Positions, ascending, of the first round(fraction n_class) samples, but at least one, of each class in an order
/// drawn from (seed, class): of one seed the subset of a smaller fraction lies within that of a larger one.
/// @param labels    one per sample, all equal where there are no classes
/// @param fraction  in (0, 1]
std::vector<int64_t> nested_subset(std::span<const int64_t> labels, double fraction, uint64_t seed);

}  // namespace invaria::downstream
