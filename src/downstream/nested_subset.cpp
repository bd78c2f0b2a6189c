#include "downstream/nested_subset.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::downstream {

std::vector<int64_t> nested_subset(std::span<const int64_t> labels, double fraction, uint64_t seed) {
  require(fraction > 0.0 && fraction <= 1.0, "nested_subset: fraction {}, expected one in (0, 1]", fraction);
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (size_t position = 0; position < labels.size(); ++position) {
    by_class[labels[position]].push_back(static_cast<int64_t>(position));
  }
  std::vector<int64_t> chosen;
  for (auto& [label, members] : by_class) {
    Draws draws({.seed = seed, .purpose = Purpose::kFraction, .sample = static_cast<uint64_t>(label)});
    draws.shuffle(std::span(members));
    const int64_t share = std::llround(fraction * static_cast<double>(members.size()));
    chosen.insert(chosen.end(), members.begin(), members.begin() + std::max<int64_t>(share, 1));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace invaria::downstream
