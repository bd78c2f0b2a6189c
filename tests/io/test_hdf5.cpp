#include <limits>
#include <vector>

#include "core/errors.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_table.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

TEST_CASE("attributes of every type read back as written", "[io][hdf5]") {
  const ScratchDirectory scratch;
  FileHandle file = create_file(scratch / "a.h5");
  const std::string long_text(200'000, 'x');
  write_attribute(file.get(), "text", "z\xc3\xbcrich");
  write_attribute(file.get(), "empty", "");
  write_attribute(file.get(), "long", long_text);
  write_attribute(file.get(), "number", 0.1);
  write_attribute(file.get(), "nan", std::numeric_limits<double>::quiet_NaN());
  write_attribute(file.get(), "count", std::numeric_limits<int64_t>::min());
  publish_file(std::move(file), scratch / "a.h5");

  const FileHandle read = open_file(scratch / "a.h5");
  CHECK(read_text_attribute(read.get(), "text") == "z\xc3\xbcrich");
  CHECK(read_text_attribute(read.get(), "empty").empty());
  CHECK(read_text_attribute(read.get(), "long") == long_text);
  CHECK(read_double_attribute(read.get(), "number") == 0.1);
  CHECK(std::isnan(read_double_attribute(read.get(), "nan")));
  CHECK(read_integer_attribute(read.get(), "count") == std::numeric_limits<int64_t>::min());
  CHECK_FALSE(has_attribute(read.get(), "absent"));
  CHECK_THROWS_WITH(read_text_attribute(read.get(), "absent"),
                    Catch::Contains("a.h5") && Catch::Contains("absent") && Catch::Contains("H5Aopen"));
  CHECK_THROWS_WITH(read_integer_attribute(read.get(), "number"), Catch::Contains("expected one integer"));
}

TEST_CASE("data sets of one to three dimensions and texts read back as written, in the order made", "[io][hdf5]") {
  const ScratchDirectory scratch;
  std::vector<double> numbers(24);
  for (size_t n = 0; n < numbers.size(); ++n) numbers[n] = 0.5 * static_cast<double>(n);
  const std::vector<int64_t> integers{3, -1, int64_t{1} << 60};
  const std::vector<std::string> texts{"", "a", "\xe2\x82\xac", std::string(5000, 'q')};
  {
    FileHandle file = create_file(scratch / "a.h5");
    {
      const GroupHandle group = create_group(file.get(), "zeta");
      write_dataset(group.get(), "z3", numbers, {2, 3, 4});
      write_dataset(group.get(), "y2", numbers, {6, 4});
      write_dataset(group.get(), "x1", integers, {3});
      write_dataset(group.get(), "texts", texts);
      write_dataset(group.get(), "none", std::vector<double>{}, {0, 4});
      CHECK_THROWS_AS(write_dataset(group.get(), "wrong", numbers, {5}), PreconditionError);
      CHECK_THROWS_WITH(write_dataset(group.get(), "x1", integers, {3}),
                        Catch::Contains("zeta/x1") && Catch::Contains("H5Dcreate2") && Catch::Contains("exists"));
    }
    create_group(file.get(), "alpha");
    publish_file(std::move(file), scratch / "a.h5");
  }
  const FileHandle file = open_file(scratch / "a.h5");
  CHECK(members(file.get()) == std::vector<std::string>{"zeta", "alpha"});
  CHECK(is_group(file.get(), "zeta"));
  const GroupHandle group = open_group(file.get(), "zeta");
  CHECK(members(group.get()) == std::vector<std::string>{"z3", "y2", "x1", "texts", "none"});
  CHECK_FALSE(is_group(group.get(), "x1"));
  CHECK(shape_of(open_dataset(group.get(), "z3").get()) == std::vector<int64_t>{2, 3, 4});
  CHECK(read_doubles(open_dataset(group.get(), "z3").get()) == numbers);
  CHECK(read_doubles(open_dataset(group.get(), "y2").get()) == numbers);
  CHECK(read_integers(open_dataset(group.get(), "x1").get()) == integers);
  CHECK(read_texts(open_dataset(group.get(), "texts").get()) == texts);
  CHECK(read_doubles(open_dataset(group.get(), "none").get()).empty());
  CHECK_THROWS_WITH(read_doubles(open_dataset(group.get(), "x1").get()), Catch::Contains("expected floating-point"));
  CHECK_THROWS_WITH(open_dataset(group.get(), "absent"), Catch::Contains("absent") && Catch::Contains("H5Dopen2"));
}

TEST_CASE("a file with an open handle into it is not published", "[io][hdf5]") {
  const ScratchDirectory scratch;
  FileHandle file = create_file(scratch / "a.h5");
  const GroupHandle group = create_group(file.get(), "g");
  CHECK_THROWS_AS(publish_file(std::move(file), scratch / "a.h5"), PreconditionError);
  CHECK_FALSE(fs::exists(scratch / "a.h5"));
}

TEST_CASE("text that no reader could decode is mended", "[io][hdf5]") {
  const std::string mark = "\xef\xbf\xbd";
  CHECK(valid_utf8("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") == "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(valid_utf8("caf\xe9") == "caf" + mark);
  CHECK(valid_utf8(std::string("a\0b", 3)) == "a" + mark + "b");
  CHECK(valid_utf8("\xc3") == mark);
  CHECK(valid_utf8("\xc0\xaf") == mark + mark);                        // overlong
  CHECK(valid_utf8("\xed\xa0\x80") == mark + mark + mark);             // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == mark + mark + mark + mark);  // past U+10FFFF
}

TEST_CASE("a table and the arrays folded from it read back as written", "[io][hdf5]") {
  const ScratchDirectory scratch;
  const Table table({{"a", std::vector<std::string>{"x", "x", "y"}, "", ""},
                     {"b", std::vector<std::string>{"q", "p", "q"}, "", ""},
                     {"mean", std::vector<double>{1.0, 2.0, 3.0}, "s", "the mean"},
                     {"n", std::vector<int64_t>{4, 5, 6}, "", "how many"}});
  {
    FileHandle file = create_file(scratch / "a.h5");
    {
      Scales scales(file.get());
      scales.add("a", {"x", "y"}, "first");
      scales.add("b", {"q", "p"}, "second");
      scales.add("row", table.rows(), "row");
      write_arrays(create_group(file.get(), "arrays").get(), table, scales);
      write_table(create_group(file.get(), "table").get(), table, scales.at("row"));
    }
    publish_file(std::move(file), scratch / "a.h5");
  }
  const FileHandle file = open_file(scratch / "a.h5");
  CHECK(read_table(open_group(file.get(), "table").get()) == table);
  const GroupHandle arrays = open_group(file.get(), "arrays");
  CHECK(attached_scales(open_dataset(arrays.get(), "mean").get()) == std::vector<std::string>{"a", "b"});
  const std::vector<double> mean = read_doubles(open_dataset(arrays.get(), "mean").get());
  CHECK(std::vector<double>(mean.begin(), mean.begin() + 3) == std::vector<double>{1.0, 2.0, 3.0});
  CHECK(std::isnan(mean[3]));
  const std::vector<Table> read = read_arrays(arrays.get(), file.get());
  REQUIRE(read.size() == 1);
  CHECK(read[0] == table);
}

TEST_CASE("handles are closed exactly once: nothing of a file stays open", "[io][hdf5]") {
  const ScratchDirectory scratch;
  const FileHandle file = create_file(scratch / "a.h5");
  {
    const GroupHandle group = create_group(file.get(), "g");
    write_dataset(group.get(), "d", std::vector<double>{1.0}, {1});
    CHECK(open_objects(file.get()) == 1);
    CHECK_THROWS(open_group(file.get(), "absent"));
  }
  CHECK(open_objects(file.get()) == 0);
}
