#pragma once
/// @file
/// Cutting, choosing and hashing samples of a split: all of it a function of names, labels and a seed.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace invaria::data {

/// Two parts of a list of samples, each ascending.
struct SplitIndices {
  std::vector<int64_t> rest;
  std::vector<int64_t> chosen;
};

/// Choose round(fraction n) samples at random, from each class its share: floor(fraction n_class), and one more for the
/// classes with the largest remainders (on a tie the smaller label) until the number is right.
/// @param labels  one per sample; all equal where there are no classes
/// @throws PreconditionError if fraction is outside [0, 1]
SplitIndices stratified_split(std::span<const int64_t> labels, double fraction, uint64_t seed);

/// `count` classes spread evenly over the sorted class list: every (n_classes / count)-th, the first `count`.
/// @throws PreconditionError unless 1 <= count <= n_classes
std::vector<int64_t> spread_classes(int64_t n_classes, int64_t count);

/// Some samples of a split, with labels of their own.
struct Subset {
  std::vector<int64_t> indices;  ///< into the split, ascending
  std::vector<int64_t> labels;   ///< one per index
};

/// The samples of the given classes; label k stands for `classes[k]`.
Subset subset_classes(std::span<const int64_t> labels, std::span<const int64_t> classes);

/// SHA-256 over the lines "name TAB label TAB targets TAB pixels LF", in order: tab-separated targets in shortest
/// round-trip form, and the SHA-256 of each picture's decoded pixels. An empty `labels` writes no label, an empty
/// `targets` none.
std::string split_hash(std::span<const std::string> names, std::span<const int64_t> labels,
                       std::span<const std::vector<double>> targets, std::span<const std::string> pixel_hashes);

}  // namespace invaria::data
