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
#include "config/setting.hpp"

namespace invaria::data {

namespace fs = std::filesystem;

/// How the files of a data set are laid out.
enum class DatasetKind {
  kImageFolder,  ///< <class>/.../<picture>.jpg, or pictures and a table; classes in byte order of their names
  kCifar10,      ///< the binary version: batches of records
  kCifar100,     ///< the same, fine labels
  kImageCsv,     ///< pictures and a table of their classes and regression targets
  kSynthetic,    ///< no files: pictures drawn by formula
};

/// What a number of the index table means, so that it can follow the resize.
enum class TargetUnit {
  kPlain,    ///< left as it is
  kPixelsX,  ///< a horizontal pixel coordinate of the stored picture
  kPixelsY,  ///< a vertical one
};

struct TargetColumn {
  std::string column;
  TargetUnit unit = TargetUnit::kPlain;
  static auto settings();
};

struct SplitManifest {
  std::string name;
  std::string path;                ///< folder or tar inside the data set; "": the data set's own folder
  std::vector<std::string> files;  ///< CIFAR: the batches, in order
  std::optional<int64_t> count;    ///< samples
  std::string checksum;            ///< listing_checksum() of its files; "": not known
  std::string content_checksum;    ///< content_checksum() of its files; "": not known
  std::string labels{};            ///< image-folder: table of `file class` lines inside `path`; "": class folders
  static auto settings();
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
  std::vector<std::string> found_as;  ///< names of its folder or tar; empty: its own name
  std::vector<SplitManifest> splits;
  int64_t classes = 0;                   ///< 0: without classes
  std::vector<std::string> class_names;  ///< CIFAR: in label order
  std::string index = "index.csv";       ///< image-csv: the table
  std::vector<TargetColumn> targets;     ///< image-csv: regression targets; empty: columns named target_...
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
std::optional<Manifest> find_manifest(const std::string& name, const std::vector<fs::path>& folders,
                                      const std::string& where, config::Problems& problems);

}  // namespace invaria::data

template <>
struct invaria::config::EnumNames<invaria::data::DatasetKind> {
  using Kind = data::DatasetKind;
  static constexpr std::array<std::pair<Kind, const char*>, 5> kNames{{{Kind::kImageFolder, "image-folder"},
                                                                       {Kind::kCifar10, "cifar-10"},
                                                                       {Kind::kCifar100, "cifar-100"},
                                                                       {Kind::kImageCsv, "image-csv"},
                                                                       {Kind::kSynthetic, "synthetic"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::TargetUnit> {
  using Unit = data::TargetUnit;
  static constexpr std::array<std::pair<Unit, const char*>, 3> kNames{
      {{Unit::kPlain, "plain"}, {Unit::kPixelsX, "pixels-x"}, {Unit::kPixelsY, "pixels-y"}}};
};

namespace invaria::data {

inline auto TargetColumn::settings() {
  return std::tuple{
      config::setting("column", &TargetColumn::column, "name of the column in the index", config::required()),
      config::setting("unit", &TargetColumn::unit, "whether the number is a pixel coordinate, which the resize moves")};
}

inline auto SplitManifest::settings() {
  using S = SplitManifest;
  return std::tuple{
      config::setting("name", &S::name, "train, validation or test", config::required_name()),
      config::setting("path", &S::path, "folder or tar inside the data set"),
      config::setting("files", &S::files, "cifar: the batch files, in order"),
      config::setting("labels", &S::labels,
                      "image-folder: the file inside path whose lines give each picture's file name and class, where "
                      "no class folders do"),
      config::setting("count", &S::count, "number of samples", config::at_least(1)),
      config::setting("checksum", &S::checksum, "SHA-256 over the sorted lines `name TAB bytes` of the split's files"),
      config::setting("content_checksum", &S::content_checksum,
                      "SHA-256 over the sorted lines `name TAB SHA-256 of the file`")};
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
      setting("found_as", &S::found_as, "names of its folder or tar in a --data folder; empty: its own name"),
      setting("splits", &S::splits, "its splits", config::required()),
      setting("classes", &S::classes, "number of classes; 0: without classes", config::at_least(0)),
      setting("class_names", &S::class_names, "cifar: the names of the classes in label order"),
      setting("index", &S::index, "image-csv: the table with columns file, split, class and targets"),
      setting("targets", &S::targets, "image-csv: regression targets; empty: the columns named target_..."),
      setting("synthetic", &S::synthetic, "synthetic: what is drawn"),
      setting("licence", &S::licence, "the licence of the data and where it is stated"),
      setting("citation", &S::citation, "what to cite"),
      setting("how_to_get", &S::how_to_get, "what to tell a user who has not got it")};
}

}  // namespace invaria::data
