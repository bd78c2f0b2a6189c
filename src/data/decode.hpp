#pragma once
/// @file
/// The pictures of a split, decoded on several threads, from wherever they lie.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/listing.hpp"
#include "io/image.hpp"

namespace invaria::data {

/// Where the bytes of a split's samples are: a file of its own, a record of a pack, or part of a CIFAR batch.
/// @return  for messages
std::string describe_sample(const SplitListing& split, int64_t sample);

/// Called at once from several threads, in any order.
struct DecodeCalls {
  std::function<void(int64_t sample, const io::Image& image)> on_picture;
  /// A picture that cannot be decoded.
  std::function<void(int64_t sample, const std::string& reason)> on_corrupt;
};

/// Decode the given samples (ascending) of a split that is read, not made. What a call throws passes through.
void decode_pictures(const Manifest& manifest, const SplitListing& split, const std::vector<int64_t>& wanted,
                     int threads, const DecodeCalls& calls);

/// The files of samples that have one each, as they are. Likewise.
void read_pictures(const SplitListing& split, const std::vector<int64_t>& wanted, int threads,
                   const std::function<void(int64_t sample, std::string_view bytes)>& body);

}  // namespace invaria::data
