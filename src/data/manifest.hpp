#pragma once
/// @file
/// What is known of a data set before it is read: datasets/<name>.json.

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "config/problems.hpp"
#include "config/stored_shape.hpp"
#include "data/table_manifest.hpp"
#include "io/archive.hpp"

namespace invaria::data {

namespace fs = std::filesystem;

/// How the files of a data set are laid out.
enum class DatasetKind {
  kImageFolder,  ///< <class>/.../<picture or sound>; classes in byte order of their names
  kCifar10,      ///< the binary version: batches of records
  kCifar100,     ///< the same, fine labels
  kTable,        ///< pictures or sounds, and tables of their splits, classes, targets and attributes
  kSynthetic,    ///< no files: pictures drawn by formula
};

/// Whether its samples are files of their own, which can be packed as they are.
constexpr bool has_sample_files(DatasetKind kind) {
  return kind == DatasetKind::kImageFolder || kind == DatasetKind::kTable;
}

struct SplitManifest {
  std::string name;
  std::string path{};                ///< image-folder, CIFAR: folder or archive in the data set; "": the data set's own
  std::vector<std::string> files{};  ///< CIFAR: the batches, in order
  std::optional<int64_t> count{};    ///< samples
  std::string checksum{};            ///< listing_checksum() of its files; "": not known
  std::string content_checksum{};    ///< content_checksum() of its files; "": not known
  // The table kind:
  std::vector<TableManifest> tables{};  ///< in place of the data set's
  std::string picture{};                ///< likewise
  std::string value{};    ///< what column `split` has for its rows, a|b for one or the other; "": its name
  int64_t first_row = 0;  ///< its rows by number, from 1; 0: from the first
  int64_t last_row = 0;   ///< 0: to the last
  bool rest = false;      ///< those of the data set's tables that no other split has
  int64_t per_class = 0;  ///< of each class so many at most, drawn by `split_seed`; 0: all that are left
  static auto settings();

  /// What `value` allows.
  std::vector<std::string> values() const;
  /// Whether numbers of rows say what it has.
  bool has_rows() const { return first_row > 0 || last_row > 0; }
};

struct SyntheticManifest {
  int64_t shapes = 4;
  int64_t colours = 5;
  int64_t seed = 0;
  static auto settings();
};

struct Manifest {
  std::string name;
  DatasetKind kind = DatasetKind::kImageFolder;
  config::Media media = config::Media::kPictures;
  std::vector<std::string> found_as;  ///< names of its folder or archive; empty: its own name
  io::InnerArchives archives_inside = io::InnerArchives::kFiles;
  std::vector<SplitManifest> splits;
  int64_t classes = 0;                   ///< 0: without classes
  std::vector<std::string> class_names;  ///< in label order; of a table, rows of other classes are left out
  std::vector<ClassSplitManifest> class_splits;
  // The table kind:
  std::vector<TableManifest> tables{
      TableManifest{.files = {"index.csv"}}};  ///< the first has the rows, the others are joined to it
  std::string picture = "{file}";              ///< Template of a row's picture or sound
  std::string class_name = "{class}";          ///< Template of a row's class
  int64_t split_seed = 0;
  std::vector<TargetColumn> targets;  ///< besides key points and box; all three empty: the columns target_...
  KeypointsManifest keypoints;
  BoxManifest box;
  SyntheticManifest synthetic;
  std::string licence;
  std::string citation;
  std::string how_to_get;

  fs::path source;  ///< the file that it was read from; not part of the record

  static auto settings();
  void validate(const std::string& path, config::Problems& problems) const;

  /// The split of that name, or nullptr.
  const SplitManifest* find_split(const std::string& split) const;
  /// `found_as`, or the name if that is empty.
  std::vector<std::string> folder_names() const;
};

/// @throws ConfigError naming the file and every problem in it; EnvironmentError if it cannot be read
Manifest read_manifest(const fs::path& path);

/// Where manifests are looked for, in this order: the suite's folder, its datasets/ folder, the --data folders,
/// datasets/ beside the program, datasets/ of the source tree that the program was built from.
std::vector<fs::path> manifest_folders(const fs::path& suite_folder, const std::vector<fs::path>& data_folders);

/// Names of all manifests in `folders`, sorted, each once. JSON files of another sort are passed over.
std::vector<std::string> known_datasets(const std::vector<fs::path>& folders);

/// The manifest `<name>.json` of the first folder that has it. What is wrong (an unknown name with the nearest known
/// one, a broken manifest) is added to `problems` under `where`, and nothing returned.
/// @throws EnvironmentError if a manifest is there and cannot be read
std::optional<Manifest> find_manifest(const std::string& name, const std::vector<fs::path>& folders,
                                      const std::string& where, config::Problems& problems);

}  // namespace invaria::data

template <>
struct invaria::config::EnumNames<invaria::data::DatasetKind> {
  using Kind = data::DatasetKind;
  static constexpr std::array<std::pair<Kind, const char*>, 5> kNames{{{Kind::kImageFolder, "image-folder"},
                                                                       {Kind::kCifar10, "cifar-10"},
                                                                       {Kind::kCifar100, "cifar-100"},
                                                                       {Kind::kTable, "table"},
                                                                       {Kind::kSynthetic, "synthetic"}}};
};
template <>
struct invaria::config::EnumNames<invaria::io::InnerArchives> {
  using Inner = io::InnerArchives;
  static constexpr std::array<std::pair<Inner, const char*>, 2> kNames{
      {{Inner::kFiles, "files"}, {Inner::kFolders, "folders"}}};
};

namespace invaria::data {

inline auto SplitManifest::settings() {
  using S = SplitManifest;
  using config::setting;
  return std::tuple{
      setting("name", &S::name, "train, validation or test", config::required_name()),
      setting("path", &S::path, "image-folder, cifar: folder or archive inside the data set"),
      setting("files", &S::files, "cifar: the batch files, in order"),
      setting("count", &S::count, "number of samples", config::at_least(1)),
      setting("checksum", &S::checksum, "SHA-256 over the sorted lines `name TAB bytes` of the split's files"),
      setting("content_checksum", &S::content_checksum, "SHA-256 over the sorted lines `name TAB SHA-256 of the file`"),
      setting("tables", &S::tables, "table: the split's own tables, in place of the data set's"),
      setting("picture", &S::picture, "table: in place of the data set's"),
      setting("value", &S::value,
              "table: what column `split` has for its rows, a|b for one or the other; empty: its name"),
      setting("first_row", &S::first_row, "table: its rows by number, from 1 on; 0: from the first",
              config::at_least(0)),
      setting("last_row", &S::last_row, "table: its rows by number; 0: to the last", config::at_least(0)),
      setting("rest", &S::rest, "table: what the data set's tables have and no other split holds"),
      setting("per_class", &S::per_class,
              "table without official splits: so many of each class at most, drawn by split_seed, split after split; "
              "0: all that are left",
              config::at_least(0))};
}

inline auto SyntheticManifest::settings() {
  using S = SyntheticManifest;
  return std::tuple{config::setting("shapes", &S::shapes, "kinds of shape", config::between(1, 5)),
                    config::setting("colours", &S::colours, "colours of a shape", config::between(1, 6)),
                    config::setting("seed", &S::seed, "seed of all pictures", config::at_least(0))};
}

inline auto Manifest::settings() {
  using S = Manifest;
  using config::setting;
  return std::tuple{
      setting("name", &S::name, "what suites call the data set", config::required_name()),
      setting("kind", &S::kind, "how its files are laid out", config::required()),
      setting("media", &S::media, "image-folder and table: whether the files are pictures or sounds"),
      setting("found_as", &S::found_as, "names of its folder or archive in a --data folder; empty: its own name"),
      setting("archives_inside", &S::archives_inside,
              "whether tars and zips inside the data set are files, or folders named without their extension"),
      setting("splits", &S::splits, "its splits", config::required()),
      setting("classes", &S::classes, "number of classes; 0: without classes", config::at_least(0)),
      setting("class_names", &S::class_names,
              "cifar: the names of the classes in label order; table: the same, rows of other classes being left out"),
      setting("class_splits", &S::class_splits,
              "classes to learn from, to choose by and to judge by, for few-shot tasks"),
      setting(
          "tables", &S::tables,
          "table: the first has a row for each picture, the others are joined to it by the columns that they share"),
      setting("picture", &S::picture,
              "table: a row's picture or sound; {name} is its column, {name:06} with zeros in front"),
      setting("class_name", &S::class_name, "table: a row's class, likewise"),
      setting("split_seed", &S::split_seed, "table: seed of splits that are drawn", config::at_least(0)),
      setting("targets", &S::targets,
              "table: columns of regression targets; without key points and box too, the columns named target_..."),
      setting("keypoints", &S::keypoints, "table: points in the picture, as targets"),
      setting("box", &S::box, "table: a box in the picture, as targets xmin, ymin, xmax and ymax"),
      setting("synthetic", &S::synthetic, "synthetic: what is drawn"),
      setting("licence", &S::licence, "the licence of the data and where it is stated"),
      setting("citation", &S::citation, "what to cite"),
      setting("how_to_get", &S::how_to_get, "what to tell a user who has not got it")};
}

}  // namespace invaria::data
