#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "report/numbers.hpp"
#include "report/table.hpp"
#include "report/writers.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {
Table small_table() {
  Table table("small", {key_column("arm"), {"known-01", "%"}, {"time", "", Align::kRight, false, "s"}});
  Cell best = percent_cell(0.78, 0.0212);
  best.emphasis = Emphasis::kBest;
  table.add_row({{"naïve, <b>"}, percent_cell(0.0951, 0.00123), duration_cell(130.0)});
  table.add_row({{"fixed_default"}, best, no_cell()});
  return table;
}
}  // namespace

TEST_CASE("columns align by what a terminal shows", "[report][tables]") {
  CHECK(text(small_table(), Style::kPlain) ==
        "arm              known-01        time\n"
        "                        %\n"
        "-------------  ----------  ----------\n"
        "naïve, <b>      9.5 ± 0.1  2 min 10 s\n"
        "fixed_default  78.0 ± 2.1           -\n");
}

TEST_CASE("names that differ in signs alone have files and anchors of their own", "[report][tables]") {
  Slugs slugs;
  CHECK(slugs.unlike("grid-a-known-1--") == "grid-a-known-1");
  CHECK(slugs.unlike("grid-a-known--1-") == "grid-a-known-1-2");
  CHECK(slugs.unlike("grid-A-known---1") == "grid-a-known-1-3");
  CHECK(slugs.unlike("grid-a-known-1-2") == "grid-a-known-1-2-2");
  CHECK(slugs.unlike("chart-arms") == "chart-arms");
}

TEST_CASE("the best cell is bold on a terminal only, and its escape codes take no width", "[report][tables]") {
  const std::string terminal = text(small_table(), Style::kTerminal);
  CHECK(terminal.find("fixed_default  \x1b[1m78.0 ± 2.1\x1b[0m           -\n") != std::string::npos);
  CHECK(terminal.find("\x1b[1m9.5") == std::string::npos);
}

TEST_CASE("CSV has the numbers themselves, their half widths beside them, and quotes what needs it",
          "[report][tables]") {
  CHECK(csv(small_table()) ==
        "arm,known-01 (%),known-01 (%) half width,time (s)\n"
        "\"naïve, <b>\",9.51,0.123,130\n"
        "fixed_default,78,2.12,\n");
}

TEST_CASE("CSV has the ends of ranges in columns of their own, and repeats keys that are left blank",
          "[report][tables]") {
  Table table("ranges", {key_column("data"), {"split", "", Align::kLeft}, {"i", ""}});
  table.add_row({{"faces"}, {"test"}, {.text = "0.96 [0.90, 1.00]", .value = 0.96, .low = 0.9, .high = 1.0}});
  table.add_row({{}, {"train"}, {.text = "0.5 to 0.75", .low = 0.5, .high = 0.75}});
  table.add_row({{"poses"}, {}, {}});
  CHECK(csv(table) ==
        "data,split,i,i low,i high\n"
        "faces,test,0.96,0.9,1\n"
        "faces,train,,0.5,0.75\n"
        "poses,,,,\n");
}

TEST_CASE("Markdown, LaTeX and HTML show the same cells and escape what would be read as their own",
          "[report][tables]") {
  CHECK(markdown(small_table()) ==
        "| arm | known-01 (%) | time |\n"
        "| :--- | ---: | ---: |\n"
        "| naïve, \\<b\\> | 9.5 ± 0.1 | 2 min 10 s |\n"
        "| fixed\\_default | **78.0 ± 2.1** | - |\n");
  CHECK(latex(small_table()) ==
        "\\begin{tabular}{lrr}\n"
        "\\toprule\n"
        "arm & known-01 & time \\\\\n"
        " & \\% &  \\\\\n"
        "\\midrule\n"
        "naïve, \\textless{}b\\textgreater{} & 9.5 $\\pm$ 0.1 & 2 min 10 s \\\\\n"
        "fixed\\_default & \\textbf{78.0 $\\pm$ 2.1} & - \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n");
  CHECK(html(small_table()) ==
        "<table>\n"
        "<thead><tr><th scope=\"col\">arm</th><th scope=\"col\" class=\"number\">known-01 <span "
        "class=\"units\">%</span></th><th scope=\"col\" class=\"number\">time</th></tr></thead>\n"
        "<tbody>\n"
        "<tr><th scope=\"row\">naïve, &lt;b&gt;</th><td class=\"number\" data-value=\"9.51\">9.5<span "
        "class=\"interval\"> ± 0.1</span></td><td class=\"number\" data-value=\"130\">2 min 10 s</td></tr>\n"
        "<tr><th scope=\"row\">fixed_default</th><td class=\"number best\" data-value=\"78\">78.0<span "
        "class=\"interval\"> ± 2.1</span></td><td class=\"number absent\">-</td></tr>\n"
        "</tbody>\n"
        "</table>\n");
  CHECK(latex_escaped("a\\b~^|{}&%$#_") ==
        "a\\textbackslash{}b\\textasciitilde{}\\textasciicircum{}\\textbar{}\\{\\}\\&\\%\\$\\#\\_");
  CHECK(html_escaped("\"'&") == "&quot;&#39;&amp;");
}

TEST_CASE("a wide table is cut into pieces that all have its keys, and empty rows are left out of a piece",
          "[report][tables]") {
  Table wide("wide", {key_column("arm"), {"a", ""}, {"b", ""}, {"c", ""}}, 2);
  wide.add_row({{"x"}, {"1"}, {"2"}, no_cell()});
  wide.add_row({{"y"}, {"4"}, {"5"}, {"6"}});
  CHECK(pieces(small_table()).size() == 1);
  const std::vector<Table> parts = pieces(wide);
  REQUIRE(parts.size() == 2);
  CHECK(text(parts[0], Style::kPlain) == "arm  a  b\n---  -  -\nx    1  2\ny    4  5\n");
  CHECK(text(parts[1], Style::kPlain) == "arm  c\n---  -\ny    6\n");
}

TEST_CASE("names of files and anchors have no surprises in them", "[report][tables]") {
  CHECK(slug("Grid of i: α on known-01 ") == "grid-of-i-on-known-01");
  CHECK(slug("../x/..") == "..-x-..");
}

TEST_CASE("no line ends in a space, units are left out where there are none", "[report][tables]") {
  Table table("t", {key_column("a"), key_column("b")});
  CHECK(table.empty());
  table.add_row({{"1"}, {""}});
  table.add_row({{"2"}, {"long"}});
  CHECK(text(table, Style::kPlain) == "a  b\n-  ----\n1\n2  long\n");
}

TEST_CASE("a cell stays on its line and a row has one cell a column", "[report][tables]") {
  Table table("t", {key_column("error")});
  table.add_row({{"first\nsecond\x1b[1m"}});
  CHECK(text(table, Style::kPlain) == "error\n----------------\nfirst second [1m\n");
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
