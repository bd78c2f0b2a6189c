/// @file
/// One reader a format: a file's bytes to rows of text.

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

#include "core/errors.hpp"
#include "data/csv.hpp"
#include "data/pattern.hpp"
#include "data/sample_files.hpp"
#include "data/table.hpp"
#include "io/mat.hpp"

namespace invaria::data {
namespace {

using Columns = std::vector<std::string>;

/// What one file holds, before its name's holes are put in front.
struct Content {
  Columns columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<int64_t> numbers;  ///< of the rows in the file; empty: the file is one row
};

/// Takes rows of fields apart as the manifest's `columns` say.
class FieldParser {
 public:
  explicit FieldParser(const TableManifest& manifest) {
    if (!manifest.number_column.empty()) number_.emplace("{" + manifest.number_column + "}", "number_column");
    for (const std::string& column : manifest.columns) {
      // A plain name is a hole of its own that may hold anything.
      const bool is_plain = column.find_first_of("{*") == std::string::npos;
      patterns_.emplace_back(is_plain ? "" : column, "a column");
      is_plain_.push_back(is_plain);
      if (is_plain) {
        columns_.push_back(column);
      } else {
        for (const std::string& name : patterns_.back().names()) columns_.push_back(name);
      }
      texts_.push_back(column);
    }
    if (number_) columns_.push_back(number_->names()[0]);
  }

  const Columns& columns() const { return columns_; }

  std::vector<std::string> parse(std::vector<std::string> fields, int64_t number, const std::string& where) const {
    if (fields.size() != patterns_.size()) {
      throw_config("{}, row {}: found {} fields, expected {}: {}", where, number, fields.size(), patterns_.size(),
                   fmt::join(texts_, ", "));
    }
    std::vector<std::string> row;
    std::vector<std::string> values;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (is_plain_[i]) {
        row.push_back(std::move(fields[i]));
      } else if (texts_[i] == "*") {
        continue;
      } else if (patterns_[i].match(fields[i], values)) {
        row.insert(row.end(), values.begin(), values.end());
      } else {
        throw_config("{}, row {}: found \"{}\", expected {}", where, number, fields[i], texts_[i]);
      }
    }
    if (number_) row.push_back(number_->fill({fmt::to_string(number)}));
    return row;
  }

 private:
  std::optional<Template> number_;
  std::vector<Pattern> patterns_;
  std::vector<bool> is_plain_;
  Columns texts_;
  Columns columns_;
};

Content read_csv(const TableManifest& manifest, std::string_view bytes, const std::string& where) {
  CsvTable table = parse_csv(bytes, where);
  const std::vector<int64_t> numbers(table.row_numbers.begin(), table.row_numbers.end());
  if (manifest.columns.empty()) return {std::move(table.columns), std::move(table.rows), numbers};
  const FieldParser parser(manifest);
  Content content{parser.columns(), {}, numbers};
  for (size_t row = 0; row < table.rows.size(); ++row) {
    content.rows.push_back(parser.parse(std::move(table.rows[row]), numbers[row], where));
  }
  return content;
}

std::vector<std::string> split_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\t') != std::string_view::npos) {  // a field may be empty
    std::vector<std::string> parted;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find('\t', begin), line.size());
      parted.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return parted;
  }
  const char* const separators = " ";
  std::vector<std::string> fields;
  for (size_t begin = line.find_first_not_of(separators); begin != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(separators, begin), line.size());
    fields.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(separators, end);
  }
  return fields;
}

Content read_text(const TableManifest& manifest, std::string_view bytes, const std::string& where) {
  const FieldParser parser(manifest);
  Content content{parser.columns(), {}, {}};
  int64_t line_number = 0;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    std::vector<std::string> fields = split_line(bytes.substr(begin, end - begin));
    begin = end + 1;
    const bool is_blank =
        std::all_of(fields.begin(), fields.end(), [](const std::string& field) { return field.empty(); });
    if (++line_number <= manifest.skip_rows || is_blank) continue;
    // With a number column the row is what counts, else the line is what one looks for.
    const int64_t number = manifest.number_column.empty() ? line_number : std::ssize(content.rows) + 1;
    content.rows.push_back(parser.parse(std::move(fields), number, where));
    content.numbers.push_back(number);
  }
  return content;
}

Content read_mat_variable(const TableManifest& manifest, std::string_view bytes, const std::string& where) {
  const FieldParser parser(manifest);
  io::MatRows rows = io::read_mat(bytes, manifest.variable, manifest.fields, where);
  Content content{parser.columns(), {}, {}};
  for (std::vector<std::string>& row : rows) {
    const int64_t number = std::ssize(content.rows) + 1;
    content.rows.push_back(parser.parse(std::move(row), number, where));
    content.numbers.push_back(number);
  }
  return content;
}

/// 300-W's annotation files: "version: 1", "n_points: 68", and the points between braces.
Content read_pts(std::string_view bytes, const std::string& where) {
  const size_t open = bytes.find('{');
  const size_t close = bytes.find('}');
  const size_t count_at = bytes.find("n_points:");
  if (open == std::string_view::npos || close == std::string_view::npos || count_at > open || close < open) {
    throw_config("{}: found no points, expected n_points: and points between braces", where);
  }
  std::istringstream count_text{std::string(bytes.substr(count_at + 9, open - count_at - 9))};
  size_t count = 0;
  count_text >> count;
  Content content{{}, {{}}, {}};
  std::istringstream points{std::string(bytes.substr(open + 1, close - open - 1))};
  for (std::string number; points >> number;) content.rows[0].push_back(number);
  if (count == 0 || content.rows[0].size() % 2 != 0 || content.rows[0].size() / 2 != count) {
    throw_config("{}: found {} coordinates, expected 2 for each of {} points", where, content.rows[0].size(), count);
  }
  for (size_t point = 0; point < count; ++point) {
    content.columns.push_back(fmt::format("{}_x", point));
    content.columns.push_back(fmt::format("{}_y", point));
  }
  return content;
}

/// Past the end of what begins at `at`, or of the text.
size_t past(std::string_view text, size_t at, std::string_view end) {
  const size_t found = text.find(end, at);
  return found == std::string_view::npos ? text.size() : found + end.size();
}

/// How deep the elements of an XML text are nested. Boost's parser calls itself for each.
int64_t xml_depth(std::string_view text) {
  int64_t depth = 0, deepest = 0;
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("<!--")) {
      at = past(text, at + 4, "-->");
    } else if (rest.starts_with("<![CDATA[")) {
      at = past(text, at, "]]>");
    } else if (rest.starts_with("<?")) {
      at = past(text, at, "?>");
    } else if (rest.starts_with("</")) {
      --depth;
      at = past(text, at, ">");
    } else if (rest.starts_with("<!")) {
      at += 2;
    } else {
      size_t end = at + 1;  // of the tag; a sign in quotes does not close it
      for (; end < text.size() && text[end] != '>'; ++end) {
        if (text[end] == '"' || text[end] == '\'') end = past(text, end + 1, text.substr(end, 1)) - 1;
      }
      if (text[std::min(end, text.size()) - 1] != '/') deepest = std::max(deepest, ++depth);
      at = std::min(end + 1, text.size());
    }
  }
  return deepest;
}

Content read_voc(std::string_view bytes, const std::string& where) {
  constexpr int64_t kMostDeep = 64;
  if (xml_depth(bytes) > kMostDeep) throw_config("{}: found elements more than {} deep", where, kMostDeep);
  std::istringstream text{std::string(bytes)};
  boost::property_tree::ptree tree;
  try {
    boost::property_tree::read_xml(text, tree);
    const auto& box = tree.get_child("annotation.object.bndbox");
    Content content{{"xmin", "ymin", "xmax", "ymax"}, {{}}, {}};
    for (const std::string& side : content.columns) content.rows[0].push_back(box.get<std::string>(side));
    return content;
  } catch (const boost::property_tree::ptree_error& error) {
    throw_config("{}: found no annotation with an object's bndbox: {}", where, error.what());
  }
}

using Members = std::vector<std::pair<std::string, std::string>>;

/// A number, text or truth value; all else is passed over.
void add_scalar(std::string name, const config::json::value& value, Members& members) {
  if (value.is_string()) {
    members.emplace_back(std::move(name), std::string(value.as_string()));
  } else if (value.is_bool()) {
    members.emplace_back(std::move(name), value.as_bool() ? "1" : "0");
  } else if (value.is_number()) {
    members.emplace_back(std::move(name), boost::json::serialize(value));
  }
}

Content read_json(std::string_view bytes, const std::string& where) {
  const config::json::value value = config::parse_text(std::string(bytes), where);
  const config::json::object* object = value.if_object();
  if (object == nullptr) throw_config("{}: found no object, expected {{\"name\": value, ...}}", where);
  Members members;
  for (const auto& member : *object) {
    const auto& field = member.value();
    const std::string name(member.key());
    if (const auto* list = field.if_array()) {
      for (size_t i = 0; i < list->size(); ++i) add_scalar(fmt::format("{}_{}", name, i), (*list)[i], members);
    } else {
      add_scalar(name, field, members);
    }
  }
  std::sort(members.begin(), members.end());
  Content content{{}, {{}}, {}};
  for (const auto& [name, text] : members) {
    content.columns.push_back(name);
    content.rows[0].push_back(text);
  }
  return content;
}

Content read_content(const TableManifest& manifest, std::string_view bytes, const std::string& where) {
  switch (manifest.format) {
    case TableFormat::kCsv:
      return read_csv(manifest, bytes, where);
    case TableFormat::kText:
      return read_text(manifest, bytes, where);
    case TableFormat::kMat:
      return read_mat_variable(manifest, bytes, where);
    case TableFormat::kPts:
      return read_pts(bytes, where);
    case TableFormat::kVoc:
      return read_voc(bytes, where);
    case TableFormat::kJson:
      return read_json(bytes, where);
    case TableFormat::kPictures:
    case TableFormat::kSounds:
      break;
  }
  throw PreconditionError("read_content: a format without contents");
}

/// Files that fit a pattern, and what its holes stand for in each.
struct Matches {
  Columns names;
  std::vector<int64_t> files;
  std::vector<std::vector<std::string>> values;
};

Matches find_files(const TableManifest& manifest, const FileSet& files, const std::string& manifest_name) {
  const bool are_sounds = manifest.format == TableFormat::kSounds;
  const bool are_samples = are_sounds || manifest.format == TableFormat::kPictures;
  const config::Media media = are_sounds ? config::Media::kSounds : config::Media::kPictures;
  for (const std::string& text : manifest.files) {
    const Pattern pattern(text, manifest_name);
    Matches matches{pattern.names(), {}, {}};
    std::vector<std::string> values;
    const auto fits = [&](const std::string& name) {
      return (!are_samples || has_extension(media, name)) && pattern.match(name, values);
    };
    for (const std::string& link : files.links()) {
      if (fits(link)) files.need(link, manifest_name);
    }
    for (size_t i = 0; i < files.files().size(); ++i) {
      if (!fits(files.files()[i].name)) continue;
      matches.files.push_back(static_cast<int64_t>(i));
      matches.values.push_back(values);
    }
    if (!matches.files.empty()) return matches;
  }
  throw_config("{}: found no file {} in {}", manifest_name, fmt::join(manifest.files, " or "), files.describe());
}

/// Put the rows of one file behind those of others; all have the same columns.
void append(Table& table, const Matches& matches, size_t at, Content content,
            std::shared_ptr<const std::string> source) {
  Columns columns = matches.names;
  columns.insert(columns.end(), content.columns.begin(), content.columns.end());
  if (table.columns.empty()) {
    table.columns = columns;
    std::sort(columns.begin(), columns.end());
    const auto twice = std::adjacent_find(columns.begin(), columns.end());
    if (twice != columns.end()) throw_config("{}: found the column {} twice", *source, *twice);
  } else if (table.columns != columns) {
    throw_config("{}: found the columns {}, expected {} as in {}", *source, fmt::join(columns, ", "),
                 fmt::join(table.columns, ", "), table.rows.empty() ? "other files" : *table.rows.front().source);
  }
  for (size_t row = 0; row < content.rows.size(); ++row) {
    std::vector<std::string> fields = matches.values[at];
    std::move(content.rows[row].begin(), content.rows[row].end(), std::back_inserter(fields));
    table.rows.push_back({std::move(fields), source, content.numbers.empty() ? 0 : content.numbers[row]});
  }
}

}  // namespace

Table read_table(const TableManifest& manifest, const FileSet& files, const std::string& manifest_name,
                 std::vector<int64_t>& read_files) {
  const Matches matches = find_files(manifest, files, manifest_name);
  const auto source_of = [&](size_t at) { return std::make_shared<std::string>(files.describe(matches.files[at])); };
  Table table;
  if (manifest.format == TableFormat::kPictures || manifest.format == TableFormat::kSounds) {
    for (size_t at = 0; at < matches.files.size(); ++at) {
      const std::string& name = files.files()[static_cast<size_t>(matches.files[at])].name;
      append(table, matches, at, {{"file"}, {{name}}, {}}, source_of(at));
    }
    return table;
  }
  std::vector<Content> contents(matches.files.size());
  files.read(matches.files, 1, [&](int64_t position, std::string_view bytes) {
    const auto at = static_cast<size_t>(position);
    contents[at] = read_content(manifest, bytes, files.describe(matches.files[at]));
  });
  for (size_t at = 0; at < contents.size(); ++at) append(table, matches, at, std::move(contents[at]), source_of(at));
  read_files.insert(read_files.end(), matches.files.begin(), matches.files.end());
  return manifest.spread.empty() ? table : spread(table, manifest.spread, manifest_name);
}

}  // namespace invaria::data
