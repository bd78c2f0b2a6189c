#include <limits>

#include "core/errors.hpp"
#include "io/table.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {
Table example() {
  return Table({{"name", std::vector<std::string>{"a", "b", "a"}, "", "the name"},
                {"n", std::vector<int64_t>{1, 2, 3}, "", ""},
                {"x", std::vector<double>{0.5, std::numeric_limits<double>::quiet_NaN(), 1.5}, "s", ""}});
}
}  // namespace

TEST_CASE("a table gives its columns by name and type and refuses others", "[io][table]") {
  const Table table = example();
  CHECK(table.rows() == 3);
  CHECK(table.texts("name")[1] == "b");
  CHECK(table.integers("n")[2] == 3);
  CHECK(table.doubles("x")[0] == 0.5);
  CHECK_THROWS_WITH(table.doubles("y"), Catch::Contains("no column \"y\"; there are name, n, x"));
  CHECK_THROWS_AS(table.doubles("n"), PreconditionError);
}

TEST_CASE("columns of a table have different names and equal lengths", "[io][table]") {
  Table table = example();
  CHECK_THROWS_AS(table.add_column({"n", std::vector<int64_t>{1, 2, 3}, "", ""}), PreconditionError);
  CHECK_THROWS_AS(table.add_column({"m", std::vector<int64_t>{1, 2}, "", ""}), PreconditionError);
  CHECK(table == example());
}

TEST_CASE("rows are appended whole or not at all", "[io][table]") {
  Table table = example();
  table.append({std::string("c"), int64_t{4}, int64_t{2}});
  CHECK(table.rows() == 4);
  CHECK(table.doubles("x")[3] == 2.0);
  const Table before = table;
  CHECK_THROWS_AS(table.append({std::string("c"), 4.0, 2.0}), PreconditionError);
  CHECK_THROWS_AS(table.append({std::string("c")}), PreconditionError);
  CHECK(table == before);
}

TEST_CASE("selecting, filtering and appending tables keep rows together", "[io][table]") {
  Table table = example();
  CHECK(table.where("name", "a").integers("n") == std::vector<int64_t>{1, 3});
  CHECK(table.select({2, 0, 0}).integers("n") == std::vector<int64_t>{3, 1, 1});
  CHECK(table.select({2}).column("x").units == "s");
  CHECK_THROWS_AS(table.select({3}), PreconditionError);
  Table empty;
  empty.concat(table);
  CHECK(empty == table);
  empty.concat(empty);
  CHECK(empty == table.select({0, 1, 2, 0, 1, 2}));
  CHECK_THROWS_AS(table.concat(Table({{"name", std::vector<int64_t>{1}, "", ""}})), PreconditionError);
}
