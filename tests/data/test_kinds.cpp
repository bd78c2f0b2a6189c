#include <algorithm>
#include <set>

#include "core/errors.hpp"
#include "data/csv.hpp"
#include "data/resize.hpp"
#include "data/synthetic.hpp"
#include "data/table_kind.hpp"
#include "io/cifar.hpp"
#include "tests/data/fake_node.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> names_of(const std::vector<TargetColumn>& targets) {
  std::vector<std::string> names;
  for (const TargetColumn& target : targets) names.push_back(target.name);
  return names;
}

Dataset load_alone(const Manifest& manifest, const DatasetSettings& settings, const fs::path& folder) {
  return load_dataset(manifest, settings, {{folder}, 2, {}}, NodeMemory::private_memory());
}

/// CIFAR-100: a coarse label, then the fine one.
std::string cifar100_records(int count) {
  std::string bytes;
  for (int n = 0; n < count; ++n) {
    bytes += static_cast<char>(n % 20);
    bytes += static_cast<char>(99 - n);
    bytes += std::string(32 * 32 * 3, static_cast<char>(n));
  }
  return bytes;
}

/// `count` records of CIFAR-10: picture n has plane c filled with 10 n + c, label n % 10.
std::string cifar_records(int first, int count) {
  std::string bytes;
  for (int n = first; n < first + count; ++n) {
    bytes += static_cast<char>(n % 10);
    for (int c = 0; c < 3; ++c) bytes += std::string(32 * 32, static_cast<char>(10 * n + c));
  }
  return bytes;
}

Manifest cifar_manifest() {
  Manifest manifest;
  manifest.name = "little-cifar";
  manifest.kind = DatasetKind::kCifar10;
  manifest.classes = 10;
  manifest.class_names = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  manifest.splits = {{"train", "", {"data_batch_2.bin", "data_batch_1.bin"}, 12, "", ""},
                     {"test", "", {"test_batch.bin"}, 3, "", ""}};
  return manifest;
}

void write_cifar(const fs::path& folder) {
  write_file(folder / "data_batch_1.bin", cifar_records(0, 7));
  write_file(folder / "data_batch_2.bin", cifar_records(7, 5));
  write_file(folder / "test_batch.bin", cifar_records(20, 3));
}

Manifest csv_manifest() {
  Manifest manifest;
  manifest.name = "points";
  manifest.kind = DatasetKind::kTable;
  manifest.picture = "images/{file}";
  manifest.splits = {{"train", "", {}, 2, "", ""}, {"test", "", {}, 1, "", ""}};
  return manifest;
}

void write_csv(const fs::path& folder, const std::string& table) {
  write_file(folder / "index.csv", table);
  write_file(folder / "images/b.jpg", jpeg(make_image(20, 40, 1)));
  write_file(folder / "images/a.jpg", jpeg(make_image(40, 20, 2)));
  write_file(folder / "images/c, d.jpg", jpeg(make_image(40, 40, 3)));
}

constexpr const char* kTable =
    "file,split,class,target_x,target_y,target_angle\n"
    "b.jpg,train,Z,10,5,0.25\r\n"
    "a.jpg,train,A,10,5,-3e2\n"
    "\"c, d.jpg\",test,Z,40,0,1\n";

Manifest shapes_manifest() {
  Manifest manifest;
  manifest.name = "shapes";
  manifest.kind = DatasetKind::kSynthetic;
  manifest.synthetic = {3, 2, 5};
  manifest.classes = 6;
  manifest.splits = {{"train", "", {}, 30, "", ""}, {"test", "", {}, 12, "", ""}};
  return manifest;
}

DatasetSettings settings_of(int64_t size) {
  DatasetSettings settings;
  settings.name = "x";
  settings.size = size;
  return settings;
}

}  // namespace

TEST_CASE("CIFAR's records become pictures in file and record order", "[data][cifar]") {
  const TemporaryFolder folder;
  write_cifar(folder.path() / "little-cifar");
  const Dataset dataset = load_alone(cifar_manifest(), settings_of(32), folder.path());
  const DataSplit& train = dataset.split("train");
  REQUIRE(train.n == 12);
  CHECK(train.names[0] == "data_batch_1/00000");
  CHECK(train.names[7] == "data_batch_2/00000");
  CHECK(dataset.classes[3] == "d");
  for (int n = 0; n < 12; ++n) {
    CHECK(train.labels[static_cast<size_t>(n)] == n % 10);
    CHECK(train.sample(n).get()[0] == 10 * n);
    CHECK(train.sample(n).get()[1] == 10 * n + 1);
    CHECK(train.sample(n).get()[32 * 32 * 3 - 1] == 10 * n + 2);
  }
  CHECK(dataset.split("test").labels == std::vector<int64_t>{0, 1, 2});
}

TEST_CASE("CIFAR from its tar, on two ranks and cut, is the same", "[data][cifar]") {
  const TemporaryFolder folder;
  write_cifar(folder.path() / "little-cifar");
  const TemporaryFolder packed;
  write_archive(packed.path() / "little-cifar.tar.gz", {{"little-cifar/readme.html", "hello"},
                                                        {"little-cifar/test_batch.bin", cifar_records(20, 3)},
                                                        {"little-cifar/data_batch_2.bin", cifar_records(7, 5)},
                                                        {"little-cifar/data_batch_1.bin", cifar_records(0, 7)}});
  DatasetSettings settings = settings_of(16);
  settings.validation_fraction = 0.25;
  const Dataset expected = load_alone(cifar_manifest(), settings, folder.path());
  CHECK(expected.split("validation").n == 3);
  FakeNode node(2);
  std::vector<Dataset> loaded(2);
  const auto failures = node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(cifar_manifest(), settings, {{packed.path()}, 1, {}}, memory);
  });
  for (size_t rank = 0; rank < 2; ++rank) {
    REQUIRE(message_of(failures[rank]).empty());
    check_equal(loaded[rank], expected);
  }
}

TEST_CASE("a CIFAR file of the wrong length or a missing one is a problem", "[data][cifar]") {
  const TemporaryFolder folder;
  write_cifar(folder.path() / "little-cifar");
  write_file(folder.path() / "little-cifar/data_batch_2.bin", cifar_records(7, 5) + "x");
  CHECK(contains(problems_of(cifar_manifest(), settings_of(8), folder.path()), "data_batch_2.bin"));
  fs::remove(folder.path() / "little-cifar/data_batch_2.bin");
  CHECK(contains(problems_of(cifar_manifest(), settings_of(8), folder.path()), "no file data_batch_2.bin"));
}

TEST_CASE("CIFAR-100 as its manifest lays it out has fine labels", "[data][cifar]") {
  const TemporaryFolder folder;
  Manifest manifest = read_manifest(fs::path(INVARIA_SOURCE_DIR) / "datasets" / "cifar100.json");
  for (SplitManifest& split : manifest.splits) {
    split.count = 30;
    split.checksum.clear();
    write_file(folder.path() / "cifar-100-binary" / split.files.at(0), cifar100_records(30));
  }
  const Dataset dataset = load_alone(manifest, settings_of(32), folder.path());
  CHECK(dataset.classes.size() == 100);
  CHECK(std::is_sorted(dataset.classes.begin(), dataset.classes.end()));
  CHECK(dataset.split("train").labels[0] == 99);
  CHECK(dataset.classes[static_cast<size_t>(dataset.split("test").labels[1])] == "woman");
  CHECK(dataset.split("test").sample(29).get()[0] == 29);
}

TEST_CASE("a table's pixel targets move with the resize, others stay", "[data][csv]") {
  const TemporaryFolder folder;
  write_csv(folder.path() / "points", kTable);
  const Dataset dataset = load_alone(csv_manifest(), settings_of(10), folder.path());
  CHECK(names_of(dataset.target_columns) == std::vector<std::string>{"target_x", "target_y", "target_angle"});
  const DataSplit& train = dataset.split("train");
  CHECK(train.names == std::vector<std::string>{"images/a.jpg", "images/b.jpg"});
  CHECK(train.labels.empty());
  CHECK(train.targets == std::vector<std::vector<double>>{{5.0, 1.25, -300.0}, {2.5, 2.5, 0.25}});
  CHECK(dataset.split("test").names == std::vector<std::string>{"images/c, d.jpg"});

  DatasetSettings crop = settings_of(10);
  crop.resize = ResizeMode::kShortSideCrop;
  // a.jpg is 40 high, 20 wide: resized to 20 x 10, cropped from row 5.
  CHECK(load_alone(csv_manifest(), crop, folder.path()).split("train").targets[0] ==
        std::vector<double>{5.0, -2.5, -300.0});
}

TEST_CASE("a table's classes are labels, its declared targets replace the default ones", "[data][csv]") {
  const TemporaryFolder folder;
  write_csv(folder.path() / "points", kTable);
  Manifest manifest = csv_manifest();
  manifest.classes = 2;
  manifest.targets = {{"target_angle", TargetUnit::kPixelsX, ""}};
  const Dataset dataset = load_alone(manifest, settings_of(10), folder.path());
  CHECK(dataset.classes == std::vector<std::string>{"A", "Z"});
  CHECK(dataset.split("train").labels == std::vector<int64_t>{0, 1});
  CHECK(dataset.split("train").targets == std::vector<std::vector<double>>{{-150.0}, {0.0625}});
}

TEST_CASE("targets are the same on every rank and part of the split's hash", "[data][csv]") {
  const TemporaryFolder folder;
  write_csv(folder.path() / "points", kTable);
  const Dataset expected = load_alone(csv_manifest(), settings_of(10), folder.path());
  FakeNode node(2);
  std::vector<Dataset> loaded(2);
  node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(csv_manifest(), settings_of(10), {{folder.path()}, 1, {}}, memory);
  });
  check_equal(loaded[0], expected);
  check_equal(loaded[1], expected);
  write_csv(folder.path() / "points", std::string(kTable).replace(std::string(kTable).find("0.25"), 4, "0.35"));
  CHECK(load_alone(csv_manifest(), settings_of(10), folder.path()).split("train").hash != expected.split("train").hash);
}

TEST_CASE("a table that does not fit is a problem with its row", "[data][csv]") {
  const TemporaryFolder folder;
  const auto [table, message] = GENERATE(
      std::pair{"", "found nothing"}, std::pair{"name,split\nb.jpg,train\n", "no column file"},
      std::pair{"file,split,target_x\nb.jpg,train\n", "row 2: found 2 fields"},
      std::pair{"file,split,target_x\nb.jpg,train,nan\n", "row 2, target_x: found \"nan\""},
      std::pair{"file,split\nb.jpg,train\n\n\nq.jpg,train\n", "row 5: found no file images/q.jpg"},
      std::pair{"file,split\nb.jpg,train\n\na.jpg,trian\n", "index.csv, row 4, 1 in all; did you mean \"train\"?)"},
      std::pair{"file\nb.jpg\n", "index.csv, row 2, 1 in all"},
      std::pair{"file,split\nb.jpg,train\nb.jpg,train\n", "row 3: found the file images/b.jpg twice"},
      std::pair{"file,file\nb.jpg,train\n", "the column file twice"},
      std::pair{"file,split\n\"b.jpg,train\n", "never closed"});
  write_csv(folder.path() / "points", table);
  CHECK(contains(problems_of(csv_manifest(), settings_of(8), folder.path()), message));
}

TEST_CASE("a file that two splits have is a problem", "[data][csv]") {
  const TemporaryFolder folder;
  write_csv(folder.path() / "points", "file,target_x\nb.jpg,1\n");
  write_file(folder.path() / "points/train.csv", "file,target_x\nb.jpg,1\n");
  write_file(folder.path() / "points/test.csv", "file,target_x\na.jpg,1\nb.jpg,1\n");
  Manifest manifest = csv_manifest();
  for (SplitManifest& split : manifest.splits) {
    split.count.reset();
    split.tables = {{.files = {split.name + ".csv"}}};
  }
  CHECK_THAT(problems_of(manifest, settings_of(8), folder.path()),
             Catch::Contains("found images/b.jpg in the splits train and test"));
}

TEST_CASE("targets are promised where a manifest names their columns", "[data][csv][synthetic]") {
  config::Problems problems;
  const auto promised = [&](const std::string& name) {
    std::set<std::string> names;
    for (const TargetColumn& target : promised_targets(*find_manifest(name, manifest_folders({}, {}), "", problems)))
      names.insert(target.name);
    return names;
  };
  CHECK(promised("synthetic-shapes") == std::set<std::string>{"target_x", "target_y"});
  CHECK(promised("celeba").contains("attr_Smiling"));
  CHECK(promised("celeba").size() == 50);
}

TEST_CASE("spaces round a column's name are no part of it", "[data][csv]") {
  const CsvTable table = parse_csv(" file,\tsplit , a b \nx, y,z\n", "table");
  CHECK(table.columns == std::vector<std::string>{"file", "split", "a b"});
  CHECK(table.rows[0][1] == " y");
}

TEST_CASE("a table and a CIFAR file that are links in a tar are refused", "[data][csv][cifar]") {
  const TemporaryFolder folder;
  write_archive(folder.path() / "points.tar", {{"points/index.csv", std::string(kLink) + "elsewhere.csv"}});
  CHECK(contains(problems_of(csv_manifest(), settings_of(8), folder.path()), "index.csv is a link or device"));
  write_archive(folder.path() / "points.tar", {{"points/index.csv", "file,split\nb.jpg,train\n"},
                                               {"points/images/b.jpg", std::string(kLink) + "a.jpg"}});
  CHECK(
      contains(problems_of(csv_manifest(), settings_of(8), folder.path()), "row 2: images/b.jpg is a link or device"));
  write_archive(folder.path() / "little-cifar.tar", {{"little-cifar/data_batch_2.bin", std::string(kLink) + "b"}});
  CHECK(contains(problems_of(cifar_manifest(), settings_of(8), folder.path()), "data_batch_2.bin is a link or device"));
}

TEST_CASE("quoted fields may hold commas, quotes and line ends", "[data][csv]") {
  const CsvTable table = parse_csv("a,b\n\"x,\"\"y\"\"\nz\",2\n\n", "table");
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0] == std::vector<std::string>{"x,\"y\"\nz", "2"});
  CHECK(table.find_column("b") == 1u);
  CHECK_FALSE(table.find_column("c"));
}

TEST_CASE("synthetic pictures are balanced, named by class and the same for everybody", "[data][synthetic]") {
  const Dataset dataset = load_alone(shapes_manifest(), settings_of(24), "/nowhere");
  CHECK(dataset.classes.size() == 6);
  CHECK(std::is_sorted(dataset.classes.begin(), dataset.classes.end()));
  const DataSplit& train = dataset.split("train");
  REQUIRE(train.n == 30);
  for (int64_t label = 0; label < 6; ++label) CHECK(std::count(train.labels.begin(), train.labels.end(), label) == 5);
  for (size_t i = 0; i < train.names.size(); ++i) {
    CHECK(train.names[i].starts_with(dataset.classes[static_cast<size_t>(train.labels[i])] + "/"));
  }
  std::set<std::string> different;
  for (int64_t i = 0; i < train.n; ++i) different.insert(picture(train, i));
  for (int64_t i = 0; i < 12; ++i) different.insert(picture(dataset.split("test"), i));
  CHECK(different.size() == 42);

  FakeNode node(3);
  std::vector<Dataset> loaded(3);
  node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] = load_dataset(shapes_manifest(), settings_of(24), {{}, 2, {}}, memory);
  });
  for (const Dataset& other : loaded) check_equal(other, dataset);
}

TEST_CASE("a synthetic shape has its class's colour at its target", "[data][synthetic]") {
  Manifest manifest = shapes_manifest();
  manifest.synthetic = {1, 3, 1};  // circles: blue, green, red
  manifest.classes = 3;
  const Dataset dataset = load_alone(manifest, settings_of(32), "/nowhere");
  const DataSplit& train = dataset.split("train");
  REQUIRE(dataset.classes == std::vector<std::string>{"circle-blue", "circle-green", "circle-red"});
  const int strongest_channel[] = {2, 1, 0};
  for (int64_t i = 0; i < train.n; ++i) {
    const auto& target = train.targets[static_cast<size_t>(i)];
    const auto x = static_cast<int64_t>(target[0]);
    const auto y = static_cast<int64_t>(target[1]);
    REQUIRE((x >= 0 && x < 32 && y >= 0 && y < 32));
    const uint8_t* pixel = train.sample(i).get() + (y * 32 + x) * 3;
    CHECK(std::max_element(pixel, pixel + 3) - pixel == strongest_channel[train.labels[static_cast<size_t>(i)]]);
  }
}
