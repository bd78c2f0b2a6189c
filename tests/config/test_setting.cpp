#include "config/setting.hpp"

#include <boost/json/serialize.hpp>

#include "core/errors.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_of.hpp"

namespace invaria::config {

enum class Colour { kRed, kGreen };

struct Inner {
  double share = 0.5;
  static auto settings() { return std::tuple{setting("share", &Inner::share, "a share", between(0, 1))}; }
};

struct Outer {
  std::string name;
  int64_t count = 3;
  bool flag = false;
  Colour colour = Colour::kRed;
  std::vector<double> list = {1.0};
  std::optional<int64_t> maybe;
  Inner inner;
  std::vector<Inner> inners;

  static auto settings() {
    return std::tuple{setting("name", &Outer::name, "its name", required()),
                      setting("count", &Outer::count, "how many", at_least(1)),
                      setting("flag", &Outer::flag, "on or off"),
                      setting("colour", &Outer::colour, "which"),
                      setting("list", &Outer::list, "numbers", above(0)),
                      setting("maybe", &Outer::maybe, "perhaps", between(0, 9)),
                      setting("inner", &Outer::inner, "one"),
                      setting("inners", &Outer::inners, "several")};
  }
  void validate(const std::string& path, Problems& problems) const {
    if (count == 13) problems.add(join_path(path, "count"), "13", "no unlucky number");
  }
};

template <>
struct EnumNames<Colour> {
  static constexpr std::array<std::pair<Colour, const char*>, 2> kNames{
      {{Colour::kRed, "red"}, {Colour::kGreen, "green"}}};
};

namespace {

Problems problems_of(const std::string& text) {
  Problems problems;
  parse<Outer>(parse_text(text, "test"), "", problems);
  return problems;
}

/// "where | found | hint" of the only problem.
std::string only_problem(const std::string& text) {
  const Problems problems = problems_of(text);
  REQUIRE(problems.list().size() == 1);
  const Problem& problem = problems.list().front();
  return problem.where + " | " + problem.found + " | " + problem.hint;
}

}  // namespace

TEST_CASE("what is absent keeps its default, what is there is read", "[config]") {
  Problems problems;
  const Outer read = parse<Outer>(
      parse_text(
          R"({"name": "n", "colour": "green", "list": [2, 3.5], "maybe": 4, "inner": {"share": 1}, "inners": [{}]})",
          "test"),
      "", problems);
  CHECK(problems.empty());
  CHECK(read.name == "n");
  CHECK(read.count == 3);
  CHECK(read.colour == Colour::kGreen);
  CHECK(read.list == std::vector<double>{2.0, 3.5});
  CHECK(read.maybe == 4);
  CHECK(read.inner.share == 1.0);
  CHECK(read.inners.size() == 1);
}

TEST_CASE("each kind of mistake is named with its path, value and remedy", "[config]") {
  CHECK(only_problem("{}") == "name |  | ");
  CHECK(only_problem(R"({"name": "n", "cuont": 1})") == "cuont | 1 | did you mean \"count\"?");
  CHECK(only_problem(R"({"name": "n", "count": 0})") == "count | 0 | ");
  CHECK(only_problem(R"({"name": "n", "count": 1.5})") == "count | 1.5E0 | ");
  CHECK(only_problem(R"({"name": "n", "flag": 1})") == "flag | 1 | ");
  CHECK(only_problem(R"({"name": "n", "colour": "gren"})") == "colour | \"gren\" | did you mean \"green\"?");
  CHECK(only_problem(R"({"name": "n", "list": [1, 0]})") == "list[1] | 0 | ");
  CHECK(only_problem(R"({"name": "n", "maybe": 10})") == "maybe | 10 | ");
  CHECK(only_problem(R"({"name": "n", "maybe": 1.5})") == "maybe | 1.5E0 | ");  // in range, but not whole
  CHECK(only_problem(R"({"name": "n", "inners": [{}, {"share": 2}]})") == "inners[1].share | 2 | ");
  CHECK(only_problem(R"({"name": "n", "inner": []})") == "inner | [] | ");
  CHECK(only_problem(R"({"name": "n", "count": 13})") == "count | 13 | ");
  CHECK(problems_of(R"({"count": 0, "flag": 1, "x": 2})").list().size() == 4);
  CHECK_THROWS_AS(problems_of("{}").throw_if_any("suite.json"), ConfigError);
  Problems problems;
  CHECK_FALSE(parse<Outer>(parse_text(R"({"name": "n", "maybe": 10})", "test"), "", problems).maybe.has_value());
}

TEST_CASE("writing and reading back gives the same, defaults included", "[config]") {
  Problems problems;
  const json::value written =
      write(parse<Outer>(parse_text(R"({"name": "n", "inners": [{"share": 0.25}]})", "test"), "", problems));
  CHECK(written.at("count") == 3);
  CHECK(written.at("maybe").is_null());
  CHECK(write(parse<Outer>(written, "", problems)) == written);
  CHECK(problems.empty());
  CHECK(parse_text(pretty(written), "pretty") == written);
}

TEST_CASE("the schema says types, bounds, defaults, and what is required", "[config]") {
  const json::object outer = schema<Outer>();
  CHECK(outer.at("additionalProperties") == false);
  CHECK(outer.at("required") == json::array{"name"});
  const json::value& properties = outer.at("properties");
  CHECK(properties.at("count").at("type") == "integer");
  CHECK(properties.at("count").at("minimum") == 1.0);
  CHECK(properties.at("count").at("default") == 3);
  CHECK(properties.at("list").at("items").at("exclusiveMinimum") == 0.0);
  CHECK(properties.at("colour").at("enum") == json::array{"red", "green"});
  CHECK(properties.at("inner").at("properties").at("share").at("maximum") == 1.0);
}

TEST_CASE("text that is no JSON is refused with line and column", "[config]") {
  try {
    parse_text("{\n  \"a\": ?\n}", "file.json");
    FAIL("expected a ConfigError");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()).find("file.json, line 2, column 8") != std::string::npos);
  }
  CHECK_THROWS_AS(parse_text("{} {}", "x"), ConfigError);
  CHECK_THROWS_AS(parse_text("", "x"), ConfigError);
  CHECK(parse_text("\xEF\xBB\xBF{}", "x").is_object());
}

TEST_CASE("a name is fit for a file, a column and a table", "[config]") {
  for (const char* name : {"a", "0", "caltech101-sample", "a.b_c+d", "resnet18"}) CHECK(is_name(name));
  for (const char* name : {"", ".", "-a", "a b", "a/b", "\xC3\xA9", "a\n", "a:"}) CHECK_FALSE(is_name(name));
  CHECK_FALSE(is_name(std::string("a\0b", 3)));
}

TEST_CASE("a member that is there twice is refused with its path", "[config]") {
  const std::string error =
      error_of([] { parse_text(R"({"a": [1, {"b": {"c": 1}}, {"b": {"c": 1, "\u0063": 2}}]})", "file.json"); });
  CHECK(error.find("file.json: a[2].b.c is there twice") != std::string::npos);
  CHECK(parse_text(R"({"a": {"b": 1}, "b": [{"b": 1}, {"b": 2}]})", "file.json").is_object());
}

TEST_CASE("overrides set what their path names", "[config]") {
  json::value root = parse_text(R"({"a": {"b": 1}, "list": [{"c": 1}, {"c": 2}]})", "test");
  apply_override(root, "a.b=5");
  apply_override(root, "list[1].c=word");
  apply_override(root, "list[1].c=11");
  apply_override(root, "new.deep=[1,2]");
  CHECK(json::serialize(root) == R"({"a":{"b":5},"list":[{"c":1},{"c":"11"}],"new":{"deep":[1,2]}})");
  CHECK_THROWS_AS(apply_override(root, "a.b"), ConfigError);
  CHECK_THROWS_AS(apply_override(root, "list[2].c=1"), ConfigError);
  CHECK_THROWS_AS(apply_override(root, "list[x].c=1"), ConfigError);
  CHECK_THROWS_AS(apply_override(root, "a.b.c=1"), ConfigError);
}

TEST_CASE("text that is nested deeper than any settings are is refused", "[config]") {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_NOTHROW(parse_text(nested(32), "nested.json"));
  CHECK_THROWS_WITH(parse_text(nested(33), "nested.json"), Catch::StartsWith("nested.json") && Catch::Contains("deep"));
}

}  // namespace invaria::config
