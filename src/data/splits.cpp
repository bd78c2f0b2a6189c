#include "data/splits.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/sha256.hpp"

namespace invaria::data {

SplitIndices stratified_split(std::span<const int64_t> labels, double fraction, uint64_t seed) {
  require(fraction >= 0.0 && fraction <= 1.0, "stratified_split: fraction {}, expected one in [0, 1]", fraction);
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (size_t i = 0; i < labels.size(); ++i) by_class[labels[i]].push_back(static_cast<int64_t>(i));

  struct Share {
    int64_t label;
    int64_t count;
    double remainder;
  };
  std::vector<Share> shares;
  int64_t missing = std::llround(fraction * static_cast<double>(labels.size()));
  for (const auto& [label, members] : by_class) {
    const double exact = fraction * static_cast<double>(members.size());
    // A product that is whole but for rounding (0.2 x 15) counts as whole.
    const double whole = std::floor(exact + 1e-9);
    shares.push_back({label, static_cast<int64_t>(whole), exact - whole});
    missing -= shares.back().count;
  }
  std::stable_sort(shares.begin(), shares.end(), [](auto& a, auto& b) { return a.remainder > b.remainder + 1e-9; });
  for (Share& share : shares) {
    if (missing-- > 0) ++share.count;
  }

  SplitIndices split;
  for (const Share& share : shares) {
    std::vector<int64_t>& members = by_class[share.label];
    Draws draws({.seed = seed, .purpose = Purpose::kSplit, .sample = static_cast<uint64_t>(share.label)});
    draws.shuffle(std::span(members));
    const auto cut = members.begin() + std::min<int64_t>(share.count, std::ssize(members));
    split.chosen.insert(split.chosen.end(), members.begin(), cut);
    split.rest.insert(split.rest.end(), cut, members.end());
  }
  std::sort(split.chosen.begin(), split.chosen.end());
  std::sort(split.rest.begin(), split.rest.end());
  return split;
}

std::vector<int64_t> spread_classes(int64_t n_classes, int64_t count) {
  require(count >= 1 && count <= n_classes, "spread_classes: {} of {} classes, expected 1 to all", count, n_classes);
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < count; ++i) classes.push_back(i * (n_classes / count));
  return classes;
}

Subset subset_classes(std::span<const int64_t> labels, std::span<const int64_t> classes) {
  Subset subset;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto at = std::find(classes.begin(), classes.end(), labels[i]);
    if (at == classes.end()) continue;
    subset.indices.push_back(static_cast<int64_t>(i));
    subset.labels.push_back(at - classes.begin());
  }
  return subset;
}

std::string split_hash(std::span<const std::string> names, std::span<const int64_t> labels,
                       std::span<const std::vector<double>> targets, std::span<const std::string> pixel_hashes) {
  Sha256 hash;
  for (size_t i = 0; i < names.size(); ++i) {
    hash.update(names[i]);
    if (!labels.empty()) hash.update(fmt::format("\t{}", labels[i]));
    if (!targets.empty()) {
      for (const double target : targets[i]) hash.update(fmt::format("\t{}", target));
    }
    hash.update(fmt::format("\t{}\n", pixel_hashes[i]));
  }
  return hash.hex();
}

}  // namespace invaria::data
