#pragma once
/// @file
/// The files of each kind of data set as samples, before they are compared with the manifest.

#include <cstdint>
#include <string>
#include <vector>

#include "data/file_set.hpp"
#include "data/listing.hpp"
#include "data/manifest.hpp"

namespace invaria::data {

/// The splits in the manifest's order, unnamed, samples in any order; classes and targets go to `listing`.
/// @throws ConfigError naming the file (and row) that is not as the manifest or its kind wants it; EnvironmentError
std::vector<SplitListing> list_splits(const Manifest& manifest, const Location& location, Listing& listing);

/// The classes are those of all splits together, in byte order; labels follow.
void label_by_class(std::vector<SplitListing>& found, Listing& listing);

/// The first ten of a list, and how many more there are.
std::string shortened(const std::vector<std::string>& lines);

}  // namespace invaria::data
