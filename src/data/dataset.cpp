#include "data/dataset.hpp"

#include <fmt/ranges.h>

#include "core/errors.hpp"

namespace invaria::data {

std::vector<std::string> data_differences(const io::DataRecord& there, const io::DataRecord& here) {
  if (there.name != here.name || there.settings != here.settings) return {};
  std::vector<std::string> out;
  const auto differ = [&](const std::string& what, const std::string& then, const std::string& now) {
    if (then != now) out.push_back(fmt::format("{}: {}: {} then, {} now", here.name, what, then, now));
  };
  differ("checksum of names and sizes", there.checksum, here.checksum);
  differ("samples left out", fmt::format("{}", fmt::join(there.files_left_out, ", ")),
         fmt::format("{}", fmt::join(here.files_left_out, ", ")));
  std::map<std::string, std::pair<std::string, std::string>> hashes;
  for (const auto& [split, hash] : there.split_hashes) hashes[split].first = hash;
  for (const auto& [split, hash] : here.split_hashes) hashes[split].second = hash;
  for (const auto& [split, both] : hashes) {
    differ(fmt::format("hash of names, labels, targets and contents of {}", split), both.first, both.second);
  }
  return out;
}

HeldSamples DataSplit::samples(std::span<const int64_t> indices, int threads) const {
  std::vector<SampleRef> wanted;
  for (const int64_t index : indices) wanted.push_back(ref(index));
  return hold(wanted, threads);
}

const DataSplit& Dataset::split(const std::string& split_name) const {
  const auto found = splits.find(split_name);
  if (found == splits.end()) {
    std::vector<std::string> names;
    for (const auto& [each, pictures] : splits) names.push_back(each);
    throw_config("{}: found no split \"{}\", expected one of {}", name, split_name, fmt::join(names, ", "));
  }
  return found->second;
}

}  // namespace invaria::data
