#include "data/listing.hpp"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/kinds.hpp"
#include "data/pack.hpp"
#include "data/sample_files.hpp"
#include "data/splits.hpp"
#include "data/table_kind.hpp"
#include "data/targets.hpp"

namespace invaria::data {
namespace {

/// The checksum over a split's files, or for made pictures over what they are made from.
std::string found_checksum(const Manifest& manifest, const SplitListing& split) {
  if (!split.files) {
    return sha256_hex(boost::json::serialize(config::write(manifest.synthetic)) + split.name +
                      fmt::to_string(split.samples.size()));
  }
  std::vector<FileEntry> files;
  for (const int64_t index : split.checked_files) files.push_back(split.files->files()[static_cast<size_t>(index)]);
  return listing_checksum(files);
}

std::string describe(const SplitListing& split, const std::string& dataset) {
  if (split.pack) return split.pack->file.path().string();
  return split.files ? split.files->describe() : dataset;
}

/// The checksum of what the files hold, read once more. A pack's is the one that its files had, if its records still
/// are what was packed.
std::string found_contents(const SplitListing& split, int threads) {
  if (!split.pack) return content_checksum(*split.files, split.checked_files, threads);
  const std::vector<int64_t> changed = split.pack->file.changed_records(threads);
  if (changed.empty()) return split.pack->header.content_checksum;
  return fmt::format("of {} changed records, the first {}", changed.size(), split.pack->describe(changed.front()));
}

void compare_split(const SplitManifest& expected, const SplitListing& found, const DatasetSettings& settings,
                   int threads, const std::string& where, config::Problems& problems) {
  const std::string at = fmt::format("{} ({} of {})", describe(found, settings.name), expected.name, settings.name);
  const auto n = std::ssize(found.samples);
  if (n == 0) problems.add(where, at + ": no samples", "some");
  if (expected.count && *expected.count != n) {
    problems.add(where, fmt::format("{}: {} samples", at, n), fmt::format("{}, as the manifest says", *expected.count));
  }
  if (!expected.checksum.empty() && expected.checksum != found.checksum) {
    problems.add(where, fmt::format("{}: names and sizes with checksum {}", at, found.checksum),
                 fmt::format("{}, as the manifest says", expected.checksum), "some file is missing, added or changed");
  }
  if (!settings.check_contents || (!found.files && !found.pack)) return;
  if (expected.content_checksum.empty()) {
    problems.add(config::join_path(where, "check_contents"), "true",
                 fmt::format("false: the manifest has no content_checksum for {}", expected.name));
    return;
  }
  const std::string contents = found_contents(found, threads);
  if (contents != expected.content_checksum) {
    problems.add(where, fmt::format("{}: contents with checksum {}", at, contents),
                 fmt::format("{}, as the manifest says", expected.content_checksum),
                 "some file's contents have changed");
  }
}

std::string folder_names(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) names.push_back(folder.string());
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The data set's own files, or its packs; nothing if there is neither, and then a problem.
std::vector<SplitListing> find_splits(const Manifest& manifest, const DatasetSettings& settings,
                                      const std::vector<fs::path>& data_folders, PreferPacks prefer,
                                      const std::string& where, Listing& listing, config::Problems& problems) {
  try {
    std::vector<SplitListing> splits;
    if (prefer == PreferPacks::kYes) {
      for (auto& pack : find_packs(manifest, settings, data_folders)) {
        splits.push_back(list_pack(std::move(pack), listing));
      }
    }
    if (!splits.empty()) return splits;
    if (settings.stream && prefer == PreferPacks::kYes) {
      problems.add(config::join_path(where, "stream"),
                   fmt::format("true, and no packed files of {}'s splits in the --data folders [{}]", manifest.name,
                               folder_names(data_folders)),
                   "a pack of the files, to stream from",
                   fmt::format("write it with `invaria data pack {}`", manifest.name));
      return {};
    }
    std::optional<Location> location = Location{};
    if (manifest.kind != DatasetKind::kSynthetic) location = locate(manifest, data_folders);
    if (location) return list_splits(manifest, *location, listing);
  } catch (const ConfigError& error) {
    problems.add(where, error.what(), fmt::format("the data set {} as its manifest describes it", manifest.name),
                 manifest.how_to_get);
    return {};
  }
  problems.add(
      where, fmt::format("no data for \"{}\" in the --data folders [{}]", manifest.name, folder_names(data_folders)),
      fmt::format("a folder or archive named {}", fmt::join(manifest.folder_names(), " or ")), manifest.how_to_get);
  return {};
}

/// Move a seeded share of train to a validation split of its own.
void cut_validation(Listing& listing, const DatasetSettings& settings) {
  const auto train =
      std::find_if(listing.splits.begin(), listing.splits.end(), [](auto& s) { return s.name == "train"; });
  std::vector<int64_t> labels;
  for (const Sample& sample : train->samples) labels.push_back(sample.label);
  const SplitIndices cut =
      stratified_split(labels, settings.validation_fraction, static_cast<uint64_t>(settings.split_seed));
  SplitListing validation = *train;
  validation.name = "validation";
  validation.samples.clear();
  std::vector<Sample> rest;
  for (const int64_t i : cut.chosen) validation.samples.push_back(std::move(train->samples[static_cast<size_t>(i)]));
  for (const int64_t i : cut.rest) rest.push_back(std::move(train->samples[static_cast<size_t>(i)]));
  train->samples = std::move(rest);
  listing.splits.push_back(std::move(validation));
}

void check_validation(const Manifest& manifest, const Listing& listing, const DatasetSettings& settings,
                      const std::string& where, config::Problems& problems) {
  const std::string at = config::join_path(where, "validation_fraction");
  if (manifest.find_split("validation") != nullptr) {
    problems.add(at, fmt::to_string(settings.validation_fraction), "0: the data set has a validation split of its own");
    return;
  }
  const auto train =
      std::find_if(listing.splits.begin(), listing.splits.end(), [](auto& s) { return s.name == "train"; });
  const auto n = train == listing.splits.end() ? 0.0 : static_cast<double>(train->samples.size());
  const auto chosen = std::llround(settings.validation_fraction * n);
  if (chosen < 1 || chosen >= std::llround(n)) {
    problems.add(at, fmt::to_string(settings.validation_fraction),
                 fmt::format("a share that leaves samples on both sides of a cut through {} of train", n));
  }
}

/// The labels of one class split. @throws ConfigError if a class is not there
std::vector<int64_t> labels_of(const ClassSplitManifest& split, const Listing& listing, const std::string& where) {
  const auto n = std::ssize(listing.classes);
  std::set<int64_t> labels;
  for (const std::string& name : split.classes) {
    const auto at = std::find(listing.classes.begin(), listing.classes.end(), name);
    if (at == listing.classes.end()) throw_config("{}: class_splits, {}: found no class {}", where, split.name, name);
    labels.insert(at - listing.classes.begin());
  }
  for (const SplitListing& pictures : listing.splits) {
    if (pictures.name != split.split) continue;
    for (const Sample& sample : pictures.samples) labels.insert(sample.label);
  }
  if (split.every > 0) {
    for (int64_t label = split.first; label < n; label += split.every) labels.insert(label);
  }
  return {labels.begin(), labels.end()};
}

/// Class splits of one name add up; those of two names share no class.
void add_class_splits(const Manifest& manifest, Listing& listing) {
  std::map<int64_t, std::string> split_of;
  for (const ClassSplitManifest& split : manifest.class_splits) {
    for (const int64_t label : labels_of(split, listing, manifest.name)) {
      const auto [at, is_new] = split_of.emplace(label, split.name);
      if (is_new) listing.class_splits[split.name].push_back(label);
      if (at->second != split.name) {
        throw_config("{}: class_splits: found {} in {} and {}, expected it in one", manifest.name,
                     listing.classes[static_cast<size_t>(label)], at->second, split.name);
      }
    }
  }
  for (auto& [name, labels] : listing.class_splits) std::sort(labels.begin(), labels.end());
}

/// As many samples of each sound as it may give.
void add_parts(Listing& listing, int64_t parts) {
  for (SplitListing& split : listing.splits) {
    std::vector<Sample> sounds = std::move(split.samples);
    split.samples.clear();
    for (const Sample& sound : sounds) {
      for (int64_t part = 0; part < parts; ++part) {
        split.samples.push_back(sound);
        split.samples.back().part = part;
        split.samples.back().name += fmt::format("#{}", part);
      }
    }
  }
}

struct LabelRange {
  int64_t first = 0;
  int64_t count = 0;
};

/// The classes that a manifest may be taken to promise of the splits by which it splits classes: in proportion to their
/// samples, two at least, and none in two of them.
std::map<std::string, LabelRange> promised_labels(const Manifest& manifest) {
  std::vector<const SplitManifest*> apart;
  double samples = 0.0;
  for (const ClassSplitManifest& classes : manifest.class_splits) {
    if (const SplitManifest* split = classes.split.empty() ? nullptr : manifest.find_split(classes.split)) {
      apart.push_back(split);
      samples += static_cast<double>(split->count.value_or(1));
    }
  }
  std::map<std::string, LabelRange> ranges;
  int64_t first = 0;
  for (size_t n = 0; n < apart.size(); ++n) {
    const int64_t left = manifest.classes - first;
    const auto others = static_cast<int64_t>(apart.size() - n - 1);
    const double share = static_cast<double>(apart[n]->count.value_or(1)) / samples;
    const int64_t count = others == 0 ? left
                                      : std::clamp<int64_t>(std::llround(share * static_cast<double>(manifest.classes)),
                                                            2, std::max<int64_t>(left - 2 * others, 2));
    ranges[apart[n]->name] = {first, std::max<int64_t>(count, 1)};
    first += count;
  }
  return ranges;
}

}  // namespace

Listing list_dataset(const Manifest& manifest, const DatasetSettings& settings,
                     const std::vector<fs::path>& data_folders, int threads, const std::string& where,
                     config::Problems& problems, PreferPacks packs) {
  Listing listing;
  const size_t problems_before = problems.list().size();
  std::vector<SplitListing> found = find_splits(manifest, settings, data_folders, packs, where, listing, problems);
  if (found.empty()) return listing;
  Sha256 all;
  for (size_t i = 0; i < found.size(); ++i) {
    SplitListing& split = found[i];
    split.name = split.drawn_from = manifest.splits[i].name;
    std::sort(split.samples.begin(), split.samples.end(), [](auto& a, auto& b) { return a.name < b.name; });
    if (!split.pack) split.checksum = found_checksum(manifest, split);
    all.update(fmt::format("{}\t{}\n", split.name, split.checksum));
    compare_split(manifest.splits[i], split, settings, threads, where, problems);
    listing.splits.push_back(std::move(split));
  }
  listing.checksum = all.hex();
  try {
    add_class_splits(manifest, listing);
    check_mirrors(listing.targets, manifest.name);
  } catch (const ConfigError& error) {
    problems.add(where, error.what(), "a manifest that fits the data");
  }
  if (std::ssize(listing.classes) != manifest.classes) {
    std::vector<std::string> names;
    for (const std::string& name : listing.classes) names.push_back(fmt::format("\"{}\"", name));
    problems.add(where, fmt::format("{} classes in {}: {}", names.size(), manifest.name, shortened(names)),
                 fmt::format("{}, as the manifest says", manifest.classes));
  }
  if (settings.validation_fraction > 0) {
    check_validation(manifest, listing, settings, where, problems);
    if (problems.list().size() == problems_before) cut_validation(listing, settings);
  }
  if (most_parts(manifest, settings) > 1) add_parts(listing, settings.sound.parts);
  return listing;
}

Listing list_promised(const Manifest& manifest, const DatasetSettings& settings, const std::string& where,
                      config::Problems& problems) {
  Listing listing;
  listing.classes = manifest.class_names;
  for (int64_t label = std::ssize(listing.classes); label < manifest.classes; ++label)
    listing.classes.push_back(fmt::format("class {:06}", label));
  listing.targets = promised_targets(manifest);
  const std::map<std::string, LabelRange> ranges = promised_labels(manifest);
  for (const SplitManifest& promised : manifest.splits) {
    SplitListing split{.name = promised.name, .drawn_from = promised.name};
    const int64_t n = promised.count.value_or(promised.per_class * manifest.classes);
    const LabelRange labels =
        ranges.contains(promised.name) ? ranges.at(promised.name) : LabelRange{0, manifest.classes};
    for (int64_t sample = 0; sample < n; ++sample)
      split.samples.push_back({.name = {},
                               .class_name = {},
                               .record = sample,
                               .label = manifest.classes > 0 ? labels.first + sample % labels.count : -1,
                               .targets = {}});
    listing.splits.push_back(std::move(split));
  }
  const size_t problems_before = problems.list().size();
  try {
    add_class_splits(manifest, listing);
  } catch (const ConfigError& error) {
    problems.add(where, error.what(), "class names in the manifest, or the data themselves");
  }
  if (settings.validation_fraction > 0) {
    check_validation(manifest, listing, settings, where, problems);
    if (problems.list().size() == problems_before) cut_validation(listing, settings);
  }
  if (most_parts(manifest, settings) > 1) add_parts(listing, settings.sound.parts);
  return listing;
}

int64_t most_parts(const Manifest& manifest, const DatasetSettings& settings) {
  return manifest.media == config::Media::kSounds ? settings.sound.parts : 1;
}

int64_t decoded_bytes(const Listing& listing, const Manifest& manifest, const DatasetSettings& settings) {
  if (settings.stream) return 0;
  int64_t samples = 0;
  for (const SplitListing& split : listing.splits) {
    if (!split.pack || !split.pack->is_read_in_place(settings)) samples += std::ssize(split.samples);
  }
  return samples * stored_shape(manifest.media, settings).bytes();
}

void check_memory(const Listing& listing, const Manifest& manifest, const DatasetSettings& settings,
                  const std::string& where, config::Problems& problems) {
  const std::string& name = settings.name;
  const auto allowed = static_cast<int64_t>(settings.max_memory_share * static_cast<double>(node_memory_bytes()));
  if (const int64_t bytes = decoded_bytes(listing, manifest, settings); bytes > allowed) {
    const bool are_sounds = manifest.media == config::Media::kSounds;
    problems.add(
        where,
        fmt::format("{} decoded at {} takes {:.1f} MiB", name,
                    are_sounds ? fmt::format("{} s and {} Hz", settings.sound.seconds, settings.sound.rate)
                               : fmt::format("{} px", settings.size),
                    static_cast<double>(bytes) / (1 << 20)),
        fmt::format("at most {:.1f} MiB, {} of this node's memory", static_cast<double>(allowed) / (1 << 20),
                    settings.max_memory_share),
        are_sounds
            ? fmt::format("pack it (`invaria data pack {}`) and set stream, and it is read from the disk as needed; or "
                          "shorten its sounds, or raise max_memory_share",
                          name)
            : fmt::format(
                  "pack it (`invaria data pack {} --pixels {} --resize {}`, or without --pixels and with "
                  "stream set) and it is read from the disk as needed; or lower size, or raise max_memory_share",
                  name, settings.size, config::name_of(settings.resize)));
  }
}

int64_t node_memory_bytes() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* limit : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t value = 0;
    if (std::ifstream(limit) >> value && value > 0) bytes = std::min(bytes, value);
  }
  return bytes;
}

}  // namespace invaria::data
