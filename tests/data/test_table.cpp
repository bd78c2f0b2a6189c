#include "core/errors.hpp"
#include "data/pattern.hpp"
#include "data/table.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

using Texts = std::vector<std::string>;

/// What the holes stand for; empty if the text does not fit.
Texts match(const std::string& pattern, const std::string& text) {
  Texts values;
  return Pattern(pattern, "p").match(text, values) ? values : Texts{};
}

Table::Row row(Texts fields, int64_t number) {
  return {std::move(fields), std::make_shared<std::string>("list.txt"), number};
}

/// Rows as lines of fields.
std::vector<Texts> fields_of(const Table& table) {
  std::vector<Texts> fields;
  for (const Table::Row& r : table.rows) fields.push_back(r.fields);
  return fields;
}

Table read(const TableManifest& manifest, const Files& files) {
  const TemporaryFolder folder;
  write_folder(folder.path() / "set", files);
  std::vector<int64_t> read_files;
  return read_table(manifest, FileSet({folder.path() / "set", false}, "", {}), "set", read_files);
}

std::string failure(const TableManifest& manifest, const Files& files) {
  try {
    read(manifest, files);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a pattern takes names apart, earlier holes taking as much as they can", "[data][pattern]") {
  CHECK(match("train/{class}/{picture}.jpg", "train/cat/a.b.jpg") == Texts{"cat", "a.b"});
  CHECK(match("{breed}_{number}", "pit_bull_12") == Texts{"pit_bull", "12"});
  CHECK(match("{a}/{a}_boxes.txt", "n01/n01_boxes.txt") == Texts{"n01"});
  CHECK(match("{a}/{a}_boxes.txt", "n01/n02_boxes.txt").empty());
  CHECK(match("{a}", "x/y").empty());
  CHECK(match("{a}.jpg", ".jpg").empty());
  CHECK(match("*{a}.*", "xy.jpg") == Texts{"y"});
  CHECK(match("{set=afw|helen/train}/{p}.{e=jpg|png}", "helen/train/x.png") == Texts{"helen/train", "x", "png"});
  CHECK(match("{set=afw|helen/train}/{p}", "helen/test").empty());
  CHECK_THROWS_WITH(Pattern("a{b", "here"), Catch::StartsWith("here: found \"{b\""));
  CHECK_THROWS_AS(Pattern("{}", "here"), ConfigError);
}

TEST_CASE("a template puts names together, with zeros in front", "[data][pattern]") {
  const Template name("im{row:05}/{class}-{row}.jpg", "t");
  CHECK(name.names() == Texts{"row", "class"});
  CHECK(name.fill({"42", "cat"}) == "im00042/cat-42.jpg");
  CHECK(Template("{row:2}", "t").fill({"123"}) == "123");
  CHECK_THROWS_AS(Template("{row:x}", "t"), ConfigError);
}

TEST_CASE("tables are joined by the columns that they share, in the first one's order", "[data][table]") {
  const Table left{{"id", "file"}, {row({"2", "b"}, 1), row({"1", "a"}, 2)}};
  const Table right{{"class", "id"}, {row({"cat", "1"}, 1), row({"dog", "2"}, 2), row({"cow", "3"}, 3)}};
  const Table both = join(left, right, WithoutRow::kFail, "set");
  CHECK(both.columns == Texts{"id", "file", "class"});
  CHECK(fields_of(both) == std::vector<Texts>{{"2", "b", "dog"}, {"1", "a", "cat"}});

  Table short_one{{"class", "id"}, {row({"cat", "1"}, 1)}};
  CHECK(fields_of(join(left, short_one, WithoutRow::kLeaveOut, "set")) == std::vector<Texts>{{"1", "a", "cat"}});
  CHECK_THROWS_WITH(join(left, short_one, WithoutRow::kFail, "set"),
                    "list.txt, row 1: found no row for id 2 in list.txt");
  short_one.rows.push_back(row({"dog", "1"}, 2));
  CHECK_THROWS_WITH(join(left, short_one, WithoutRow::kFail, "set"),
                    Catch::StartsWith("list.txt, row 2: found the same as in list.txt, row 1"));
  CHECK_THROWS_WITH(join(left, {{"other"}, {}}, WithoutRow::kFail, "set"), Catch::Contains("one that both have"));
}

TEST_CASE("a join by two columns does not run their texts together", "[data][table]") {
  const Table left{{"a", "b"}, {row({"1", "12"}, 1)}};
  const Table right{{"a", "b", "c"}, {row({"11", "2", "wrong"}, 1), row({"1", "12", "right"}, 2)}};
  CHECK(join(left, right, WithoutRow::kFail, "set").rows[0].fields[2] == "right");
}

TEST_CASE("lines of one row are spread over columns of their own", "[data][table]") {
  const Table lines{{"id", "part", "x", "seen"},
                    {row({"7", "a", "1", "0"}, 1), row({"7", "b", "2", "1"}, 2), row({"9", "a", "3", "1"}, 3),
                     row({"9", "b", "4", "0"}, 4)}};
  const Table wide = spread(lines, "part", "set");
  CHECK(wide.columns == Texts{"id", "x_a", "seen_a", "x_b", "seen_b"});
  CHECK(fields_of(wide) == std::vector<Texts>{{"7", "1", "0", "2", "1"}, {"9", "3", "1", "4", "0"}});
  const auto refused = [&](size_t line, const std::string& part) {
    Table broken = lines;
    broken.rows[line].fields[1] = part;
    CHECK_THROWS_AS(spread(broken, "part", "set"), ConfigError);
  };
  refused(1, "a");
  refused(2, "b");
  refused(3, "a");
  refused(3, "c");
  Table short_one = lines;
  short_one.rows.pop_back();
  CHECK_THROWS_WITH(spread(short_one, "part", "set"), Catch::Contains("found 1 lines of one row, expected 2"));
  CHECK_THROWS_AS(spread(lines, "parts", "set"), ConfigError);
}

TEST_CASE("lines of text are rows, their fields taken apart and numbered as asked", "[data][table]") {
  TableManifest manifest{
      .files = {"{part}.txt"}, .format = TableFormat::kText, .columns = {"{class}/{picture}", "*", "x"}};
  manifest.skip_rows = 1;
  const Files files{
      {"b.txt", "2\r\nant/1.jpg  q 5\r\n\r\nbee/2.jpg q 6\r\n"}, {"a.txt", "1\nc/d e\tf\tg"}, {"a.csv", "x"}};
  Table table = read(manifest, files);
  CHECK(table.columns == Texts{"part", "class", "picture", "x"});
  CHECK(fields_of(table) ==
        std::vector<Texts>{{"a", "c", "d e", "g"}, {"b", "ant", "1.jpg", "5"}, {"b", "bee", "2.jpg", "6"}});
  CHECK(table.rows[2].where().ends_with("b.txt, row 4"));
  manifest.number_column = "row:3";
  CHECK(fields_of(read(manifest, files))[2] == Texts{"b", "bee", "2.jpg", "6", "002"});
  CHECK_THAT(failure(manifest, {{"b.txt", "\na/b c"}}), Catch::Contains("found 2 fields, expected 3"));
  CHECK_THAT(failure(manifest, {{"b.txt", "\na c d"}}), Catch::Contains("found \"a\", expected {class}/{picture}"));
  CHECK_THAT(failure(manifest, {{"b.csv", ""}}), Catch::Contains("found no file {part}.txt"));
}

TEST_CASE("columns of a csv can be named in place of its first row", "[data][table]") {
  const TableManifest manifest{.files = {"t.csv"}, .columns = {"{class}-{number}", "*", "x"}};
  CHECK(fields_of(read(manifest, {{"t.csv", ",0,1\na-b-1,2,3\n"}})) == std::vector<Texts>{{"a-b", "1", "3"}});
}

TEST_CASE("pictures that are there are rows, other files are not", "[data][table]") {
  const TableManifest manifest{.files = {"none/{p}", "{class}/{p}.{e}"}, .format = TableFormat::kPictures};
  const Table table = read(manifest, {{"a/1.jpg", ""}, {"a/2.txt", ""}, {"b/3.PNG", ""}, {"c/d/4.jpg", ""}});
  CHECK(table.columns == Texts{"class", "p", "e", "file"});
  CHECK(fields_of(table) == std::vector<Texts>{{"a", "1", "jpg", "a/1.jpg"}, {"b", "3", "PNG", "b/3.PNG"}});
}

TEST_CASE("a .pts file is a row of coordinates", "[data][table]") {
  const TableManifest manifest{.files = {"{p}.pts"}, .format = TableFormat::kPts};
  const Table table = read(manifest, {{"a.pts", "version: 1\nn_points:  2\n{\n446.000 91.5\n449.459 -119.3\n}\n"}});
  CHECK(table.columns == Texts{"p", "0_x", "0_y", "1_x", "1_y"});
  CHECK(table.rows[0].fields == Texts{"a", "446.000", "91.5", "449.459", "-119.3"});
  CHECK(table.rows[0].where().ends_with("a.pts"));
  CHECK_THAT(failure(manifest, {{"a.pts", "n_points: 2\n{\n1 2\n3\n}\n"}}), Catch::Contains("found 3 coordinates"));
  CHECK_THAT(failure(manifest, {{"a.pts", "1 2 3"}}), Catch::Contains("found no points"));
  for (const char* n : {"9223372036854775808 {", "9223372036854775809 { 1 2"})  // twice as many is 0, and 2, in 64 bits
    CHECK_THAT(failure(manifest, {{"a.pts", fmt::format("n_points: {} }}", n)}}),
               Catch::Contains("coordinates, expected 2 for each"));
  CHECK_THAT(failure(manifest, {{"a.pts", "n_points: 1\n{\n1 2\n}\n"}, {"b.pts", "n_points: 2\n{\n1 2\n3 4\n}\n"}}),
             Catch::Contains("b.pts: found the columns"));
}

TEST_CASE("a VOC annotation is a row with the box of its first object", "[data][table]") {
  const TableManifest manifest{.files = {"{p}.xml"}, .format = TableFormat::kVoc};
  const std::string text =
      "<annotation><folder>f</folder><size><width>600</width></size><object><name>cat</name><bndbox><xmin>333</xmin>"
      "<ymin>72</ymin><xmax>425</xmax><ymax>158</ymax></bndbox></object></annotation>";
  const Table table = read(manifest, {{"a.xml", text}});
  CHECK(table.columns == Texts{"p", "xmin", "ymin", "xmax", "ymax"});
  CHECK(table.rows[0].fields == Texts{"a", "333", "72", "425", "158"});
  CHECK_THAT(failure(manifest, {{"a.xml", "<annotation></annotation>"}}),
             Catch::Contains("a.xml: found no annotation"));
  CHECK_THAT(failure(manifest, {{"a.xml", text.substr(0, 60)}}), Catch::Contains("a.xml: found no annotation"));
  for (const char* tag : {"<a>", "<a b=\"/>\">", "<!--</a></a>--><a><?</a>?><![CDATA[</a>]]>"}) {
    CAPTURE(tag);
    std::string deep;
    for (int level = 0; level < 300'000; ++level) deep += tag;
    CHECK_THAT(failure(manifest, {{"a.xml", deep}}), Catch::Contains("a.xml: found elements more than 64 deep"));
  }
  const std::string wide = "<annotation>" + std::string(200, ' ') +
                           "<a b='>'/><object><bndbox><xmin>1</xmin><ymin>2</ymin>"
                           "<xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>";
  CHECK(read(manifest, {{"a.xml", wide}}).rows[0].fields == Texts{"a", "1", "2", "3", "4"});
}

TEST_CASE("a JSON file is a row of its scalars", "[data][table]") {
  const TableManifest manifest{.files = {"{p}.json"}, .format = TableFormat::kJson};
  const Table table =
      read(manifest, {{"a.json", R"({"class": "cat", "box": [1, 2.5], "attr_old": true, "more": {"x": 1}, "n": 7})"}});
  CHECK(table.columns == Texts{"p", "attr_old", "box_0", "box_1", "class", "n"});
  CHECK(table.rows[0].fields == Texts{"a", "1", "1", "2.5E0", "cat", "7"});
  CHECK_THAT(failure(manifest, {{"a.json", "[1]"}}), Catch::Contains("found no object"));
}
