#include "core/errors.hpp"
#include "data/manifest.hpp"
#include "tests/data/make_files.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const fs::path kShipped = fs::path(INVARIA_SOURCE_DIR) / "datasets";

constexpr const char* kSound =
    R"({"name": "birds", "kind": "image-folder", "classes": 2, "splits": [{"name": "train", "path": "train"}]})";

std::string problems_in(const fs::path& folder, const std::string& json) {
  write_file(folder / "birds.json", json);
  try {
    read_manifest(folder / "birds.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every shipped manifest is sound, with licence, citation and how to get the data", "[data][manifest]") {
  int64_t n = 0;
  for (const auto& entry : fs::directory_iterator(kShipped)) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().string());
    const Manifest manifest = read_manifest(entry.path());
    CHECK_FALSE(manifest.licence.empty());
    CHECK_FALSE(manifest.how_to_get.empty());
    if (manifest.kind != DatasetKind::kSynthetic) CHECK_FALSE(manifest.citation.empty());
    for (const SplitManifest& split : manifest.splits) {
      CHECK((split.checksum.empty() || split.checksum.size() == 64));
      CHECK((split.content_checksum.empty() || split.content_checksum.size() == 64));
    }
    ++n;
  }
  CHECK(n >= 30);
}

TEST_CASE("a manifest is found in the first folder that has it, the source tree's last", "[data][manifest]") {
  const TemporaryFolder folder;
  const auto folders = manifest_folders(folder.path() / "suite", {folder.path() / "data"});
  CHECK(folders.back() == kShipped);
  config::Problems problems;
  CHECK(find_manifest("caltech101-sample", folders, "datasets[0].name", problems)->classes == 101);
  write_file(folder.path() / "data/birds.json", kSound);
  CHECK(find_manifest("birds", folders, "", problems)->source == folder.path() / "data/birds.json");
  write_file(folder.path() / "suite/datasets/birds.json", kSound);
  CHECK(find_manifest("birds", folders, "", problems)->source == folder.path() / "suite/datasets/birds.json");
  // A suite of the same name is no manifest.
  write_file(folder.path() / "suite/birds.json", R"({"encoders": []})");
  CHECK(find_manifest("birds", folders, "", problems)->source == folder.path() / "suite/datasets/birds.json");
  CHECK(problems.empty());
}

TEST_CASE("an unknown data set is a problem with the nearest known name", "[data][manifest]") {
  const TemporaryFolder folder;
  config::Problems problems;
  CHECK_FALSE(find_manifest("caltech101-sampel", manifest_folders(folder.path(), {}), "datasets[0].name", problems));
  CHECK_FALSE(find_manifest("../secret", manifest_folders(folder.path(), {}), "datasets[1].name", problems));
  REQUIRE(problems.list().size() == 2);
  CHECK(problems.list()[0].where == "datasets[0].name");
  CHECK(contains(problems.list()[0].hint, "did you mean \"caltech101-sample\"?"));
}

TEST_CASE("a broken manifest is a problem, not a crash", "[data][manifest]") {
  const TemporaryFolder folder;
  write_file(folder.path() / "birds.json", "{\"name\": ");
  config::Problems problems;
  CHECK_FALSE(find_manifest("birds", {folder.path()}, "datasets[0].name", problems));
  CHECK(contains(problems.to_string(), "birds.json, line 1"));
}

TEST_CASE("what contradicts itself in a manifest is named", "[data][manifest]") {
  const TemporaryFolder folder;
  CHECK(problems_in(folder.path(), kSound).empty());
  const auto [json, message] = GENERATE(
      std::pair{R"({"name": "owls", "kind": "image-folder", "splits": [{"name": "train"}]})", "as the file is named"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "splits": []})", "at least one split"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "splits": [{"name": "train"}, {"name": "train"}]})",
                "splits[1].name"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "splits": [{"name": "dev"}]})",
                "train, validation or test"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "splits": [{"name": "train", "files": ["a"]}]})",
                "splits[0].files"},
      std::pair{R"({"name": "birds", "kind": "cifar-10", "classes": 10, "splits": [{"name": "train"}]})",
                "class_names"},
      std::pair{
          R"({"name": "birds", "kind": "cifar-100", "classes": 10, "splits": [{"name": "train", "files": ["a"]}]})",
          "classes"},
      std::pair{R"({"name": "birds", "kind": "synthetic", "classes": 20, "splits": [{"name": "train"}]})",
                "splits[0].count"},
      std::pair{R"({"name": "birds", "kind": "synthetic", "classes": 3, "splits": [{"name": "train", "count": 2}]})",
                "shapes x colours = 20"},
      std::pair{
          R"({"name": "birds", "kind": "image-folder", "targets": [{"column": "x"}], "splits": [{"name": "train"}]})",
          "targets"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "class_names": ["a"], "splits": [{"name": "train"}]})",
                "class_names"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "split_seed": 0, "splits": [{"name": "train"}]})",
                "only the kind table reads it"},
      std::pair{R"({"name": "birds", "kind": "table", "synthetic": {"seed": 1}, "splits": [{"name": "train"}]})",
                "only the kind synthetic reads it"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"]}],
                    "splits": [{"name": "train", "last_row": 9}, {"name": "test"}]})",
                "splits[1]"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"]}],
                    "splits": [{"name": "train", "tables": [{"files": ["a.csv"]}], "last_row": 9}]})",
                "splits[0].tables"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"]}],
                    "splits": [{"name": "train", "per_class": 9}, {"name": "test", "tables": [{"files": ["a.csv"]}]}]})",
                "splits[1].tables"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"]}],
                    "splits": [{"name": "train", "per_class": 9}, {"name": "test", "value": "2"}]})",
                "splits[1].value"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"]}],
                    "splits": [{"name": "train", "last_row": 9, "value": "1"}, {"name": "test", "first_row": 10}]})",
                "splits[0].value"},
      std::pair{
          R"({"name": "birds", "kind": "table", "tables": [{"files": ["*.jpg"], "format": "pictures", "spread": "x"}],
                    "splits": [{"name": "train"}]})",
          "tables[0].spread"},
      std::pair{R"({"name": "birds", "kind": "table", "tables": [{"files": ["t.csv"], "without_row": "leave-out"}],
                    "splits": [{"name": "train"}]})",
                "tables[0].without_row"},
      std::pair{R"({"name": "birds", "kind": "table", "classes": 2, "class_names": ["a", "a"],
                    "tables": [{"files": ["t.csv"]}], "splits": [{"name": "train"}]})",
                "class_names"},
      std::pair{R"({"name": "birds", "kind": "image-foldr", "splits": [{"name": "train"}]})",
                "did you mean \"image-folder\"?"},
      std::pair{R"({"name": "birds", "kind": "image-folder", "splits": [{"name": "train", "chekcsum": ""}]})",
                "did you mean \"checksum\"?"});
  CAPTURE(json);
  CHECK(contains(problems_in(folder.path(), json), message));
}
