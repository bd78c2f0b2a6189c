#pragma once
/// @file
/// How a manifest describes tables of pictures, labels, targets and attributes, whatever file they are in.

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/setting.hpp"

namespace invaria::data {

/// What a row is made from.
enum class TableFormat {
  kCsv,       ///< a line with comma-separated fields; the first names the columns
  kText,      ///< a line with fields parted by single tabs if it has one, else by spaces
  kMat,       ///< one entry of a MATLAB variable
  kPictures,  ///< a picture that is there: its name in column `file`
  kSounds,    ///< a sound that is there: likewise
  kPts,       ///< a file of landmarks ("n_points: 68 { x y ... }"): columns 0_x, 0_y, 1_x, ...
  kVoc,       ///< an XML file as of PASCAL VOC: columns xmin, ymin, xmax, ymax of its first object
  kJson,  ///< a JSON file: a column for each member that is a number, text or truth value, and name_0, name_1, ... for
          ///< a list of them
};

/// What becomes of pictures for which a joined table has no row.
enum class WithoutRow {
  kFail,
  kLeaveOut,
};

struct TableManifest {
  std::vector<std::string> files{};  ///< Patterns of names; the first that fits any file is used
  TableFormat format = TableFormat::kCsv;
  std::vector<std::string> columns{};  ///< text, mat, and csv in place of its first row: a name, or a Pattern of the
                                       ///< field's text; "*": passed over
  std::string variable{};              ///< mat
  std::vector<std::string> fields{};   ///< mat, of a struct array: what is read of each element
  std::string number_column{};         ///< text, mat: a column "name" or "name:width" with the row's number, from 1
  int64_t skip_rows = 0;               ///< text: lines before the first row
  std::string spread{};                ///< a column: see spread()
  WithoutRow without_row = WithoutRow::kFail;

  static auto settings();
  void validate(const std::string& path, config::Problems& problems) const;
};

/// What a target means, so that it can follow the picture.
enum class TargetUnit {
  kPlain,    ///< left as it is
  kPixelsX,  ///< a horizontal pixel coordinate of the stored picture
  kPixelsY,  ///< a vertical one
};

struct TargetColumn {
  std::string column;
  TargetUnit unit = TargetUnit::kPlain;
  std::string mirror{};  ///< name of the target with which it changes places in a mirrored picture; "": none
  std::string name{};    ///< what tasks call it; "" in a manifest: as the column

  static auto settings();
  bool operator==(const TargetColumn&) const = default;
};

struct KeypointsManifest {
  std::vector<std::string> names{};  ///< of the points, in the order of the targets; empty: no points
  std::string x = "{point}_x";       ///< column of a point's horizontal coordinate
  std::string y = "{point}_y";
  std::string annotated{};                        ///< column that is 0 where a point was not annotated; "": all are
  std::vector<std::vector<std::string>> pairs{};  ///< left and right of the same thing, two names each

  static auto settings();
  void validate(const std::string& path, config::Problems& problems) const;
};

struct BoxManifest {
  std::vector<std::string> corners{};   ///< columns of left, top, right, bottom
  std::vector<std::string> position{};  ///< or columns of left, top, width, height

  static auto settings();
  void validate(const std::string& path, config::Problems& problems) const;
};

/// Some of the classes, for few-shot learning: by name, those that a split holds, or every n-th.
struct ClassSplitManifest {
  std::string name;
  std::vector<std::string> classes{};
  std::string split{};
  int64_t every = 0;
  int64_t first = 0;

  static auto settings();
  void validate(const std::string& path, config::Problems& problems) const;
};

}  // namespace invaria::data

template <>
struct invaria::config::EnumNames<invaria::data::TableFormat> {
  using enum invaria::data::TableFormat;
  static constexpr std::array<std::pair<invaria::data::TableFormat, const char*>, 8> kNames{{{kCsv, "csv"},
                                                                                             {kText, "text"},
                                                                                             {kMat, "mat"},
                                                                                             {kPictures, "pictures"},
                                                                                             {kSounds, "sounds"},
                                                                                             {kPts, "pts"},
                                                                                             {kVoc, "voc"},
                                                                                             {kJson, "json"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::WithoutRow> {
  using enum invaria::data::WithoutRow;
  static constexpr std::array<std::pair<invaria::data::WithoutRow, const char*>, 2> kNames{
      {{kFail, "fail"}, {kLeaveOut, "leave-out"}}};
};
template <>
struct invaria::config::EnumNames<invaria::data::TargetUnit> {
  using enum invaria::data::TargetUnit;
  static constexpr std::array<std::pair<invaria::data::TargetUnit, const char*>, 3> kNames{
      {{kPlain, "plain"}, {kPixelsX, "pixels-x"}, {kPixelsY, "pixels-y"}}};
};

namespace invaria::data {

inline auto TableManifest::settings() {
  using S = TableManifest;
  using config::setting;
  return std::tuple{
      setting(
          "files", &S::files,
          "names of its files inside the data set, {name} and * standing for anything but '/', {name=a|b} for a or b; "
          "what {name} stands for is a column; the first entry that fits any file is used",
          config::required()),
      setting("format", &S::format, "how it is written"),
      setting("columns", &S::columns,
              "text, mat, and csv in place of its first row: what each field is called; {name}s in it take the field "
              "apart, * passes it over"),
      setting("variable", &S::variable, "mat: the variable"),
      setting("fields", &S::fields, "mat: if the variable is a struct array, the fields that are read"),
      setting("number_column", &S::number_column,
              "text, mat: a column with the row's number, from 1; as name:8 with zeros in front"),
      setting("skip_rows", &S::skip_rows, "text: lines before the first row", config::at_least(0)),
      setting(
          "spread", &S::spread,
          "a column, behind those that name a row, whose values tell several lines of one row apart: column x of the "
          "line with value 3 becomes the row's column x_3"),
      setting("without_row", &S::without_row, "what becomes of pictures for which a joined table has no row")};
}

inline auto TargetColumn::settings() {
  using S = TargetColumn;
  return std::tuple{
      config::setting("column", &S::column, "name of the column", config::required()),
      config::setting("unit", &S::unit, "whether the number is a pixel coordinate, which moves with the picture"),
      config::setting("mirror", &S::mirror, "name of the target with which it changes places in a mirrored picture"),
      config::setting("name", &S::name, "what tasks call the target; empty: as the column")};
}

inline auto KeypointsManifest::settings() {
  using S = KeypointsManifest;
  return std::tuple{
      config::setting("names", &S::names, "names of the points"),
      config::setting("x", &S::x, "column of a point's horizontal pixel coordinate, {point} its name"),
      config::setting("y", &S::y, "column of its vertical one"),
      config::setting("annotated", &S::annotated,
                      "column that is 0 where the point was not annotated: pictures with such a point are left out; "
                      "empty: all points are annotated"),
      config::setting("pairs", &S::pairs, "points that change places in a mirrored picture, two names each")};
}

inline auto BoxManifest::settings() {
  using S = BoxManifest;
  return std::tuple{config::setting("corners", &S::corners, "columns of left, top, right and bottom, in pixels"),
                    config::setting("position", &S::position, "or of left, top, width and height")};
}

inline auto ClassSplitManifest::settings() {
  using S = ClassSplitManifest;
  return std::tuple{
      config::setting("name", &S::name, "base, validation or novel", config::required_name()),
      config::setting("classes", &S::classes, "its classes by name"),
      config::setting("split", &S::split, "or those with pictures in this split"),
      config::setting("every", &S::every, "or every n-th of the sorted classes", config::at_least(0)),
      config::setting("first", &S::first, "with `every`: from this one on, counted from 0", config::at_least(0))};
}

}  // namespace invaria::data
