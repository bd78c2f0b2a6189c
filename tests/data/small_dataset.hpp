#pragma once
/// @file
/// A data set of a few made pictures, as folders or tars, with its manifest.

#include <boost/json/serialize.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "data/load.hpp"
#include "tests/data/make_files.hpp"

namespace invaria::data::test {

/// Ten pictures of three classes in an order that is not theirs; every name, size and format differs.
inline Files small_split(int seed) {
  return {{"dog/b.jpg", jpeg(make_image(40, 30, seed + 1))},
          {"ant/z.png", png(make_image(20, 44, seed + 2))},
          {"Cat/a.jpeg", jpeg(make_image(24, 24, seed + 3))},
          {"dog/a.JPG", jpeg(make_image(31, 57, seed + 4))},
          {"ant/sub/c.jpg", jpeg(make_image(16, 16, seed + 5))},
          {"Cat/b.jpg", grey_jpeg(33, 20, 90)},
          {"ant/a.jpg", jpeg(make_image(25, 25, seed + 6))},
          {"Cat/c.png", png(make_image(12, 80, seed + 7))},
          {"dog/notes.txt", "no picture"},
          {"dog/c.jpg", jpeg(make_image(50, 50, seed + 8))},
          {"Cat/.hidden.jpg", "not seen"},
          {"Cat/d.jpg", jpeg(make_image(70, 65, seed + 9))}};
}

inline Manifest small_manifest() {
  Manifest manifest;
  manifest.name = "small";
  manifest.classes = 3;
  manifest.splits = {{"train", "train", {}, 10, "", ""}, {"test", "test", {}, 10, "", ""}};
  manifest.how_to_get = "make it again";
  return manifest;
}

inline DatasetSettings small_settings() {
  DatasetSettings settings;
  settings.name = "small";
  settings.size = 8;
  return settings;
}

inline void write_small(const fs::path& folder) {
  write_folder(folder / "small" / "train", small_split(0));
  write_folder(folder / "small" / "test", small_split(100));
}

inline std::vector<uint8_t> pixels_of(const DataSplit& split) {
  std::vector<uint8_t> pixels;
  const int64_t length = split.shape.bytes();
  for (int64_t i = 0; i < split.n; ++i) {
    const SampleBytes picture = split.sample(i);
    pixels.insert(pixels.end(), picture.get(), picture.get() + length);
  }
  return pixels;
}

/// One picture's bytes.
inline std::string picture(const DataSplit& split, int64_t index) {
  return {reinterpret_cast<const char*>(split.sample(index).get()), static_cast<size_t>(split.shape.bytes())};
}

/// Names, labels, targets, pixels and hashes are the same.
inline void check_equal(const Dataset& a, const Dataset& b) {
  CHECK(a.classes == b.classes);
  CHECK(a.target_columns == b.target_columns);
  CHECK(a.class_splits == b.class_splits);
  CHECK(a.record.split_hashes == b.record.split_hashes);
  CHECK(a.record.checksum == b.record.checksum);
  CHECK(a.record.files_left_out == b.record.files_left_out);
  REQUIRE(a.splits.size() == b.splits.size());
  for (const auto& [name, split] : a.splits) {
    const DataSplit& other = b.split(name);
    CHECK(split.names == other.names);
    CHECK(split.labels == other.labels);
    CHECK(split.targets == other.targets);
    CHECK(pixels_of(split) == pixels_of(other));
  }
}

/// All problems of a check as text.
inline std::string problems_of(const Manifest& manifest, const DatasetSettings& settings, const fs::path& folder,
                               CheckDepth depth = CheckDepth::kListing) {
  config::Problems problems;
  check_dataset(manifest, settings, {{folder}, 2, {}}, depth, "datasets[0]", problems);
  return problems.to_string();
}

}  // namespace invaria::data::test
