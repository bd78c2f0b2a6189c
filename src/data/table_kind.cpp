#include "data/table_kind.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "data/csv.hpp"
#include "data/pattern.hpp"
#include "data/synthetic.hpp"
#include "data/table.hpp"

namespace invaria::data {
namespace {

constexpr const char* kAttributePrefix = "attr_";
/// Names of a box's targets, and of the columns where right and bottom are sums.
constexpr const char* kBoxSides[] = {"box_xmin", "box_ymin", "box_xmax", "box_ymax"};

/// A manifest's Template together with the columns that it is filled from.
class Filler {
 public:
  Filler(const std::string& text, const Table& table, const std::string& where) : template_(text, where) {
    for (const std::string& name : template_.names()) columns_.push_back(table.need_column(name, where));
  }
  std::string operator()(const Table::Row& row) const {
    std::vector<std::string_view> values;
    for (const size_t column : columns_) values.push_back(row.fields[column]);
    return template_.fill(values);
  }

 private:
  Template template_;
  std::vector<size_t> columns_;
};

Table read_tables(const std::vector<TableManifest>& manifests, const FileSet& files, const std::string& where,
                  std::vector<int64_t>& read_files) {
  Table table = read_table(manifests[0], files, where, read_files);
  for (size_t i = 1; i < manifests.size(); ++i) {
    table = join(std::move(table), read_table(manifests[i], files, where, read_files), manifests[i].without_row, where);
  }
  return table;
}

/// Adds the columns kBoxSides to a table that has a box as left, top, width and height.
void add_box_sides(const BoxManifest& box, const std::string& where, Table& table) {
  if (box.position.empty()) return;
  std::vector<size_t> at;
  for (const std::string& column : box.position) at.push_back(table.need_column(column, where));
  for (const char* side : kBoxSides) {
    if (table.find_column(side)) throw_config("{}: found a column {}, which the box makes", where, side);
    table.columns.emplace_back(side);
  }
  for (Table::Row& row : table.rows) {
    std::vector<double> value;
    for (const size_t column : at) value.push_back(csv_number(row.fields[column], row.where()));
    for (const double side : {value[0], value[1], value[0] + value[2], value[1] + value[3]}) {
      row.fields.push_back(fmt::to_string(side));
    }
  }
}

/// The names of splits in a table's column must be the manifest's: a row of no split would be left out in silence.
void refuse_unknown_splits(const Manifest& manifest, const Table& table,
                           const std::function<std::string(const Table::Row&)>& split_of) {
  std::vector<std::string> names;
  for (const SplitManifest& split : manifest.splits) {
    for (std::string& value : split.values()) names.push_back(std::move(value));
  }
  struct Unknown {
    const Table::Row* first;
    int64_t count;
  };
  std::map<std::string, Unknown> unknown;
  for (const Table::Row& row : table.rows) {
    const std::string split = split_of(row);
    if (std::find(names.begin(), names.end(), split) != names.end()) continue;
    ++unknown.try_emplace(split, Unknown{&row, 0}).first->second.count;
  }
  if (unknown.empty()) return;
  std::vector<std::string> lines;
  for (const auto& [split, seen] : unknown) {
    lines.push_back(fmt::format("\"{}\" ({}, {} in all; {})", split, seen.first->where(), seen.count,
                                config::name_hint(split, names)));
  }
  throw_config("{}: found rows of splits that the manifest has not: {}", manifest.name, shortened(lines));
}

/// Rows to samples.
class Lister {
 public:
  Lister(const Manifest& manifest, const Location& location)
      : manifest_(manifest),
        files_(std::make_shared<FileSet>(location, "", manifest.folder_names(), manifest.archives_inside)) {}

  std::vector<SplitListing> list(Listing& listing) {
    const bool is_shared = std::any_of(manifest_.splits.begin(), manifest_.splits.end(),
                                       [](const SplitManifest& split) { return split.tables.empty(); });
    if (is_shared) {
      shared_ = read_tables(manifest_.tables, *files_, manifest_.name, shared_files_);
      add_box_sides(manifest_.box, manifest_.name, shared_);
      if (!shared_.find_column("split")) picture_of_.emplace(manifest_.picture, shared_, manifest_.name);
      const bool by_name = !is_drawn() && !by_rows() && !has_rest();
      if (by_name) refuse_unknown_splits(manifest_, shared_, [&](const Table::Row& row) { return split_of(row); });
    }
    std::vector<SplitListing> found(manifest_.splits.size());
    for (size_t s = 0; s < found.size(); ++s) {
      found[s].files = files_;
      add_split(manifest_.splits[s], found[s], listing);
    }
    if (has_rest()) leave_rest(found);
    if (manifest_.classes > 0) label(found, listing);
    if (is_drawn()) draw(found);
    refuse_shared_files(found);
    for (size_t s = 0; s < found.size(); ++s) add_checked_files(found[s]);
    return found;
  }

 private:
  bool is_drawn() const {
    return std::any_of(manifest_.splits.begin(), manifest_.splits.end(), [](auto& s) { return s.per_class > 0; });
  }
  bool by_rows() const {
    return std::any_of(manifest_.splits.begin(), manifest_.splits.end(), [](auto& s) { return s.has_rows(); });
  }

  bool has_rest() const {
    return std::any_of(manifest_.splits.begin(), manifest_.splits.end(), [](auto& s) { return s.rest; });
  }

  /// Take out of the splits that are the rest what others hold.
  void leave_rest(std::vector<SplitListing>& found) const {
    std::set<int64_t> held;
    for (size_t s = 0; s < found.size(); ++s) {
      if (manifest_.splits[s].rest) continue;
      for (const Sample& sample : found[s].samples) held.insert(sample.file);
    }
    for (size_t s = 0; s < found.size(); ++s) {
      if (manifest_.splits[s].rest)
        std::erase_if(found[s].samples, [&](const Sample& sample) { return held.contains(sample.file); });
    }
  }

  /// A sample that two splits have would be learned from and tested on.
  void refuse_shared_files(const std::vector<SplitListing>& found) const {
    std::vector<const SplitManifest*> split_of(files_->files().size(), nullptr);
    for (size_t s = 0; s < found.size(); ++s) {
      for (const Sample& sample : found[s].samples) {
        const SplitManifest*& holder = split_of[static_cast<size_t>(sample.file)];
        if (holder != nullptr) {
          throw_config("{}: found {} in the splits {} and {}, expected each file in one", manifest_.name, sample.name,
                       holder->name, manifest_.splits[s].name);
        }
        holder = &manifest_.splits[s];
      }
    }
  }

  /// Of a row of the shared table: its column `split`, or the first folder of its picture.
  std::string split_of(const Table::Row& row) const {
    if (const auto column = shared_.find_column("split")) return row.fields[*column];
    const std::string picture = (*picture_of_)(row);
    return picture.substr(0, picture.find('/'));
  }

  bool belongs(const SplitManifest& split, const Table::Row& row, int64_t number) const {
    if (!split.tables.empty() || is_drawn() || split.rest) return true;
    if (by_rows()) return number >= split.first_row && (split.last_row == 0 || number <= split.last_row);
    const std::vector<std::string> values = split.values();
    return std::find(values.begin(), values.end(), split_of(row)) != values.end();
  }

  void add_split(const SplitManifest& split, SplitListing& found, Listing& listing) {
    Table own;
    if (!split.tables.empty()) {
      own = read_tables(split.tables, *files_, manifest_.name, found.checked_files);
      add_box_sides(manifest_.box, manifest_.name, own);
    } else {
      found.checked_files = shared_files_;
    }
    const Table& table = split.tables.empty() ? shared_ : own;
    const std::string& picture_text = split.picture.empty() ? manifest_.picture : split.picture;
    const Filler picture(picture_text, table, manifest_.name + ", picture");
    const std::optional<Filler> class_name =
        manifest_.classes > 0 ? std::make_optional<Filler>(manifest_.class_name, table, manifest_.name + ", class_name")
                              : std::nullopt;
    const std::vector<size_t> targets = find_targets(table, listing);
    const std::vector<size_t> annotated = find_annotated(table);
    std::set<int64_t> seen;
    for (size_t r = 0; r < table.rows.size(); ++r) {
      const Table::Row& row = table.rows[r];
      if (!belongs(split, row, static_cast<int64_t>(r) + 1)) continue;
      Sample sample;
      if (class_name) {
        sample.class_name = (*class_name)(row);
        if (is_left_out(sample.class_name)) continue;
      }
      if (lacks_a_point(row, annotated, table)) continue;
      sample.name = picture(row);
      sample.file = files_->need(sample.name, row.where());
      if (!seen.insert(sample.file).second) {
        throw_config("{}: found the file {} twice", row.where(), sample.name);
      }
      for (const size_t column : targets) sample.targets.push_back(value_of(row, column, table));
      found.samples.push_back(std::move(sample));
    }
  }

  bool is_left_out(const std::string& class_name) const {
    const auto& names = manifest_.class_names;
    if (names.empty()) return false;
    if (class_names_.empty()) class_names_.insert(names.begin(), names.end());
    return !class_names_.contains(class_name);
  }

  /// Columns that say whether key points are annotated; none where all are.
  std::vector<size_t> find_annotated(const Table& table) const {
    std::vector<size_t> at;
    if (manifest_.keypoints.annotated.empty()) return at;
    const Template column(manifest_.keypoints.annotated, "key points");
    for (const std::string& point : manifest_.keypoints.names)
      at.push_back(table.need_column(column.fill(std::vector<std::string_view>(column.names().size(), point)),
                                     manifest_.name + ", keypoints.annotated"));
    return at;
  }

  static bool lacks_a_point(const Table::Row& row, const std::vector<size_t>& annotated, const Table& table) {
    return std::any_of(annotated.begin(), annotated.end(), [&](size_t column) {
      return csv_number(row.fields[column], fmt::format("{}, {}", row.where(), table.columns[column])) == 0.0;
    });
  }

  static double value_of(const Table::Row& row, size_t column, const Table& table) {
    const std::string& text = row.fields[column];
    const std::string where = fmt::format("{}, {}", row.where(), table.columns[column]);
    if (!table.columns[column].starts_with(kAttributePrefix)) return csv_number(text, where);
    if (text == "1") return 1;
    if (text == "0" || text == "-1") return 0;
    throw_config("{}: found \"{}\", expected 1, or 0 or -1", where, text);
  }

  /// Every split has the same targets.
  std::vector<size_t> find_targets(const Table& table, Listing& listing) const {
    std::vector<size_t> at;
    const std::vector<TargetColumn> targets = target_columns(manifest_, table.columns);
    for (const TargetColumn& target : targets) at.push_back(table.need_column(target.column, manifest_.name));
    if (listing.targets.empty()) listing.targets = targets;
    if (listing.targets != targets) throw_config("{}: found splits with other targets", manifest_.name);
    return at;
  }

  /// The manifest's classes, or those of all splits together in byte order; labels follow.
  void label(std::vector<SplitListing>& found, Listing& listing) const {
    listing.classes = manifest_.class_names;
    if (listing.classes.empty()) return label_by_class(found, listing);
    std::map<std::string, int64_t> label_of;
    for (const std::string& name : listing.classes) label_of.emplace(name, label_of.size());
    for (SplitListing& split : found) {
      for (Sample& sample : split.samples) sample.label = label_of.at(sample.class_name);
    }
  }

  /// Every split holds all samples: deal each class out, split after split, in an order drawn for that class.
  void draw(std::vector<SplitListing>& found) const {
    std::map<int64_t, std::vector<const Sample*>> by_class;
    const std::vector<Sample> all = std::move(found[0].samples);
    for (const Sample& sample : all) by_class[sample.label].push_back(&sample);
    for (SplitListing& split : found) split.samples.clear();
    for (auto& [label, samples] : by_class) {
      std::sort(samples.begin(), samples.end(), [](auto* a, auto* b) { return a->name < b->name; });
      Draws draws({.seed = static_cast<uint64_t>(manifest_.split_seed),
                   .purpose = Purpose::kSplit,
                   .sample = static_cast<uint64_t>(label + 1)});
      draws.shuffle(std::span(samples));
      size_t next = 0;
      for (size_t s = 0; s < found.size(); ++s) {
        const auto most = static_cast<size_t>(manifest_.splits[s].per_class);
        const size_t end = most == 0 ? samples.size() : std::min(next + most, samples.size());
        for (; next < end; ++next) found[s].samples.push_back(*samples[next]);
      }
    }
  }

  static void add_checked_files(SplitListing& found) {
    for (const Sample& sample : found.samples) found.checked_files.push_back(sample.file);
    auto& files = found.checked_files;
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
  }

  const Manifest& manifest_;
  std::shared_ptr<const FileSet> files_;
  Table shared_;
  std::optional<Filler> picture_of_;  ///< of the shared table's rows, where it has no column `split`
  std::vector<int64_t> shared_files_;
  mutable std::set<std::string> class_names_;
};

TargetUnit unit_of(const std::string& column) {
  if (column.ends_with("_x")) return TargetUnit::kPixelsX;
  if (column.ends_with("_y")) return TargetUnit::kPixelsY;
  return TargetUnit::kPlain;
}

void add_keypoints(const KeypointsManifest& points, std::vector<TargetColumn>& targets) {
  std::map<std::string, std::string> partner;
  for (const auto& pair : points.pairs) {
    partner[pair[0]] = pair[1];
    partner[pair[1]] = pair[0];
  }
  for (const std::string& point : points.names) {
    for (const auto& [text, unit] : {std::pair{points.x, TargetUnit::kPixelsX}, {points.y, TargetUnit::kPixelsY}}) {
      const Template column(text, "key points");
      const char letter = unit == TargetUnit::kPixelsX ? 'x' : 'y';
      const auto name = [&](const std::string& of) { return fmt::format("point_{}_{}", of, letter); };
      const auto found = partner.find(point);
      targets.push_back({column.fill(std::vector<std::string_view>(column.names().size(), point)), unit,
                         found == partner.end() ? "" : name(found->second), name(point)});
    }
  }
}

void add_box(const BoxManifest& box, std::vector<TargetColumn>& targets) {
  if (box.corners.empty() && box.position.empty()) return;
  std::vector<std::string> side = box.corners;
  if (side.empty()) side.assign(std::begin(kBoxSides), std::end(kBoxSides));
  targets.push_back({side[0], TargetUnit::kPixelsX, kBoxSides[2], kBoxSides[0]});
  targets.push_back({side[1], TargetUnit::kPixelsY, "", kBoxSides[1]});
  targets.push_back({side[2], TargetUnit::kPixelsX, kBoxSides[0], kBoxSides[2]});
  targets.push_back({side[3], TargetUnit::kPixelsY, "", kBoxSides[3]});
}

}  // namespace

std::vector<TargetColumn> target_columns(const Manifest& manifest, const std::vector<std::string>& columns) {
  std::vector<TargetColumn> targets = manifest.targets;
  add_keypoints(manifest.keypoints, targets);
  add_box(manifest.box, targets);
  if (targets.empty()) {
    for (const std::string& column : columns) {
      if (column.starts_with("target_")) targets.push_back({column, unit_of(column)});
    }
  }
  for (const std::string& column : columns) {
    if (column.starts_with(kAttributePrefix)) targets.push_back({column});
  }
  for (TargetColumn& target : targets) {
    if (target.name.empty()) target.name = target.column;
  }
  return targets;
}

std::vector<TargetColumn> promised_targets(const Manifest& manifest) {
  if (manifest.kind == DatasetKind::kSynthetic) return synthetic_targets();
  std::vector<std::string> columns;
  const auto add_columns = [&](const std::vector<TableManifest>& tables) {
    for (const TableManifest& table : tables) {
      for (const std::string& column : table.columns) {
        if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
      }
    }
  };
  add_columns(manifest.tables);
  if (columns.empty() && !manifest.splits.empty()) add_columns(manifest.splits.front().tables);
  return target_columns(manifest, columns);
}

std::vector<SplitListing> list_table(const Manifest& manifest, const Location& location, Listing& listing) {
  return Lister(manifest, location).list(listing);
}

}  // namespace invaria::data
