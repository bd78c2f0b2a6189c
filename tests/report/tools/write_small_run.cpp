// Writes the small run of the report tests to the file named on the command line, for readers in Python; if asked, its
// page (and as PAGE.two one of this run and another, which failed) and its event files too.
#include <cstdio>
#include <string>

#include "io/files.hpp"
#include "report/merge.hpp"
#include "report/page.hpp"
#include "report/tensorboard.hpp"
#include "tests/report/small_run.hpp"

int main(int argc, char* argv[]) {
  using namespace invaria;
  if (argc < 2 || argc > 4) {
    std::fputs("usage: report_write_small_run RESULTS [PAGE [EVENTS]]\n", stderr);
    return 2;
  }
  const io::Results results =
      report::merge(report::small_info(), report::small_axes(), report::small_segment(), report::small_expectation());
  io::write_results(argv[1], results);
  if (argc > 2) {
    io::write_file_atomically(argv[2], report::page({results}));
    io::Segment segment = report::small_segment();
    segment.jobs.front().status = "failed";
    const io::Results broken =
        report::merge(report::small_info(), report::small_axes(), segment, report::small_expectation());
    io::write_file_atomically(std::string(argv[2]) + ".two", report::page({results, broken}));
  }
  if (argc > 3) report::write_event_files(results, argv[3]);
}
