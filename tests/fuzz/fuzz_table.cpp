#include "data/csv.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::try_to([&] {
    const invaria::data::CsvTable table = invaria::data::parse_csv(fuzz::text_of(data, size), "table");
    for (const auto& row : table.rows) require(row.size() == table.columns.size(), "a row of another length");
  });
}
