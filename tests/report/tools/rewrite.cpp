// Reads a results file and writes what was read: what the reader does not know is not in the copy.
#include <cstdio>
#include <exception>

#include "io/results.hpp"

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::fputs("usage: report_rewrite RESULTS COPY\n", stderr);
    return 2;
  }
  try {
    invaria::io::write_results(argv[2], invaria::io::read_results(argv[1]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
