#include <archive.h>
#include <archive_entry.h>

#include <map>
#include <vector>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "io/archive.hpp"
#include "tests/io/scratch.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::io;

namespace {

struct Entry {
  std::string name;
  std::string bytes;
  unsigned type = AE_IFREG;
};

enum class TarFormat { kUstar, kPax, kGnu, kZip };

void write_tar(const fs::path& path, const std::vector<Entry>& entries, TarFormat format = TarFormat::kUstar,
               int filter = ARCHIVE_FILTER_NONE) {
  struct archive* const tar = archive_write_new();
  const auto check = [&](int status) {
    INFO((archive_error_string(tar) == nullptr ? "" : archive_error_string(tar)));
    REQUIRE(status >= ARCHIVE_WARN);
  };
  check(format == TarFormat::kUstar ? archive_write_set_format_ustar(tar)
        : format == TarFormat::kPax ? archive_write_set_format_pax(tar)
        : format == TarFormat::kZip ? archive_write_set_format_zip(tar)
                                    : archive_write_set_format_gnutar(tar));
  check(archive_write_add_filter(tar, filter));
  check(archive_write_open_filename(tar, path.c_str()));
  for (const Entry& e : entries) {
    struct archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.name.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, 0644);
    if (e.type == AE_IFLNK) archive_entry_set_symlink(entry, "target");
    archive_entry_set_size(entry, static_cast<la_int64_t>(e.bytes.size()));
    check(archive_write_header(tar, entry));
    if (!e.bytes.empty()) check(static_cast<int>(archive_write_data(tar, e.bytes.data(), e.bytes.size())));
    archive_entry_free(entry);
  }
  check(archive_write_close(tar));
  archive_write_free(tar);
}

std::vector<std::pair<std::string, std::string>> read_all(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> entries;
  for_each_entry(path, InnerArchives::kFiles,
                 [&](const std::string& name, std::string& bytes) { entries.emplace_back(name, std::move(bytes)); });
  return entries;
}

/// Bytes that no filter shortens to nothing.
std::string noise(size_t length, uint64_t seed) {
  Draws draws({.seed = seed});
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(draws.next_u32());
  return bytes;
}

}  // namespace

TEST_CASE("the files of a tar come in order with their bytes, plain or compressed", "[io][archive]") {
  const ScratchDirectory scratch;
  const int filter = GENERATE(ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD);
  const std::string large = noise(700'000, 1);
  write_tar(
      scratch / "a.tar",
      {{"./train", "", AE_IFDIR}, {"./train//cat/1.jpg", large}, {"train/empty", ""}, {"b", std::string("\0x", 2)}},
      TarFormat::kUstar, filter);
  const auto entries = read_all(scratch / "a.tar");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].first == "train/cat/1.jpg");
  CHECK(entries[0].second == large);
  CHECK(entries[1] == std::pair<std::string, std::string>("train/empty", ""));
  CHECK(entries[2].second == std::string("\0x", 2));

  const std::vector<ArchiveEntry> listed = list_entries(scratch / "a.tar", InnerArchives::kFiles);
  REQUIRE(listed.size() == 3);
  for (size_t n = 0; n < listed.size(); ++n) {
    CHECK(listed[n].name == entries[n].first);
    CHECK(listed[n].bytes == static_cast<int64_t>(entries[n].second.size()));
  }
}

TEST_CASE("names that are not ASCII, or long, survive in the C locale", "[io][archive]") {
  const ScratchDirectory scratch;
  const auto format = GENERATE(TarFormat::kPax, TarFormat::kGnu);
  const std::string accented = "caf\xc3\xa9/\xe2\x82\xac.jpg";
  const std::string longer = std::string(120, 'd') + "/" + std::string(150, 'f') + ".png";
  write_tar(scratch / "a.tar", {{accented, "1"}, {longer, "2"}}, format);
  const auto entries = read_all(scratch / "a.tar");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].first == accented);
  CHECK(entries[1].first == longer);
}

TEST_CASE("archives that could do harm are refused, naming archive and entry", "[io][archive][corrupt]") {
  const ScratchDirectory scratch;
  const auto refuses = [&](const std::vector<Entry>& entries, const std::string& reason) {
    write_tar(scratch / "a.tar", entries);
    CHECK_THROWS_AS(read_all(scratch / "a.tar"), ConfigError);
    CHECK_THROWS_WITH(list_entries(scratch / "a.tar", InnerArchives::kFiles),
                      Catch::StartsWith((scratch / "a.tar").string()) && Catch::Contains(reason));
  };
  refuses({{"/etc/passwd", "x"}}, "absolute");
  refuses({{"a/../../b", "x"}}, "leads out");
  refuses({{"..", "x"}}, "leads out");
  refuses({{"a", "x"}, {"./a", "y"}}, "a: this entry is there twice");
}

TEST_CASE("links and devices are listed as such and never read", "[io][archive]") {
  const ScratchDirectory scratch;
  write_tar(scratch / "a.tar", {{"link", "", AE_IFLNK}, {"a", "x"}, {"pipe", "", AE_IFIFO}});
  CHECK(read_all(scratch / "a.tar") == std::vector<std::pair<std::string, std::string>>{{"a", "x"}});
  const auto entries = list_entries(scratch / "a.tar", InnerArchives::kFiles);
  REQUIRE(entries.size() == 3);
  CHECK((entries[0].name == "link" && !entries[0].is_regular));
  CHECK((entries[1].name == "a" && entries[1].is_regular && entries[1].bytes == 1));
  CHECK((entries[2].name == "pipe" && !entries[2].is_regular));
}

TEST_CASE("names of entries are normalised", "[io][archive]") {
  CHECK(normalise_entry_name("./a//b/./c", "t") == "a/b/c");
  CHECK(normalise_entry_name("..a/b..", "t") == "..a/b..");
  CHECK_THROWS_AS(normalise_entry_name("./", "t"), ConfigError);
  CHECK_THROWS_AS(normalise_entry_name("", "t"), ConfigError);
}

TEST_CASE("an archive that is not there, is no tar or is cut off is an error that names it", "[io][archive][corrupt]") {
  const ScratchDirectory scratch;
  const fs::path path = scratch / "a.tar";
  CHECK_THROWS_AS(list_entries(path, InnerArchives::kFiles), EnvironmentError);
  write_plain(path, "this is no archive, though it is long enough to be looked at");
  CHECK_THROWS_WITH(read_all(path), Catch::StartsWith(path.string()) && Catch::Contains("not a readable tar or zip"));
  write_plain(path, "");
  CHECK_THROWS_AS(read_all(path), ConfigError);

  const int filter = GENERATE(ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD);
  write_tar(path, {{"one", noise(1000, 2)}, {"two", noise(3000, 3)}}, TarFormat::kUstar, filter);
  const std::string whole = read_file(path);
  // A plain tar has 512 bytes of header before data of 1,000 bytes, padded to 1,024; then 512 and 3,000.
  for (const size_t length : {size_t{100}, size_t{700}, size_t{1300}, size_t{1700}, size_t{3000}, size_t{4000}}) {
    write_plain(path, std::string_view(whole).substr(0, length));
    INFO("filter " << filter << ", length " << length << " of " << whole.size());
    CHECK_THROWS_AS(read_all(path), ConfigError);
  }
}

TEST_CASE("an archive with bytes changed at random is read or refused, never worse", "[io][archive][corrupt]") {
  const ScratchDirectory scratch;
  const int filter = GENERATE(ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP);
  write_tar(scratch / "a.tar", {{"one", noise(300, 2)}, {"two", noise(300, 3)}}, TarFormat::kPax, filter);
  const std::string whole = read_file(scratch / "a.tar").substr(0, 4096);
  Draws draws({.seed = 7});
  int refused = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::string changed = whole;
    changed[static_cast<size_t>(draws.below(static_cast<int64_t>(whole.size())))] = static_cast<char>(draws.below(256));
    write_plain(scratch / "x.tar", changed);
    try {
      read_all(scratch / "x.tar");
    } catch (const ConfigError&) {
      ++refused;
    }
  }
  CHECK(refused > 20);
}

TEST_CASE("what the callback throws passes through", "[io][archive]") {
  const ScratchDirectory scratch;
  write_tar(scratch / "a.tar", {{"one", "1"}});
  CHECK_THROWS_AS(for_each_entry(scratch / "a.tar", InnerArchives::kFiles,
                                 [](const std::string&, std::string&) { throw PreconditionError("mine"); }),
                  PreconditionError);
}

TEST_CASE("a zip is read as a tar is", "[io][archive]") {
  const ScratchDirectory scratch;
  const std::string large = noise(300'000, 4);
  write_tar(scratch / "a.zip", {{"train", "", AE_IFDIR}, {"train/1.jpg", large}, {"b", "x"}, {"empty", ""}},
            TarFormat::kZip);
  const auto entries = read_all(scratch / "a.zip");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0] == std::pair<std::string, std::string>("train/1.jpg", large));
  CHECK(entries[1].second == "x");
  CHECK(list_entries(scratch / "a.zip", InnerArchives::kFiles)[0].bytes == 300'000);
  const std::string whole = read_file(scratch / "a.zip");
  for (const size_t length : {size_t{0}, size_t{20}, size_t{1000}, whole.size() - 30}) {
    write_plain(scratch / "a.zip", std::string_view(whole).substr(0, length));
    INFO(length << " of " << whole.size());
    CHECK_THROWS_AS(read_all(scratch / "a.zip"), ConfigError);
  }
}

TEST_CASE("an archive inside an archive is a file, or where asked for a folder", "[io][archive]") {
  const ScratchDirectory scratch;
  write_tar(scratch / "inner.tar", {{"1.jpg", "one"}, {"a/2.jpg", "two"}}, TarFormat::kUstar, ARCHIVE_FILTER_GZIP);
  const std::string inner = read_file(scratch / "inner.tar");
  write_tar(scratch / "innermost.zip", {{"x", "y"}}, TarFormat::kZip);
  write_tar(scratch / "middle.tar", {{"z.zip", read_file(scratch / "innermost.zip")}});
  write_tar(scratch / "a.tar", {{"n01.tar.gz", inner}, {"b", "x"}, {"m/n02.tar", read_file(scratch / "middle.tar")}});
  CHECK(read_all(scratch / "a.tar")[0] == std::pair<std::string, std::string>("n01.tar.gz", inner));
  std::map<std::string, std::string> found;
  for_each_entry(scratch / "a.tar", InnerArchives::kFolders,
                 [&](const std::string& name, std::string& bytes) { found[name] = bytes; });
  CHECK(found == std::map<std::string, std::string>{
                     {"b", "x"}, {"n01/1.jpg", "one"}, {"n01/a/2.jpg", "two"}, {"m/n02/z/x", "y"}});
  for (const ArchiveEntry& entry : list_entries(scratch / "a.tar", InnerArchives::kFolders)) {
    CHECK(entry.bytes == static_cast<int64_t>(found.at(entry.name).size()));
  }
  write_tar(scratch / "a.tar", {{"n01.tar.gz", inner.substr(0, 60)}});
  CHECK_THROWS_WITH(list_entries(scratch / "a.tar", InnerArchives::kFolders),
                    Catch::StartsWith((scratch / "a.tar").string() + ":n01.tar.gz"));
}

TEST_CASE("names of archives end in a tar's extensions or a zip's", "[io][archive]") {
  CHECK(has_archive_extension("a.tar"));
  CHECK(has_archive_extension("a.tar.gz"));
  CHECK(has_archive_extension("a.tgz"));
  CHECK(has_archive_extension("a.tar.zst"));
  CHECK(has_archive_extension("a.zip"));
  CHECK_FALSE(has_archive_extension("a.tar.jpg"));
  CHECK(without_archive_extension("b/a.x.tar.gz") == "b/a.x");
  CHECK(without_archive_extension("a.gz") == "a.gz");
}

TEST_CASE("archives inside archives are read a few levels deep, and no further", "[io]") {
  const ScratchDirectory scratch;
  const auto nest = [&](int levels) {
    std::string bytes = "innermost";
    fs::path path;
    for (int level = 0; level <= levels; ++level) {
      path = scratch.path() / fmt::format("{}-{}.tar", levels, level);
      write_tar(path, {{level == 0 ? "file" : fmt::format("{}.tar", level), bytes}});
      bytes = read_file(path);
    }
    return path;
  };
  std::vector<ArchiveEntry> found = list_entries(nest(3), InnerArchives::kFolders);
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "3/2/1/file");
  for (const auto& read : {+[](const fs::path& path) { list_entries(path, InnerArchives::kFolders); },
                           +[](const fs::path& path) {
                             for_each_entry(path, InnerArchives::kFolders, [](const std::string&, std::string&) {});
                           }}) {
    try {
      read(nest(4));
      FAIL("five levels are read");
    } catch (const ConfigError& error) {
      CHECK(std::string(error.what()).find("at most 3 levels") != std::string::npos);
    }
  }
}
