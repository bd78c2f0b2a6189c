#include "suite/suite.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::try_to([&] {
    config::Problems problems;
    const suite::Suite suite =
        suite::read_suite(config::parse_text(std::string(fuzz::text_of(data, size)), "suite"), problems);
    suite::validate_suite(suite, problems);
    problems.throw_if_any("suite");
    // What is sound can be written down and read again.
    suite::read_suite(config::write(suite), problems);
    require(problems.empty(), "a sound suite's record is not sound");
  });
}
