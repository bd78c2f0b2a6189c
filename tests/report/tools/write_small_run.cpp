// Writes the small run of the report tests to the file named on the command line, for readers in Python.
#include <cstdio>

#include "report/merge.hpp"
#include "tests/report/small_run.hpp"

int main(int argc, char* argv[]) {
  using namespace invaria;
  if (argc != 2) {
    std::fputs("usage: report_write_small_run FILE\n", stderr);
    return 2;
  }
  io::write_results(argv[1], report::merge(report::small_info(), report::small_axes(), report::small_segment(),
                                           report::small_expectation()));
}
