#include "data/kinds.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "data/csv.hpp"
#include "data/synthetic.hpp"
#include "io/cifar.hpp"
#include "io/image.hpp"

namespace invaria::data {
namespace {

/// What a lister needs of the world.
struct Source {
  const Manifest& manifest;
  Location location;
};

// -- image-folder

/// Where a split's pictures are not in class folders: the class of each picture by its file name, from lines
/// "<file> <class> ...", tab-separated if they hold tabs.
std::map<std::string, std::string> read_labels(std::string_view text, const std::string& source) {
  std::map<std::string, std::string> class_of;
  int64_t row = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++row;
    const char* const separators = line.find('\t') != std::string_view::npos ? "\t\r" : " \r";
    const size_t file_end = line.find_first_of(separators);
    const size_t class_begin = line.find_first_not_of(separators, file_end);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (class_begin == std::string_view::npos) {
      throw_config("{}, row {}: found \"{}\", expected a file and its class", source, row, line);
    }
    const size_t class_end = std::min(line.find_first_of(separators, class_begin), line.size());
    const std::string file = fs::path(line.substr(0, file_end)).filename().string();
    if (!class_of.emplace(file, line.substr(class_begin, class_end - class_begin)).second) {
      throw_config("{}, row {}: found the file {} twice", source, row, file);
    }
  }
  return class_of;
}

/// Give the pictures the classes that the split's table has for them: each picture one, each row a picture.
void label_by_table(const SplitManifest& split, const std::string& where, Found& found) {
  const FileSet& files = *found.listing.files;
  const int64_t table = files.need(split.labels, where);
  std::map<std::string, std::string> class_of = read_labels(files.read_one(table), files.describe(table));
  for (Sample& sample : found.listing.samples) {
    const auto row = class_of.extract(fs::path(sample.name).filename().string());
    if (row.empty()) {
      throw_config("{}: found no row for {}, or two pictures of that name, expected one each", files.describe(table),
                   files.describe(sample.file));
    }
    sample.class_name = row.mapped();
  }
  if (!class_of.empty()) {
    throw_config("{}: found no picture for {} of its rows, the first {}", files.describe(table), class_of.size(),
                 class_of.begin()->first);
  }
  found.checked_files.push_back(table);
  std::sort(found.checked_files.begin(), found.checked_files.end());
}

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
    const bool has_classes = source.manifest.classes > 0 && split.labels.empty();
    if (has_classes && name.find('/') == std::string::npos) {
      throw_config("{}: found a picture outside the class folders, expected <class>/<picture>", files.describe(index));
    }
    found.checked_files.push_back(index);
    found.listing.samples.push_back(
        {.name = name, .class_name = name.substr(0, name.find('/')), .file = index, .targets = {}});
  }
  if (!split.labels.empty()) label_by_table(split, source.manifest.name, found);
  return found;
}

/// The classes are those of all splits together, in byte order; labels follow.
void label_by_class(std::vector<Found>& found, Listing& listing) {
  std::set<std::string> classes;
  for (const Found& split : found) {
    for (const Sample& sample : split.listing.samples) classes.insert(sample.class_name);
  }
  listing.classes.assign(classes.begin(), classes.end());
  for (Found& split : found) {
    for (Sample& sample : split.listing.samples) {
      const auto at = std::lower_bound(listing.classes.begin(), listing.classes.end(), sample.class_name);
      sample.label = at - listing.classes.begin();
    }
  }
}

// -- CIFAR

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
                                       .class_name = {},
                                       .file = index,
                                       .record = record,
                                       .label = batch.labels[static_cast<size_t>(record)],
                                       .targets = {}});
    }
  });
  return found;
}

// -- image-csv

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
                    .class_name = {},
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

Found list_synthetic(const Manifest& manifest, const SplitManifest& split, const std::vector<std::string>& classes) {
  Found found;
  for (int64_t n = 0; n < split.count.value_or(0); ++n) {
    const SyntheticSample sample = synthetic_sample(manifest.synthetic, split.name, n);
    found.listing.samples.push_back({.name = fmt::format("{}/{:06}", classes[static_cast<size_t>(sample.label)], n),
                                     .class_name = {},
                                     .record = n,
                                     .label = sample.label,
                                     .targets = {sample.centre_x, sample.centre_y}});
  }
  return found;
}

}  // namespace

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
  if (manifest.kind == DatasetKind::kImageFolder && manifest.classes > 0) label_by_class(found, listing);
  return found;
}

std::string shortened(const std::vector<std::string>& lines) {
  constexpr size_t kShown = 10;
  const auto end = lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), kShown));
  const std::string shown = fmt::format("{}", fmt::join(lines.begin(), end, ", "));
  return lines.size() <= kShown ? shown : fmt::format("{} and {} more", shown, lines.size() - kShown);
}

}  // namespace invaria::data
