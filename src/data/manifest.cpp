#include "data/manifest.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "data/pattern.hpp"
#include "io/files.hpp"

namespace invaria::data {
namespace {

/// The JSON of a manifest file, or nothing if it is JSON of another sort (a suite, say).
std::optional<config::json::value> manifest_json(const fs::path& path) {
  config::json::value value = config::parse_text(io::read_file(path), path.string());
  const config::json::object* object = value.if_object();
  if (object == nullptr || !object->contains("kind") || !object->contains("splits")) return std::nullopt;
  return value;
}

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

/// Keys that only one kind of data set reads, given to another.
void refuse_unread(const config::json::value& given, const Manifest& manifest, config::Problems& problems) {
  const std::array<std::pair<const char*, DatasetKind>, 5> owners{{{"tables", DatasetKind::kTable},
                                                                   {"picture", DatasetKind::kTable},
                                                                   {"class_name", DatasetKind::kTable},
                                                                   {"split_seed", DatasetKind::kTable},
                                                                   {"synthetic", DatasetKind::kSynthetic}}};
  for (const auto& [key, owner] : owners) {
    if (manifest.kind == owner || !given.as_object().contains(key)) continue;
    problems.add(key, key, fmt::format("none: only the kind {} reads it", config::name_of(owner)));
  }
}

}  // namespace

void TableManifest::validate(const std::string& path, config::Problems& problems) const {
  const auto add = [&](const char* key, std::string found, std::string rule) {
    problems.add(config::join_path(path, key), std::move(found), std::move(rule));
  };
  const auto check_pattern = [&](const char* key, const std::string& text) {
    try {
      const Pattern pattern(text, "a pattern");
    } catch (const ConfigError& error) {
      add(key, text, error.what());
    }
  };
  const bool has_fields = format == TableFormat::kText || format == TableFormat::kMat;
  if (files.empty()) add("files", "[]", "the table's file");
  for (const std::string& file : files) check_pattern("files", file);
  for (const std::string& column : columns) check_pattern("columns", column);
  if (has_fields && columns.empty()) add("columns", "[]", "the names of its fields");
  const bool may_have_columns = has_fields || format == TableFormat::kCsv;
  if (format != TableFormat::kMat && !fields.empty()) add("fields", "fields", "none: only mat has them");
  if (!may_have_columns && !columns.empty()) add("columns", "columns", "none: only csv, text and mat have them");
  if (!has_fields && !number_column.empty()) add("number_column", number_column, "none: only text and mat have it");
  if ((format == TableFormat::kMat) != !variable.empty()) {
    add("variable", fmt::format("\"{}\"", variable), format == TableFormat::kMat ? "a variable of the file" : "none");
  }
  if (format != TableFormat::kText && skip_rows > 0) add("skip_rows", fmt::to_string(skip_rows), "0: not a text");
  const bool are_files = format == TableFormat::kPictures || format == TableFormat::kSounds;
  if (are_files && !spread.empty()) add("spread", spread, "none: a list of files has no columns to spread");
}

void KeypointsManifest::validate(const std::string& path, config::Problems& problems) const {
  for (const std::vector<std::string>& pair : pairs) {
    const auto known = [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (pair.size() != 2 || !std::all_of(pair.begin(), pair.end(), known)) {
      problems.add(config::join_path(path, "pairs"), fmt::format("{}", fmt::join(pair, ", ")),
                   "two of the points' names");
    }
  }
}

void BoxManifest::validate(const std::string& path, config::Problems& problems) const {
  const size_t n = corners.size() + position.size();
  if (n != 0 && (n != 4 || (!corners.empty() && !position.empty()))) {
    problems.add(path, fmt::format("{} corners, {} numbers of position", corners.size(), position.size()),
                 "four of one of them");
  }
}

void ClassSplitManifest::validate(const std::string& path, config::Problems& problems) const {
  if (name != "base" && name != "validation" && name != "novel") {
    problems.add(config::join_path(path, "name"), name, "base, validation or novel");
  }
  if ((classes.empty() ? 0 : 1) + (split.empty() ? 0 : 1) + (every == 0 ? 0 : 1) != 1) {
    problems.add(path, name, "one of classes, split and every");
  }
}

void Manifest::validate(const std::string& path, config::Problems& problems) const {
  const auto add = [&](const std::string& key, std::string found, std::string rule) {
    problems.add(config::join_path(path, key), std::move(found), std::move(rule));
  };
  const bool is_cifar = kind == DatasetKind::kCifar10 || kind == DatasetKind::kCifar100;
  const bool is_table = kind == DatasetKind::kTable;
  std::set<std::string> names;
  if (splits.empty()) add("splits", "[]", "at least one split");
  for (size_t i = 0; i < splits.size(); ++i) {
    const SplitManifest& split = splits[i];
    const std::string at = fmt::format("splits[{}]", i);
    if (!names.insert(split.name).second) add(at + ".name", split.name, "a name that no other split has");
    if (split.name != "train" && split.name != "validation" && split.name != "test") {
      add(at + ".name", split.name, "train, validation or test");
    }
    if (is_cifar && split.files.empty()) add(at + ".files", "[]", "the batch files of the split");
    if (!is_cifar && !split.files.empty()) add(at + ".files", "files", "none: only CIFAR's splits list files");
    if (is_table && !split.path.empty()) add(at + ".path", split.path, "none: `picture` says where a table's are");
    if (!is_table && (!split.tables.empty() || !split.picture.empty() || !split.value.empty() || split.first_row > 0 ||
                      split.last_row > 0 || split.per_class > 0 || split.rest)) {
      add(at, split.name, "no tables, picture, value, rows, rest or per_class: the data set is no table");
    }
    if (split.rest && (!split.tables.empty() || !split.value.empty() || split.first_row > 0 || split.last_row > 0 ||
                       split.per_class > 0)) {
      add(at + ".rest", "true", "false: tables, value, rows or per_class say already what the split has");
    }
    if (kind == DatasetKind::kSynthetic && !split.count) add(at + ".count", "", "how many pictures to draw");
  }
  if (is_cifar) {
    const int64_t expected = kind == DatasetKind::kCifar10 ? 10 : 100;
    if (classes != expected) add("classes", fmt::to_string(classes), fmt::format("{}", expected));
  } else if (!is_table && !class_names.empty()) {
    add("class_names", fmt::format("{} names", class_names.size()), "none: this kind's files name the classes");
  }
  if ((is_cifar || !class_names.empty()) && std::ssize(class_names) != classes) {
    add("class_names", fmt::format("{} names", class_names.size()), fmt::format("{} names", classes));
  }
  if (std::set(class_names.begin(), class_names.end()).size() != class_names.size()) {
    add("class_names", fmt::format("{} names", class_names.size()), "each name once");
  }
  if (kind == DatasetKind::kSynthetic && classes != synthetic.shapes * synthetic.colours) {
    add("classes", fmt::to_string(classes), fmt::format("shapes x colours = {}", synthetic.shapes * synthetic.colours));
  }
  if (!is_table && (!targets.empty() || !keypoints.names.empty() || !box.corners.empty() || !box.position.empty())) {
    add("targets", "targets", "none: only a table has targets, key points or a box");
  }
  const auto n_rest =
      std::count_if(splits.begin(), splits.end(), [](const SplitManifest& split) { return split.rest; });
  const bool is_dealt = std::any_of(splits.begin(), splits.end(), [](auto& split) { return split.per_class > 0; });
  if (n_rest > 1 || (n_rest > 0 && is_dealt)) {
    add("splits", fmt::format("{} with rest", n_rest),
        is_dealt ? "none: per_class deals all samples out" : "one at most");
  }
  // One way to say which rows a split has: another one beside it would not be read.
  const bool has_rows = std::any_of(splits.begin(), splits.end(), [](auto& split) { return split.has_rows(); });
  for (size_t i = 0; i < splits.size(); ++i) {
    const SplitManifest& split = splits[i];
    const std::string at = fmt::format("splits[{}]", i);
    if (!split.tables.empty() && (!split.value.empty() || split.has_rows() || is_dealt)) {
      add(at + ".tables", "tables",
          is_dealt ? "none: per_class deals all samples out"
                   : "none, or no value and no rows: its tables are all its rows");
    }
    if (split.tables.empty() && !split.value.empty() && (has_rows || is_dealt)) {
      add(at + ".value", split.value,
          is_dealt ? "none: per_class deals all samples out" : "none: rows say what the splits have");
    }
    if (split.has_rows() && is_dealt) add(at, split.name, "no rows: per_class deals all samples out");
    if (has_rows && !split.has_rows() && split.tables.empty() && !split.rest) {
      add(at, split.name, "first_row or last_row, as another split has, or rest: it would have all rows");
    }
  }
  if (is_table && tables.empty()) add("tables", "[]", "the table with a row for each sample");
  const auto check_tables = [&](const std::string& at, const std::vector<TableManifest>& of) {
    if (!of.empty() && of[0].without_row != WithoutRow::kFail) {
      add(at + "[0].without_row", config::name_of(of[0].without_row),
          "none: it is the table that others are joined to");
    }
    for (size_t t = 0; t < of.size(); ++t) {
      const bool are_sounds = of[t].format == TableFormat::kSounds;
      if (!are_sounds && of[t].format != TableFormat::kPictures) continue;
      if (are_sounds == (media == config::Media::kSounds)) continue;
      add(fmt::format("{}[{}].format", at, t), config::name_of(of[t].format),
          config::name_of(media) + ", as media says");
    }
  };
  check_tables("tables", tables);
  for (size_t i = 0; i < splits.size(); ++i) check_tables(fmt::format("splits[{}].tables", i), splits[i].tables);
  if (media == config::Media::kSounds) {
    if (!has_sample_files(kind)) add("media", "sounds", "pictures: this kind has no files of sounds");
    const bool has_places = !keypoints.names.empty() || !box.corners.empty() || !box.position.empty() ||
                            std::any_of(targets.begin(), targets.end(),
                                        [](const TargetColumn& target) { return target.unit != TargetUnit::kPlain; });
    if (has_places) add("targets", "pixel coordinates", "none: sounds have no pixels");
  }
  for (const ClassSplitManifest& split : class_splits) {
    if (!split.split.empty() && !names.contains(split.split))
      add("class_splits", split.split, "a split of the data set");
  }
}

std::vector<std::string> SplitManifest::values() const {
  std::vector<std::string> values;
  const std::string& text = value.empty() ? name : value;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    values.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return values;
}

const SplitManifest* Manifest::find_split(const std::string& split) const {
  const auto found = std::find_if(splits.begin(), splits.end(), [&](const auto& s) { return s.name == split; });
  return found == splits.end() ? nullptr : &*found;
}

std::vector<std::string> Manifest::folder_names() const {
  return found_as.empty() ? std::vector<std::string>{name} : found_as;
}

Manifest read_manifest(const fs::path& path) {
  config::Problems problems;
  const config::json::value given = config::parse_text(io::read_file(path), path.string());
  auto manifest = config::parse<Manifest>(given, "", problems);
  if (problems.empty()) refuse_unread(given, manifest, problems);
  if (problems.empty() && path.stem() != manifest.name) {
    problems.add("name", manifest.name, fmt::format("\"{}\", as the file is named", path.stem().string()));
  }
  problems.throw_if_any(path.string());
  manifest.source = path;
  return manifest;
}

std::vector<fs::path> manifest_folders(const fs::path& suite_folder, const std::vector<fs::path>& data_folders) {
  std::vector<fs::path> folders{suite_folder, suite_folder / "datasets"};
  folders.insert(folders.end(), data_folders.begin(), data_folders.end());
  folders.push_back(program_folder() / "datasets");
  folders.emplace_back(INVARIA_DATASETS_DIR);
  return folders;
}

std::vector<std::string> known_datasets(const std::vector<fs::path>& folders) {
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() != ".json") continue;
      try {
        if (manifest_json(entry.path())) names.insert(entry.path().stem().string());
      } catch (const std::runtime_error&) {
        // Unreadable or no JSON: it names no data set; asked for by name, it is reported.
      }
    }
  }
  return {names.begin(), names.end()};
}

std::optional<Manifest> find_manifest(const std::string& name, const std::vector<fs::path>& folders,
                                      const std::string& where, config::Problems& problems) {
  const bool is_plain = !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
  for (const fs::path& folder : folders) {
    const fs::path path = folder / (name + ".json");
    std::error_code error;
    if (!is_plain || !fs::is_regular_file(path, error)) continue;
    try {
      if (manifest_json(path)) return read_manifest(path);
    } catch (const ConfigError& broken) {
      problems.add(where, fmt::format("\"{}\"", name), "a data set with a sound manifest", broken.what());
      return std::nullopt;
    }
  }
  std::vector<std::string> looked_in;
  for (const fs::path& folder : folders) looked_in.push_back(folder.string());
  problems.add(where, fmt::format("\"{}\"", name), "the name of a data set's manifest",
               fmt::format("{}; looked for {}.json in {}", config::name_hint(name, known_datasets(folders)), name,
                           fmt::join(looked_in, ", ")));
  return std::nullopt;
}

}  // namespace invaria::data
