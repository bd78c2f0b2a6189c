#include "data/dataset.hpp"

#include <fmt/ranges.h>

#include <ranges>

#include "core/errors.hpp"

namespace invaria::data {

const ImageSplit& ImageDataset::split(const std::string& split_name) const {
  const auto found = splits.find(split_name);
  if (found == splits.end()) {
    throw_config("{}: found no split \"{}\", expected one of {}", name, split_name,
                 fmt::join(splits | std::views::keys, ", "));
  }
  return found->second;
}

}  // namespace invaria::data
