#include "data/listing.hpp"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/csv.hpp"
#include "data/splits.hpp"
#include "data/synthetic.hpp"
#include "io/cifar.hpp"
#include "io/image.hpp"

namespace invaria::data {
namespace {

/// One split as found: its samples, and the files that its checksums are over.
struct Found {
  SplitListing listing;
  std::vector<int64_t> checked_files;  ///< indices into listing.files, ascending
};

/// What a lister needs of the world.
struct Source {
  const Manifest& manifest;
  Location location;
};

/// The first ten of a list, and how many more there are.
std::string shortened(const std::vector<std::string>& lines) {
  constexpr size_t kShown = 10;
  const auto end = lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), kShown));
  const std::string shown = fmt::format("{}", fmt::join(lines.begin(), end, ", "));
  return lines.size() <= kShown ? shown : fmt::format("{} and {} more", shown, lines.size() - kShown);
}

// -- image-folder
// ---------------------------------------------------------------------------------------------------------------

Found list_image_folder(const Source& source, const SplitManifest& split) {
  Found found;
  found.listing.files = std::make_shared<FileSet>(source.location, split.path, source.manifest.folder_names());
  const FileSet& files = *found.listing.files;
  for (const std::string& link : files.links()) {
    if (io::has_image_extension(link)) files.need(link, source.manifest.name);
  }
  for (size_t i = 0; i < files.files().size(); ++i) {
    const std::string& name = files.files()[i].name;
    if (!io::has_image_extension(name)) continue;
    const auto index = static_cast<int64_t>(i);
    if (source.manifest.classes > 0 && name.find('/') == std::string::npos) {
      throw_config("{}: found a picture outside the class folders, expected <class>/<picture>", files.describe(index));
    }
    found.checked_files.push_back(index);
    found.listing.samples.push_back({.name = name, .file = index, .targets = {}});
  }
  return found;
}

/// The classes are the first folders of all splits together; labels follow.
void label_by_folder(Listing& listing) {
  std::set<std::string> classes;
  const auto class_of = [](const Sample& sample) { return sample.name.substr(0, sample.name.find('/')); };
  for (const SplitListing& split : listing.splits) {
    for (const Sample& sample : split.samples) classes.insert(class_of(sample));
  }
  listing.classes.assign(classes.begin(), classes.end());
  for (SplitListing& split : listing.splits) {
    for (Sample& sample : split.samples) {
      const auto at = std::lower_bound(listing.classes.begin(), listing.classes.end(), class_of(sample));
      sample.label = at - listing.classes.begin();
    }
  }
}

// -- CIFAR
// ----------------------------------------------------------------------------------------------------------------------

io::CifarKind cifar_kind(const Manifest& manifest) {
  return manifest.kind == DatasetKind::kCifar10 ? io::CifarKind::kCifar10 : io::CifarKind::kCifar100;
}

Found list_cifar(const Source& source, const SplitManifest& split) {
  Found found;
  found.listing.files = std::make_shared<FileSet>(source.location, split.path, source.manifest.folder_names());
  const FileSet& files = *found.listing.files;
  for (const std::string& name : split.files) {
    found.checked_files.push_back(files.need(name, source.manifest.name));
  }
  std::sort(found.checked_files.begin(), found.checked_files.end());
  files.read(found.checked_files, 1, [&](int64_t position, std::string_view bytes) {
    const int64_t index = found.checked_files[static_cast<size_t>(position)];
    const std::string& file = files.files()[static_cast<size_t>(index)].name;
    const io::CifarBatch batch = io::read_cifar(bytes, cifar_kind(source.manifest), files.describe(index));
    const std::string stem = fs::path(file).replace_extension().generic_string();
    for (int64_t record = 0; record < batch.count; ++record) {
      found.listing.samples.push_back({.name = fmt::format("{}/{:05}", stem, record),
                                       .file = index,
                                       .record = record,
                                       .label = batch.labels[static_cast<size_t>(record)],
                                       .targets = {}});
    }
  });
  return found;
}

// -- image-csv
// ------------------------------------------------------------------------------------------------------------------

TargetUnit unit_of(const std::string& column) {
  if (column.ends_with("_x")) return TargetUnit::kPixelsX;
  if (column.ends_with("_y")) return TargetUnit::kPixelsY;
  return TargetUnit::kPlain;
}

/// The manifest's targets, or every column named target_...; _x and _y at the end make a pixel coordinate.
std::vector<TargetColumn> target_columns(const Manifest& manifest, const CsvTable& table) {
  if (!manifest.targets.empty()) return manifest.targets;
  std::vector<TargetColumn> targets;
  for (const std::string& column : table.columns) {
    if (column.starts_with("target_")) targets.push_back({column, unit_of(column)});
  }
  return targets;
}

size_t need_column(const CsvTable& table, const std::string& name, const std::string& source) {
  const auto column = table.find_column(name);
  if (!column) throw_config("{}: found no column {}; {}", source, name, config::name_hint(name, table.columns));
  return *column;
}

/// A row of no split would be left out in silence.
/// @param split_of  name of a row's split
void refuse_unknown_splits(const Manifest& manifest, const CsvTable& table,
                           const std::function<std::string(const std::vector<std::string>&)>& split_of,
                           const std::string& where) {
  struct Unknown {
    size_t first_row;
    int64_t count;
  };
  std::map<std::string, Unknown> unknown;
  for (size_t r = 0; r < table.rows.size(); ++r) {
    const std::string split = split_of(table.rows[r]);
    if (manifest.find_split(split) == nullptr)
      ++unknown.try_emplace(split, table.row_numbers[r], 0).first->second.count;
  }
  if (unknown.empty()) return;
  std::vector<std::string> names;
  for (const SplitManifest& split : manifest.splits) names.push_back(split.name);
  std::vector<std::string> lines;
  for (const auto& [split, seen] : unknown) {
    lines.push_back(fmt::format("\"{}\" (row {}, {} in all; {})", split, seen.first_row, seen.count,
                                config::name_hint(split, names)));
  }
  throw_config("{}: found rows of splits that the manifest has not: {}", where, shortened(lines));
}

/// All splits at once: they share one table. A row without a column `split` belongs to the split named by its first
/// folder.
std::vector<Found> list_image_csv(const Source& source, Listing& listing) {
  const Manifest& manifest = source.manifest;
  const auto files = std::make_shared<FileSet>(source.location, "", manifest.folder_names());
  const int64_t index_file = files->need(manifest.index, manifest.name + ", its table");
  const std::string where = files->describe(index_file);
  const CsvTable table = parse_csv(files->read_one(index_file), where);
  const size_t file_column = need_column(table, "file", where);
  const auto split_column = table.find_column("split");
  const auto class_column = table.find_column("class");
  if (manifest.classes > 0) need_column(table, "class", where);
  std::vector<size_t> columns;
  for (const TargetColumn& target : target_columns(manifest, table)) {
    columns.push_back(need_column(table, target.column, where));
    listing.target_names.push_back(target.column);
    listing.target_units.push_back(target.unit);
  }

  const auto split_of = [&](const std::vector<std::string>& row) {
    const std::string& file = row[file_column];
    return split_column ? row[*split_column] : file.substr(0, file.find('/'));
  };
  refuse_unknown_splits(manifest, table, split_of, where);

  std::set<std::string> classes;
  if (manifest.classes > 0) {
    for (const auto& row : table.rows) classes.insert(row[*class_column]);
    listing.classes.assign(classes.begin(), classes.end());
  }
  std::vector<Found> found(manifest.splits.size());
  for (size_t s = 0; s < found.size(); ++s) {
    const SplitManifest& split = manifest.splits[s];
    found[s].listing.files = files;
    std::set<int64_t> checked{index_file};
    for (size_t r = 0; r < table.rows.size(); ++r) {
      const std::vector<std::string>& row = table.rows[r];
      const std::string& file = row[file_column];
      if (split_of(row) != split.name) continue;
      const std::string at = fmt::format("{}, row {}", where, table.row_numbers[r]);
      Sample sample{.name = file,
                    .file = files->need(split.path.empty() ? file : fmt::format("{}/{}", split.path, file), at),
                    .targets = {}};
      if (!checked.insert(sample.file).second) throw_config("{}: found the file {} twice", at, file);
      if (manifest.classes > 0) sample.label = std::distance(classes.begin(), classes.find(row[*class_column]));
      for (const size_t column : columns) {
        sample.targets.push_back(csv_number(row[column], fmt::format("{}, {}", at, table.columns[column])));
      }
      found[s].listing.samples.push_back(std::move(sample));
    }
    found[s].checked_files.assign(checked.begin(), checked.end());
  }
  return found;
}

// -- synthetic
// ------------------------------------------------------------------------------------------------------------------

Found list_synthetic(const Manifest& manifest, const SplitManifest& split, const std::vector<std::string>& classes) {
  Found found;
  for (int64_t n = 0; n < *split.count; ++n) {
    const SyntheticSample sample = synthetic_sample(manifest.synthetic, split.name, n);
    found.listing.samples.push_back({.name = fmt::format("{}/{:06}", classes[static_cast<size_t>(sample.label)], n),
                                     .record = n,
                                     .label = sample.label,
                                     .targets = {sample.centre_x, sample.centre_y}});
  }
  return found;
}

// -------------------------------------------------------------------------------------------------------------------------------

std::vector<Found> list_splits(const Manifest& manifest, const Location& location, Listing& listing) {
  const Source source{manifest, location};
  if (manifest.kind == DatasetKind::kImageCsv) return list_image_csv(source, listing);
  if (manifest.kind == DatasetKind::kSynthetic) {
    listing.classes = synthetic_classes(manifest.synthetic);
    listing.target_names = {"target_x", "target_y"};
    listing.target_units = {TargetUnit::kPixelsX, TargetUnit::kPixelsY};
  } else {
    listing.classes = manifest.class_names;
  }
  std::vector<Found> found;
  for (const SplitManifest& split : manifest.splits) {
    switch (manifest.kind) {
      case DatasetKind::kSynthetic:
        found.push_back(list_synthetic(manifest, split, listing.classes));
        break;
      case DatasetKind::kImageFolder:
        found.push_back(list_image_folder(source, split));
        break;
      default:
        found.push_back(list_cifar(source, split));
    }
  }
  return found;
}

/// The checksum over a split's files, or for made pictures over what they are made from.
std::string found_checksum(const Manifest& manifest, const Found& found) {
  if (!found.listing.files) {
    return sha256_hex(boost::json::serialize(config::write(manifest.synthetic)) + found.listing.name +
                      fmt::to_string(found.listing.samples.size()));
  }
  std::vector<FileEntry> files;
  for (const int64_t index : found.checked_files)
    files.push_back(found.listing.files->files()[static_cast<size_t>(index)]);
  return listing_checksum(files);
}

void compare_split(const SplitManifest& expected, const Found& found, const std::string& checksum,
                   const DatasetSettings& settings, int threads, const std::string& where, config::Problems& problems) {
  const std::string at =
      fmt::format("{} ({} of {})", found.listing.files ? found.listing.files->describe() : settings.name, expected.name,
                  settings.name);
  const auto n = static_cast<int64_t>(found.listing.samples.size());
  if (n == 0) problems.add(where, at + ": no pictures", "some");
  if (expected.count && *expected.count != n) {
    problems.add(where, fmt::format("{}: {} samples", at, n), fmt::format("{}, as the manifest says", *expected.count));
  }
  if (!expected.checksum.empty() && expected.checksum != checksum) {
    problems.add(where, fmt::format("{}: names and sizes with checksum {}", at, checksum),
                 fmt::format("{}, as the manifest says", expected.checksum), "some file is missing, added or changed");
  }
  if (!settings.check_contents || !found.listing.files) return;
  if (expected.content_checksum.empty()) {
    problems.add(config::join_path(where, "check_contents"), "true",
                 fmt::format("false: the manifest has no content_checksum for {}", expected.name));
    return;
  }
  const std::string contents = content_checksum(*found.listing.files, found.checked_files, threads);
  if (contents != expected.content_checksum) {
    problems.add(where, fmt::format("{}: contents with checksum {}", at, contents),
                 fmt::format("{}, as the manifest says", expected.content_checksum),
                 "some file's contents have changed");
  }
}

/// Move a seeded share of train to a validation split of its own.
void cut_validation(Listing& listing, const DatasetSettings& settings) {
  const auto train =
      std::find_if(listing.splits.begin(), listing.splits.end(), [](auto& s) { return s.name == "train"; });
  std::vector<int64_t> labels;
  for (const Sample& sample : train->samples) labels.push_back(sample.label);
  const SplitIndices cut =
      stratified_split(labels, settings.validation_fraction, static_cast<uint64_t>(settings.split_seed));
  SplitListing validation{"validation", train->drawn_from, train->files, {}};
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

}  // namespace

Listing list_dataset(const Manifest& manifest, const DatasetSettings& settings,
                     const std::vector<fs::path>& data_folders, int threads, const std::string& where,
                     config::Problems& problems) {
  Listing listing;
  std::optional<Location> location = Location{};
  if (manifest.kind != DatasetKind::kSynthetic) location = locate(manifest, data_folders);
  if (!location) {
    std::vector<std::string> looked;
    for (const fs::path& folder : data_folders) looked.push_back(folder.string());
    problems.add(
        where, fmt::format("no data for \"{}\" in the --data folders [{}]", manifest.name, fmt::join(looked, ", ")),
        fmt::format("a folder or tar named {}", fmt::join(manifest.folder_names(), " or ")), manifest.how_to_get);
    return listing;
  }
  const size_t problems_before = problems.list().size();
  std::vector<Found> found;
  try {
    found = list_splits(manifest, *location, listing);
  } catch (const ConfigError& error) {
    problems.add(where, error.what(), fmt::format("the data set {} as its manifest describes it", manifest.name),
                 manifest.how_to_get);
    return listing;
  }
  Sha256 all;
  for (size_t i = 0; i < found.size(); ++i) {
    SplitListing& split = found[i].listing;
    split.name = split.drawn_from = manifest.splits[i].name;
    std::sort(split.samples.begin(), split.samples.end(), [](auto& a, auto& b) { return a.name < b.name; });
    const std::string checksum = found_checksum(manifest, found[i]);
    all.update(fmt::format("{}\t{}\n", split.name, checksum));
    compare_split(manifest.splits[i], found[i], checksum, settings, threads, where, problems);
    listing.splits.push_back(std::move(split));
  }
  listing.checksum = all.hex();
  if (manifest.kind == DatasetKind::kImageFolder && manifest.classes > 0) label_by_folder(listing);
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
  const auto allowed = static_cast<int64_t>(settings.max_memory_share * static_cast<double>(node_memory_bytes()));
  if (const int64_t bytes = decoded_bytes(listing, settings); bytes > allowed) {
    problems.add(
        where,
        fmt::format("{} decoded at {} px takes {:.1f} MiB", manifest.name, settings.size,
                    static_cast<double>(bytes) / (1 << 20)),
        fmt::format("at most {:.1f} MiB, {} of this node's memory", static_cast<double>(allowed) / (1 << 20),
                    settings.max_memory_share),
        "a data set must fit into memory for now: lower size, raise max_memory_share, or use a machine with more");
  }
  return listing;
}

int64_t decoded_bytes(const Listing& listing, const DatasetSettings& settings) {
  int64_t samples = 0;
  for (const SplitListing& split : listing.splits) samples += std::ssize(split.samples);
  return samples * settings.size * settings.size * 3;
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
