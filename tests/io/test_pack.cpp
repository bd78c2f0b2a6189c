#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/pack.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

const std::vector<std::string> kRecords{"first", "", std::string("\0\xff third", 8)};

/// The records, written from the last to the first.
void write(const fs::path& path) {
  PackWriter writer(path, R"({"a": 1})");
  std::vector<int64_t> offsets, lengths;
  std::vector<std::string> hashes;
  int64_t offset = 0;
  for (const std::string& record : kRecords) {
    offsets.push_back(offset);
    lengths.push_back(static_cast<int64_t>(record.size()));
    hashes.push_back(sha256_hex(record));
    offset += lengths.back();
  }
  for (size_t i = kRecords.size(); i-- > 0;) writer.write_record(offsets[i], kRecords[i]);
  CHECK_FALSE(fs::exists(path));
  writer.finish(Table({{kPackOffset, offsets, "", ""},
                       {kPackBytes, lengths, "", ""},
                       {kPackHash, hashes, "", ""},
                       {"name", std::vector<std::string>{"x", "", "caf\xc3\xa9"}, "", ""}}));
}

}  // namespace

TEST_CASE("a pack gives back header, records and index", "[io][pack]") {
  const ScratchDirectory scratch;
  write(scratch / "a");
  const PackFile pack(scratch / "a");
  CHECK(pack.header() == R"({"a": 1})");
  REQUIRE(pack.n() == 3);
  for (size_t i = 0; i < kRecords.size(); ++i) CHECK(pack.record(static_cast<int64_t>(i)) == kRecords[i]);
  CHECK(pack.index().texts("name")[2] == "caf\xc3\xa9");
  CHECK(pack.changed_records(2).empty());
  // A record can be used where it lies: its memory is aligned as a page.
  CHECK(reinterpret_cast<uintptr_t>(pack.records().get()) % 4096 == 0);
  CHECK(static_cast<const void*>(pack.records().get()) == pack.record(0).data());
}

TEST_CASE("records outlive the pack that was asked for them", "[io][pack]") {
  const ScratchDirectory scratch;
  write(scratch / "a");
  std::shared_ptr<const std::byte> records;
  {
    const PackFile pack(scratch / "a");
    records = pack.records();
  }
  CHECK(std::string(reinterpret_cast<const char*>(records.get()), 5) == "first");
}

TEST_CASE("a pack that is not finished leaves nothing behind", "[io][pack]") {
  const ScratchDirectory scratch;
  {
    PackWriter writer(scratch / "a", "{}");
    writer.write_record(0, "x");
  }
  CHECK(fs::is_empty(scratch / "."));
}

TEST_CASE("a pack that is cut off, or whose header or index changed, is refused", "[io][pack][corrupt]") {
  const ScratchDirectory scratch;
  write(scratch / "a");
  const std::string whole = read_file(scratch / "a");
  for (const size_t length : {size_t{0}, size_t{50}, size_t{4100}, whole.size() - 1}) {
    CAPTURE(length);
    write_file_atomically(scratch / "b", std::string_view(whole).substr(0, length));
    CHECK_THROWS_AS(PackFile(scratch / "b"), ConfigError);
  }
  for (const size_t at : {size_t{0}, size_t{18}, whole.size() - 200, whole.size() - 40}) {
    CAPTURE(at);
    std::string changed = whole;
    changed[at] ^= 1;
    write_file_atomically(scratch / "b", changed);
    CHECK_THROWS_WITH(PackFile(scratch / "b"), Catch::StartsWith((scratch / "b").string()));
  }
  CHECK_THROWS_AS(PackFile(scratch / "none"), EnvironmentError);
}

TEST_CASE("an index that names bytes beyond the records is refused", "[io][pack][corrupt]") {
  const ScratchDirectory scratch;
  const auto written = [&](std::vector<int64_t> offsets, std::vector<int64_t> lengths) {
    PackWriter writer(scratch / "a", "{}");
    writer.write_record(0, "0123456789");
    const std::vector<std::string> hashes(offsets.size(), "");
    writer.finish(Table({{kPackOffset, std::move(offsets), "", ""},
                         {kPackBytes, std::move(lengths), "", ""},
                         {kPackHash, hashes, "", ""}}));
    return PackFile(scratch / "a");
  };
  CHECK(written({0, 4}, {4, 6}).record(1) == "456789");
  CHECK_THROWS_WITH(written({0, -1}, {10, 4}), Catch::Contains("record 1 is 4 bytes at -1"));
  CHECK_THROWS_WITH(written({0, 3}, {10, -1}), Catch::Contains("record 1 is -1 bytes at 3"));
}

TEST_CASE("an index that lacks a column is refused", "[io][pack][corrupt]") {
  const ScratchDirectory scratch;
  PackWriter writer(scratch / "a", "{}");
  writer.finish(Table({{kPackOffset, std::vector<int64_t>{}, "", ""}, {kPackBytes, std::vector<int64_t>{}, "", ""}}));
  CHECK_THROWS_WITH(PackFile(scratch / "a"), Catch::Contains("its index has no column sha256"));
}

TEST_CASE("a record that changed is found", "[io][pack][corrupt]") {
  const ScratchDirectory scratch;
  write(scratch / "a");
  std::string changed = read_file(scratch / "a");
  changed[4096 + 5] ^= 1;
  write_file_atomically(scratch / "a", changed);
  CHECK(PackFile(scratch / "a").changed_records(2) == std::vector<int64_t>{2});
}
