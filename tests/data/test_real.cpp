#include <algorithm>
#include <cstdlib>
#include <set>

#include "data/file_set.hpp"
#include "tests/data/fake_node.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

const fs::path kShipped = fs::path(INVARIA_SOURCE_DIR) / "datasets";

DatasetSettings settings_for(const std::string& name) {
  DatasetSettings settings;
  settings.name = name;
  settings.size = 64;
  return settings;
}

}  // namespace

TEST_CASE("the shipped sample is whole: every picture is there, unchanged, and can be decoded", "[data][sample]") {
  const Manifest manifest = read_manifest(kShipped / "caltech101-sample.json");
  DatasetSettings settings = settings_for("caltech101-sample");
  settings.check_contents = true;
  CHECK(problems_of(manifest, settings, "/nowhere", CheckDepth::kContents).empty());
  CHECK(fs::exists(kShipped / "sample" / "ATTRIBUTION.md"));
  CHECK(fs::exists(kShipped / "sample" / "LICENSE.txt"));
}

TEST_CASE("the shipped sample has 1515 and 1010 pictures of 101 classes", "[data][sample]") {
  const Manifest manifest = read_manifest(kShipped / "caltech101-sample.json");
  FakeNode node(2);
  std::vector<Dataset> loaded(2);
  const auto failures = node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(manifest, settings_for("caltech101-sample"), {{}, 1, {}}, memory);
  });
  for (const auto& failure : failures) REQUIRE(message_of(failure).empty());
  const Dataset& dataset = loaded[0];
  check_equal(loaded[1], dataset);
  REQUIRE(dataset.split("train").n == 1515);
  REQUIRE(dataset.split("test").n == 1010);
  CHECK(dataset.classes.size() == 101);
  CHECK(dataset.classes.front() == "Faces");
  CHECK(dataset.classes.back() == "yin_yang");
  for (int64_t label = 0; label < 101; ++label) {
    CHECK(std::count(dataset.split("train").labels.begin(), dataset.split("train").labels.end(), label) == 15);
    CHECK(std::count(dataset.split("test").labels.begin(), dataset.split("test").labels.end(), label) == 10);
  }
  std::set<std::string> different;
  for (int64_t i = 0; i < 1515; ++i) different.insert(picture(dataset.split("train"), i));
  CHECK(different.size() > 1500);
}

TEST_CASE("real data sets are as their manifests say and load", "[data][real]") {
  const char* folder = std::getenv("INVARIA_TEST_DATA");
  if (folder == nullptr) INVARIA_SKIP("INVARIA_TEST_DATA names no folder with data sets");
  int64_t n_loaded = 0;
  for (const std::string& name : known_datasets({kShipped})) {
    const Manifest manifest = read_manifest(kShipped / (name + ".json"));
    if (manifest.kind == DatasetKind::kSynthetic || name == "caltech101-sample") continue;
    if (!locate(manifest, {folder})) {
      fmt::print("not in {}: {}\n", folder, name);
      continue;
    }
    CAPTURE(name);
    CHECK(problems_of(manifest, settings_for(name), folder, CheckDepth::kContents).empty());
    const Dataset dataset = load_dataset(manifest, settings_for(name), {{folder}, 2, {}}, NodeMemory::private_memory());
    for (const SplitManifest& split : manifest.splits) {
      const int64_t n = dataset.split(split.name).n;
      CHECK(n == split.count.value_or(n));
      CHECK(n > 0);
    }
    ++n_loaded;
  }
  CHECK(n_loaded > 0);
}

TEST_CASE("CIFAR-10's binary records are the pictures and labels of its JPEG copies", "[data][real][cifar]") {
  const char* folder = std::getenv("INVARIA_TEST_DATA");
  if (folder == nullptr) INVARIA_SKIP("INVARIA_TEST_DATA names no folder with data sets");
  Manifest manifest = read_manifest(kShipped / "cifar10.json");
  manifest.found_as = {"cifar10_bin_sample/cifar-10-batches-bin"};
  manifest.splits = {{"train", "", {"data_batch_1.bin"}, 500, "", ""}, {"test", "", {"test_batch.bin"}, 500, "", ""}};
  const Manifest jpeg_manifest = read_manifest(kShipped / "cifar10-jpeg.json");
  if (!locate(manifest, {folder}) || !locate(jpeg_manifest, {folder})) INVARIA_SKIP("no CIFAR-10 copies there");
  const auto load = [&](const Manifest& which) {
    DatasetSettings settings = settings_for(which.name);
    settings.size = 32;
    return load_dataset(which, settings, {{folder}, 2, {}}, NodeMemory::private_memory());
  };
  const Dataset binary = load(manifest);
  const Dataset jpegs = load(jpeg_manifest);
  CHECK(binary.classes == jpegs.classes);
  for (const char* name : {"train", "test"}) {
    const DataSplit& records = binary.split(name);
    const DataSplit& files = jpegs.split(name);
    std::map<std::string, int64_t> label_of;
    for (int64_t i = 0; i < files.n; ++i) label_of[picture(files, i)] = files.labels[static_cast<size_t>(i)];
    int64_t n_same = 0;
    for (int64_t i = 0; i < records.n; ++i) {
      const auto found = label_of.find(picture(records, i));
      if (found != label_of.end() && found->second == records.labels[static_cast<size_t>(i)]) ++n_same;
    }
    CHECK(n_same == 500);
  }
}
