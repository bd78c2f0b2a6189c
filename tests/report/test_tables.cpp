#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "report/tables.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {
TextTable small_table() {
  TextTable table({{"arm", "", Align::kLeft}, {"known-01", "%", Align::kRight}});
  table.add_row({{"naïve"}, {"9.5 ± 0.1"}});
  table.add_row({{"fixed-default"}, {"78.0 ± 2.1", Emphasis::kBest}});
  return table;
}
}  // namespace

TEST_CASE("columns align by what a terminal shows", "[report][tables]") {
  CHECK(small_table().render(Style::kPlain) ==
        "arm              known-01\n"
        "                        %\n"
        "-------------  ----------\n"
        "naïve           9.5 ± 0.1\n"
        "fixed-default  78.0 ± 2.1\n");
}

TEST_CASE("the best cell is bold on a terminal only, and its escape codes take no width", "[report][tables]") {
  CHECK(small_table().render(Style::kTerminal) ==
        "arm              known-01\n"
        "                        %\n"
        "-------------  ----------\n"
        "naïve           9.5 ± 0.1\n"
        "fixed-default  \x1b[1m78.0 ± 2.1\x1b[0m\n");
}

TEST_CASE("no line ends in a space, units are left out where there are none", "[report][tables]") {
  TextTable table({{"a", "", Align::kLeft}, {"b", "", Align::kLeft}});
  CHECK(table.empty());
  table.add_row({{"1"}, {""}});
  table.add_row({{"2"}, {"long"}});
  CHECK(table.render(Style::kPlain) == "a  b\n-  ----\n1\n2  long\n");
}

TEST_CASE("a cell stays on its line and a row has one cell a column", "[report][tables]") {
  TextTable table({{"error", "", Align::kLeft}});
  table.add_row({{"first\nsecond\x1b[1m"}});
  CHECK(table.render(Style::kPlain) == "error\n----------------\nfirst second [1m\n");
  CHECK_THROWS_AS(table.add_row({}), PreconditionError);
  CHECK_THROWS_AS(table.add_row({{"a"}, {"b"}}), PreconditionError);
}

TEST_CASE("the width of text is counted in terminal columns", "[report][tables]") {
  CHECK(display_width("") == 0);
  CHECK(display_width("arm") == 3);
  CHECK(display_width("±µé") == 3);
  CHECK(display_width("e\u0301") == 1);     // e, combining acute accent
  CHECK(display_width("鳥類") == 4);        // East Asian wide
  CHECK(display_width("\U0001F426") == 2);  // a bird
  CHECK(display_width("\u20AC") == 1);      // three bytes, one column
  CHECK(display_width("a\xFFz") == 3);      // no UTF-8: one a byte
  CHECK(display_width("\xE2\x82") == 2);    // cut in the middle of a character
  CHECK(display_width("\xC0\x80") == 2);    // an overlong form is no UTF-8
}

TEST_CASE("numbers are shown with the digits that they carry", "[report][tables]") {
  CHECK(percent(0.78) == "78.0");
  CHECK(percent(-0.034) == "-3.4");
  CHECK(percent(-0.0001) == "0.0");
  CHECK(percent(std::nan("")) == "-");
  CHECK(percent(0.78, 0.021) == "78.0 ± 2.1");
  CHECK(percent(0.78, std::nan("")) == "78.0");
  CHECK(percent(std::nan(""), 0.1) == "-");

  CHECK(duration(0.854) == "0.85 s");
  CHECK(duration(9.999) == "10.0 s");
  CHECK(duration(12.34) == "12.3 s");
  CHECK(duration(99.96) == "1 min 40 s");
  CHECK(duration(245.0) == "4 min 05 s");
  CHECK(duration(3599.6) == "1 h 00 min");
  CHECK(duration(7500.0) == "2 h 05 min");
  CHECK(duration(std::nan("")) == "-");

  CHECK(quantity(0) == "0");
  CHECK(quantity(7) == "7");
  CHECK(quantity(712'400) == "712 k");
  CHECK(quantity(23.04e6) == "23.0 M");
  CHECK(quantity(1.816e9) == "1.82 G");
  CHECK(quantity(999'600) == "1.00 M");
  CHECK(quantity(1234.0) == "1.23 k");
  CHECK(quantity(std::nan("")) == "-");
}
