#pragma once
/// @file
/// The samples of a split, decoded on several threads, from wherever they lie.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/listing.hpp"
#include "data/sample_files.hpp"

namespace invaria::data {

/// Where the bytes of a split's samples are: a file of its own, a record of a pack, or part of a CIFAR batch.
/// @return  for messages
std::string describe_sample(const SplitListing& split, int64_t sample);

/// Called at once from several threads, in any order.
struct DecodeCalls {
  std::function<void(int64_t sample, const Decoded& decoded)> on_sample;
  /// A file that cannot be decoded.
  std::function<void(int64_t sample, const std::string& reason)> on_corrupt;
};

/// Decode the given samples (ascending) of a split that is read, not made; a file that several are parts of is decoded
/// once, and those that it does not give are passed over. What a call throws passes through.
void decode_samples(const Manifest& manifest, const DatasetSettings& settings, const SplitListing& split,
                    const std::vector<int64_t>& wanted, int threads, const DecodeCalls& calls);

/// Files as they are, each once, with those of the given samples that are in it. Likewise.
void read_samples(const SplitListing& split, const std::vector<int64_t>& wanted, int threads,
                  const std::function<void(const std::vector<int64_t>& samples, std::string_view bytes)>& body);

}  // namespace invaria::data
