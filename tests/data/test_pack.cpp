#include "core/errors.hpp"
#include "data/pack.hpp"
#include "io/files.hpp"
#include "tests/data/fake_node.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

constexpr PackContents kBoth[] = {PackContents::kFiles, PackContents::kPixels};

Dataset load(const Manifest& manifest, const DatasetSettings& settings, const fs::path& folder) {
  return load_dataset(manifest, settings, {{folder}, 2, {}}, NodeMemory::private_memory());
}

std::vector<fs::path> pack(const Manifest& manifest, const DatasetSettings& settings, const fs::path& from,
                           const fs::path& to, PackContents contents, int threads = 2) {
  config::Problems problems;
  const Listing listing = list_dataset(manifest, settings, {from}, 1, "", problems, PreferPacks::kNo);
  problems.throw_if_any("pack");
  return write_packs(manifest, settings, listing, contents, to, threads, {});
}

/// Pictures with everything that a sample can have.
Manifest rich_manifest() {
  Manifest manifest;
  manifest.name = "rich";
  manifest.kind = DatasetKind::kTable;
  manifest.classes = 2;
  manifest.class_splits = {{.name = "base", .split = "test"}, {.name = "novel", .classes = {"owl"}}};
  manifest.splits = {{.name = "train"}, {.name = "test"}};
  return manifest;
}

void write_rich(const fs::path& folder) {
  std::string table = "file,split,class,target_x,target_angle,attr_old,attr_red\n";
  for (int n = 0; n < 12; ++n) {
    const char* split = n < 8 ? "train" : "test";
    write_file(folder / "rich" / fmt::format("{}.jpg", n), jpeg(make_image(20 + n, 31, n)));
    table += fmt::format("{}.jpg,{},{},{},{},{},{}\n", n, split, n < 8 && n % 2 == 0 ? "owl" : "ant", n + 0.1, n / 3.0,
                         n % 2, n % 3 == 0 ? 1 : 0);
  }
  write_file(folder / "rich/index.csv", table);
}

DatasetSettings rich_settings() {
  DatasetSettings settings;
  settings.name = "rich";
  settings.size = 12;
  settings.resize = ResizeMode::kShortSideCrop;
  return settings;
}

std::string failure(const std::function<void()>& body) {
  try {
    body();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

/// Memory that adds what it is asked for to `allocated`.
NodeMemory counted_memory(size_t& allocated) {
  NodeMemory memory = NodeMemory::private_memory();
  memory.allocate = [&allocated, allocate = memory.allocate](size_t bytes) {
    allocated += bytes;
    return allocate(bytes);
  };
  return memory;
}

}  // namespace

TEST_CASE("a packed data set is the same to the bit, and its own files are not needed", "[data][pack]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_rich(folder.path());
  DatasetSettings settings = rich_settings();
  settings.validation_fraction = GENERATE(0.0, 0.25);
  const Dataset expected = load(rich_manifest(), settings, folder.path());
  CHECK(expected.class_splits.size() == 2);
  const PackContents contents = GENERATE(from_range(std::begin(kBoth), std::end(kBoth)));
  DatasetSettings whole = settings;
  whole.validation_fraction = 0;
  CHECK(pack(rich_manifest(), whole, folder.path(), packed.path(), contents).size() == 2);
  check_equal(load(rich_manifest(), settings, packed.path()), expected);
  FakeNode node(3);
  std::vector<Dataset> loaded(3);
  const auto failures = node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(rich_manifest(), settings, {{packed.path()}, 1, {}}, memory);
  });
  for (size_t rank = 0; rank < 3; ++rank) {
    REQUIRE(message_of(failures[rank]).empty());
    check_equal(loaded[rank], expected);
  }
}

TEST_CASE("packed files serve every size, packed pixels their own", "[data][pack]") {
  const TemporaryFolder folder;
  const TemporaryFolder files;
  const TemporaryFolder pixels;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  pack(small_manifest(), settings, folder.path(), files.path(), PackContents::kFiles);
  pack(small_manifest(), settings, folder.path(), pixels.path(), PackContents::kPixels);
  settings.size = 11;
  check_equal(load(small_manifest(), settings, files.path()), load(small_manifest(), settings, folder.path()));
  CHECK_THAT(problems_of(small_manifest(), settings, pixels.path()), Catch::Contains("no data for \"small\""));
  settings.size = 8;
  CHECK(problems_of(small_manifest(), settings, pixels.path(), CheckDepth::kContents).empty());
  settings.resize = ResizeMode::kShortSideCrop;
  CHECK_THAT(problems_of(small_manifest(), settings, pixels.path()), Catch::Contains("no data for \"small\""));
  // One split's pack is missing: as if there were none.
  fs::remove(files.path() / "small.pack/test.files");
  CHECK_THAT(problems_of(small_manifest(), settings, files.path()), Catch::Contains("no data for \"small\""));
}

TEST_CASE("a data set beyond the memory it may take is read from packed pixels as needed", "[data][pack]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.size = 64;
  const Dataset expected = load(small_manifest(), settings, folder.path());
  settings.max_memory_share = 1e-12;
  CHECK_THAT(problems_of(small_manifest(), settings, folder.path()),
             Catch::Contains("invaria data pack small --pixels 64 --resize whole-frame"));
  pack(small_manifest(), settings, folder.path(), folder.path(), PackContents::kPixels);
  CHECK(problems_of(small_manifest(), settings, folder.path()).empty());
  size_t allocated = 0;
  const NodeMemory memory = counted_memory(allocated);
  const Dataset mapped = load_dataset(small_manifest(), settings, {{folder.path()}, 1, {}}, memory);
  check_equal(mapped, expected);
  CHECK(allocated < 64 * 64 * 3);
}

TEST_CASE("packed files are streamed: each picture decoded when asked for, and none kept", "[data][pack]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_rich(folder.path());
  DatasetSettings settings = rich_settings();
  settings.validation_fraction = GENERATE(0.0, 0.25);
  const Dataset expected = load(rich_manifest(), settings, folder.path());
  settings.stream = true;
  CHECK_THAT(problems_of(rich_manifest(), settings, folder.path()), Catch::Contains("invaria data pack rich"));
  // Pixels of the right size are no files.
  DatasetSettings whole = settings;
  whole.validation_fraction = 0;
  pack(rich_manifest(), whole, folder.path(), packed.path(), PackContents::kPixels);
  CHECK_THAT(problems_of(rich_manifest(), settings, packed.path()), Catch::Contains("invaria data pack rich"));
  pack(rich_manifest(), whole, folder.path(), packed.path(), PackContents::kFiles);

  settings.max_memory_share = 1e-12;
  CHECK(problems_of(rich_manifest(), settings, packed.path(), CheckDepth::kContents).empty());
  size_t allocated = 0;
  const NodeMemory memory = counted_memory(allocated);
  const Dataset streamed = load_dataset(rich_manifest(), settings, {{packed.path()}, 1, {}}, memory);
  CHECK(allocated < 12 * 12 * 3 * 12);
  for (const auto& [name, split] : expected.splits) {
    const DataSplit& other = streamed.split(name);
    CHECK(other.names == split.names);
    CHECK(other.labels == split.labels);
    CHECK(other.targets == split.targets);
    CHECK(pixels_of(other) == pixels_of(split));
    CHECK(other.hash != split.hash);  // of the files, since the pixels are not looked at beforehand
    // Together, on threads, one of them wanted twice.
    const int64_t last = split.n - 1;
    const HeldSamples held = other.samples(std::vector<int64_t>{last, 0, last}, 2);
    CHECK(std::equal(held.bytes[0], held.bytes[0] + 12 * 12 * 3, split.sample(last).get()));
    CHECK(std::equal(held.bytes[1], held.bytes[1] + 12 * 12 * 3, split.sample(0).get()));
    CHECK(held.bytes[2] == held.bytes[0]);
    CHECK(other.sample(0) != other.sample(0));
  }
}

TEST_CASE("a streamed file that is corrupt is left out, one that changed is named", "[data][pack][corrupt]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_small(folder.path());
  write_file(folder.path() / "small/train/ant/a.jpg", "no picture");
  DatasetSettings settings = small_settings();
  const fs::path train = pack(small_manifest(), settings, folder.path(), packed.path(), PackContents::kFiles).at(0);
  settings.stream = true;
  for (const CheckDepth depth : {CheckDepth::kListing, CheckDepth::kContents}) {
    CHECK(problems_of(small_manifest(), settings, packed.path(), depth).empty() == (depth == CheckDepth::kListing));
  }
  CHECK_THAT(failure([&] { load(small_manifest(), settings, packed.path()); }),
             Catch::Contains("1 corrupt picture: train/ant/a.jpg"));
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  const Dataset loaded = load(small_manifest(), settings, packed.path());
  CHECK(loaded.record.files_left_out == std::vector<std::string>{"train/ant/a.jpg"});
  CHECK(pixels_of(loaded.split("train")) == pixels_of([&] {
          DatasetSettings held = settings;
          held.stream = false;
          return load(small_manifest(), held, folder.path()).split("train");
        }()));

  std::string bytes = io::read_file(train);
  bytes[4096 + 100] ^= 1;
  io::write_file_atomically(train, bytes);
  const Dataset changed = load(small_manifest(), settings, packed.path());
  const DataSplit& split = changed.split("train");
  REQUIRE(split.names.at(0) == "Cat/a.jpeg");
  for (const int threads : {1, 2}) {
    CHECK_THAT(failure([&] { split.samples(std::vector<int64_t>{0, 1, 2}, threads); }),
               Catch::Contains(train.string() + ":Cat/a.jpeg: has changed since it was packed"));
  }
  CHECK(split.sample(1) != nullptr);
}

TEST_CASE("corrupt pictures are packed as such: left out or refused where they are loaded", "[data][pack][corrupt]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_small(folder.path());
  write_file(folder.path() / "small/train/ant/a.jpg", "no picture");
  const PackContents contents = GENERATE(from_range(std::begin(kBoth), std::end(kBoth)));
  DatasetSettings settings = small_settings();
  pack(small_manifest(), settings, folder.path(), packed.path(), contents);
  for (const CheckDepth depth : {CheckDepth::kListing, CheckDepth::kContents}) {
    CHECK(problems_of(small_manifest(), settings, packed.path(), depth).empty() == (depth == CheckDepth::kListing));
  }
  CHECK_THAT(failure([&] { load(small_manifest(), settings, packed.path()); }),
             Catch::Contains("1 corrupt picture: train/ant/a.jpg"));
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  const Dataset loaded = load(small_manifest(), settings, packed.path());
  check_equal(loaded, load(small_manifest(), settings, folder.path()));
  CHECK(loaded.record.files_left_out == std::vector<std::string>{"train/ant/a.jpg"});
}

TEST_CASE("a pack that changed, or of another manifest, is found", "[data][pack][corrupt]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  const DatasetSettings settings = small_settings();
  const PackContents contents = GENERATE(from_range(std::begin(kBoth), std::end(kBoth)));
  const fs::path train = pack(manifest, settings, folder.path(), folder.path(), contents).at(0);
  CHECK(pack_files(manifest, {folder.path()}).size() == 2);
  manifest.source = folder.path() / "small.json";  // its folder is one of those
  CHECK(pack_files(manifest, {folder.path()}).size() == 2);
  CHECK(verify_pack(manifest, train, 1).split == "train");

  manifest.how_to_get = "other words alone do not matter";
  CHECK(verify_pack(manifest, train, 1).dataset == "small");
  Manifest other = manifest;
  other.splits[0].count.reset();
  CHECK_THAT(failure([&] { verify_pack(other, train, 1); }), Catch::Contains("packed with another manifest"));
  CHECK_THAT(problems_of(other, settings, folder.path()), Catch::Contains("packed with another manifest"));

  std::string bytes = io::read_file(train);
  bytes[4096 + 100] ^= 1;
  io::write_file_atomically(train, bytes);
  CHECK_THAT(failure([&] { verify_pack(manifest, train, 2); }),
             Catch::Contains("1 records have changed") && Catch::Contains(train.string() + ":Cat/a.jpeg"));
  io::write_file_atomically(train, bytes.substr(0, bytes.size() - 1));
  CHECK_THAT(problems_of(manifest, settings, folder.path()), Catch::Contains("cut off"));
}

TEST_CASE("a pack whose labels or places are not as packs are written is refused", "[data][pack][corrupt]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Manifest manifest = small_manifest();
  const DatasetSettings settings = small_settings();
  const fs::path train = pack(manifest, settings, folder.path(), folder.path(), PackContents::kPixels).at(0);
  const auto rewritten = [&](const auto& alter) {
    const io::PackFile whole(train);
    std::map<std::string, std::vector<int64_t>> numbers;
    for (const io::Column& column : whole.index().columns()) {
      if (const auto* values = std::get_if<std::vector<int64_t>>(&column.cells)) numbers[column.name] = *values;
    }
    alter(numbers);
    std::vector<io::Column> columns = whole.index().columns();
    for (io::Column& column : columns) {
      if (numbers.contains(column.name)) column.cells = numbers[column.name];
    }
    io::PackWriter writer(folder.path() / "other", whole.header());
    for (int64_t i = 0; i < whole.n(); ++i)
      writer.write_record(whole.index().integers(io::kPackOffset)[static_cast<size_t>(i)], whole.record(i));
    writer.finish(io::Table(columns));
    return failure([&] { Pack(folder.path() / "other"); });
  };
  CHECK(rewritten([](auto&) {}).empty());
  CHECK_THAT(rewritten([](auto& numbers) { numbers["label"][1] = 1'000'000'000; }),
             Catch::Contains("record 1 has label 1000000000 of "));
  CHECK_THAT(rewritten([](auto& numbers) { numbers["label"][0] = -2; }), Catch::Contains("record 0 has label -2"));
  CHECK_THAT(rewritten([](auto& numbers) { std::swap(numbers["offset"][0], numbers["offset"][1]); }),
             Catch::Contains("record 0 has label"));
}

TEST_CASE("checking contents reads a pack's records", "[data][pack][corrupt]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  Manifest manifest = small_manifest();
  DatasetSettings settings = small_settings();
  config::Problems problems;
  const Listing listing = list_dataset(manifest, settings, {folder.path()}, 1, "", problems);
  for (size_t s = 0; s < 2; ++s) {
    const SplitListing& split = listing.splits[s];
    manifest.splits[s].content_checksum = content_checksum(*split.files, split.checked_files, 1);
  }
  settings.check_contents = true;
  const fs::path train = pack(manifest, settings, folder.path(), folder.path(), PackContents::kFiles).at(0);
  CHECK(problems_of(manifest, settings, folder.path()).empty());
  std::string bytes = io::read_file(train);
  bytes[4096 + 100] ^= 1;
  io::write_file_atomically(train, bytes);
  CHECK_THAT(problems_of(manifest, settings, folder.path()), Catch::Contains("1 changed records"));
}

TEST_CASE("pictures that are no files are packed as pixels", "[data][pack][cifar][synthetic]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  Manifest shapes;
  shapes.name = "shapes";
  shapes.kind = DatasetKind::kSynthetic;
  shapes.synthetic = {3, 2, 5};
  shapes.classes = 6;
  shapes.splits = {{.name = "train", .count = 30}, {.name = "test", .count = 12}};
  Manifest cifar;
  cifar.name = "cifar";
  cifar.kind = DatasetKind::kCifar10;
  cifar.classes = 10;
  cifar.class_names = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  cifar.splits = {{.name = "train", .files = {"b.bin", "a.bin"}}};
  for (const char* file : {"a", "b"}) {
    std::string records;
    for (int n = 0; n < 5; ++n)
      records += static_cast<char>(n) + std::string(3072, static_cast<char>(20 * n + file[0]));
    write_file(folder.path() / "cifar" / (std::string(file) + ".bin"), records);
  }
  for (const Manifest& manifest : {shapes, cifar}) {
    CAPTURE(manifest.name);
    DatasetSettings settings = rich_settings();
    settings.name = manifest.name;
    CHECK_THAT(failure([&] { pack(manifest, settings, folder.path(), packed.path(), PackContents::kFiles); }),
               Catch::Contains("its samples are no files"));
    const Dataset expected = load(manifest, settings, folder.path());
    pack(manifest, settings, folder.path(), packed.path(), PackContents::kPixels);
    check_equal(load(manifest, settings, packed.path()), expected);
    settings.stream = true;
    for (const CheckDepth depth : {CheckDepth::kPromise, CheckDepth::kListing})
      CHECK_THAT(problems_of(manifest, settings, packed.path(), depth), Catch::Contains("are no files"));
  }
}

TEST_CASE("a pack does not depend on the number of threads", "[data][pack]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const PackContents contents = GENERATE(from_range(std::begin(kBoth), std::end(kBoth)));
  const TemporaryFolder packed[2];
  std::vector<io::PackFile> packs;
  for (const size_t n : {0, 1}) {
    const auto files =
        pack(small_manifest(), small_settings(), folder.path(), packed[n].path(), contents, n == 0 ? 1 : 4);
    packs.emplace_back(files[1]);
  }
  CHECK(packs[0].header() == packs[1].header());
  CHECK(packs[0].index() == packs[1].index());
  for (int64_t i = 0; i < packs[0].n(); ++i) CHECK(packs[0].record(i) == packs[1].record(i));
}
