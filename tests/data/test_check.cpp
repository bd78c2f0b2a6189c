#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/file_set.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The checksums of the small data set's train split, spelled out.
std::string train_checksum(const std::function<std::string(const std::string& bytes)>& value) {
  std::map<std::string, std::string> lines;
  for (const auto& [name, bytes] : small_split(0)) {
    if (name != "dog/notes.txt" && name != "Cat/.hidden.jpg") lines[name] = name + "\t" + value(bytes) + "\n";
  }
  std::string text;
  for (const auto& [name, line] : lines) text += line;
  return sha256_hex(text);
}

std::string sizes_checksum() {
  return train_checksum([](const std::string& bytes) { return std::to_string(bytes.size()); });
}
std::string contents_checksum() {
  return train_checksum([](const std::string& bytes) { return sha256_hex(bytes); });
}

}  // namespace

TEST_CASE("a sound data set has no problems", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  manifest.splits[0].checksum = sizes_checksum();
  manifest.splits[0].content_checksum = contents_checksum();
  manifest.splits.pop_back();
  DatasetSettings settings = small_settings();
  settings.check_contents = true;
  CHECK(problems_of(manifest, settings, folder.path(), CheckDepth::kContents).empty());
}

TEST_CASE("missing data is reported with the names looked for and how to get them", "[data][check]") {
  const TemporaryFolder folder;
  Manifest manifest = small_manifest();
  manifest.found_as = {"little", "tiny"};
  const std::string problems = problems_of(manifest, small_settings(), folder.path());
  CHECK(contains(problems, "datasets[0]"));
  CHECK(contains(problems, "little or tiny"));
  CHECK(contains(problems, folder.path().string()));
  CHECK(contains(problems, "make it again"));
}

TEST_CASE("a check tells what a data set holds, without the pictures that it found corrupt", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  write_file(folder.path() / "small/train/ant/a.jpg", "no picture");
  DatasetSettings settings = small_settings();
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  settings.validation_fraction = 0.2;
  using Splits = std::vector<std::pair<std::string, int64_t>>;
  const auto check = [&](CheckDepth depth) {
    config::Problems problems;
    return check_dataset(small_manifest(), settings, {{folder.path()}, 2, {}}, depth, "data[0]", problems);
  };
  const auto listed = check(CheckDepth::kListing);
  REQUIRE(listed);
  CHECK(listed->splits == Splits{{"train", 8}, {"test", 10}, {"validation", 2}});
  CHECK(listed->n_classes == 3);
  CHECK(listed->n_targets == 0);
  CHECK(listed->count("validation") == 2);
  CHECK(listed->count("elsewhere") == 0);
  const auto decoded = check(CheckDepth::kContents);
  REQUIRE(decoded);
  CHECK(decoded->count("train") + decoded->count("validation") == 9);
  const DatasetSummary loaded =
      summary_of(load_dataset(small_manifest(), settings, {{folder.path()}, 1, {}}, NodeMemory::private_memory()));
  CHECK(loaded.n_classes == 3);
  for (const auto& [split, count] : decoded->splits) CHECK(loaded.count(split) == count);
  settings.on_corrupt = OnCorrupt::kFail;
  CHECK_FALSE(check(CheckDepth::kContents));
}

TEST_CASE("a missing split is reported", "[data][check]") {
  const TemporaryFolder folder;
  write_folder(folder.path() / "small" / "train", small_split(0));
  CHECK(contains(problems_of(small_manifest(), small_settings(), folder.path()),
                 "neither a folder nor an archive named test"));
}

TEST_CASE("a missing file changes count and checksum", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  manifest.splits[0].checksum = sizes_checksum();
  fs::remove(folder.path() / "small/train/ant/a.jpg");
  const std::string problems = problems_of(manifest, small_settings(), folder.path());
  CHECK(contains(problems, "9 samples"));
  CHECK(contains(problems, sizes_checksum()));
  CHECK_THROWS_AS(load_dataset(manifest, small_settings(), {{folder.path()}, 1, {}}, NodeMemory::private_memory()),
                  ConfigError);
}

TEST_CASE("a renamed file changes the checksum of the listing", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  manifest.splits[0].checksum = sizes_checksum();
  fs::rename(folder.path() / "small/train/ant/a.jpg", folder.path() / "small/train/ant/b.jpg");
  CHECK(contains(problems_of(manifest, small_settings(), folder.path()), "names and sizes with checksum"));
}

TEST_CASE("a changed byte is found by the contents' checksum alone", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  manifest.splits[0].checksum = sizes_checksum();
  manifest.splits[0].content_checksum = contents_checksum();
  manifest.splits.pop_back();
  std::string bytes = png(make_image(20, 44, 2));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] + 1);
  write_file(folder.path() / "small/train/ant/z.png", bytes);
  DatasetSettings settings = small_settings();
  CHECK(problems_of(manifest, settings, folder.path()).empty());
  settings.check_contents = true;
  CHECK(contains(problems_of(manifest, settings, folder.path()), "contents with checksum"));
}

TEST_CASE("contents cannot be checked against a manifest that does not know them", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.check_contents = true;
  CHECK(contains(problems_of(small_manifest(), settings, folder.path()), "datasets[0].check_contents"));
}

TEST_CASE("another number of classes is a problem that names those found", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  manifest.classes = 4;
  CHECK(contains(problems_of(manifest, small_settings(), folder.path()),
                 "3 classes in small: \"Cat\", \"ant\", \"dog\""));
  for (int i = 0; i < 8; ++i) write_file(folder.path() / fmt::format("small/test/more{}/a.jpg", i), "x");
  const std::string problems = problems_of(manifest, small_settings(), folder.path());
  CHECK(contains(problems, "11 classes in small: "));
  CHECK(contains(problems, "\"more6\" and 1 more"));
}

TEST_CASE("hidden files and links of a tar are passed over, a picture that is a link is refused", "[data][check]") {
  const TemporaryFolder folder;
  Files files;
  for (const char* split : {"train", "test"}) {
    for (const auto& [name, bytes] : small_split(0)) files.emplace_back(fmt::format("small/{}/{}", split, name), bytes);
  }
  // As other systems' tars have them: beside the folder, a shadow of it; inside, links.
  for (const char* extra : {"._small", ".hidden/link"}) files.emplace_back(extra, "no picture");
  for (const char* extra : {".shadow.jpg", "latest", "small/train/dog/.link.jpg", "small/train/link.txt"})
    files.emplace_back(extra, std::string(kLink) + "small");
  write_archive(folder.path() / "small.tar", files);
  CHECK(problems_of(small_manifest(), small_settings(), folder.path(), CheckDepth::kContents).empty());
  files.emplace_back("small/train/dog/link.jpg", std::string(kLink) + "a.JPG");
  write_archive(folder.path() / "small.tar", files);
  CHECK(contains(problems_of(small_manifest(), small_settings(), folder.path()),
                 "dog/link.jpg is a link or device in " + (folder.path() / "small.tar").string()));
}

TEST_CASE("a picture outside the class folders is a problem", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  write_file(folder.path() / "small/train/stray.jpg", "x");
  CHECK(contains(problems_of(small_manifest(), small_settings(), folder.path()), "stray.jpg"));
}

TEST_CASE("a data set past its share of memory is refused, saying so", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.max_memory_share = 1e-9;
  const std::string problems = problems_of(small_manifest(), settings, folder.path());
  CHECK(contains(problems, "invaria data pack small --pixels 8"));
  CHECK_THROWS_AS(load_dataset(small_manifest(), settings, {{folder.path()}, 1, {}}, NodeMemory::private_memory()),
                  ConfigError);
}

TEST_CASE("a validation cut that cannot be made is a problem", "[data][check]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.validation_fraction = 0.01;
  CHECK(contains(problems_of(small_manifest(), settings, folder.path()), "datasets[0].validation_fraction"));
  settings.validation_fraction = 0.3;
  CHECK(problems_of(small_manifest(), settings, folder.path()).empty());
  Manifest manifest = small_manifest();
  manifest.splits[1].name = "validation";
  CHECK(contains(problems_of(manifest, settings, folder.path()), "a validation split of its own"));
}

TEST_CASE("a broken tar is a problem that names it", "[data][check]") {
  const TemporaryFolder folder;
  write_file(folder.path() / "small" / "train.tar", "no tar at all, only text that goes on for a while");
  write_file(folder.path() / "small" / "test.tar", "");
  CHECK(contains(problems_of(small_manifest(), small_settings(), folder.path()), "train.tar"));
}

TEST_CASE("the first --data folder that holds the data set wins, then the manifest's own folder", "[data][check]") {
  const TemporaryFolder folder;
  Manifest manifest = small_manifest();
  manifest.source = folder.path() / "manifests" / "small.json";
  CHECK_FALSE(locate(manifest, {folder.path() / "a"}));
  fs::create_directories(folder.path() / "manifests" / "small");
  CHECK(locate(manifest, {folder.path() / "a"})->path == folder.path() / "manifests" / "small");
  write_archive(folder.path() / "b" / "small.tar.gz", small_split(0));
  CHECK(locate(manifest, {folder.path() / "a", folder.path() / "b"})->path == folder.path() / "b" / "small.tar.gz");
  CHECK(locate(manifest, {folder.path() / "a", folder.path() / "b"})->is_archive);
  fs::create_directories(folder.path() / "a" / "small");
  CHECK(locate(manifest, {folder.path() / "a", folder.path() / "b"})->path == folder.path() / "a" / "small");
}
