#include <cmath>
#include <cstdlib>
#include <set>

#include "core/errors.hpp"
#include "data/pack.hpp"
#include "data/sample_files.hpp"
#include "tests/data/fake_node.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

const fs::path kShipped = fs::path(INVARIA_SOURCE_DIR) / "datasets";

/// The bytes of a mono WAV of 16 bits.
std::string wav(const std::vector<int16_t>& samples, int32_t rate) {
  const auto bytes = static_cast<int32_t>(2 * samples.size());
  std::string out = "RIFF";
  const auto put = [&](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(int32_t{36 + bytes});
  out += "WAVEfmt ";
  put(int32_t{16});
  put(int16_t{1});  // PCM
  put(int16_t{1});  // channels
  put(rate);
  put(int32_t{2 * rate});
  put(int16_t{2});
  put(int16_t{16});
  out += "data";
  put(bytes);
  out.append(reinterpret_cast<const char*>(samples.data()), static_cast<size_t>(bytes));
  return out;
}

/// Sample n is about n + first thousandths.
std::string ramp(int n, int first, int32_t rate = 1000) {
  std::vector<int16_t> samples;
  for (int k = 0; k < n; ++k) samples.push_back(static_cast<int16_t>(std::lround((first + k) * 32.768)));
  return wav(samples, rate);
}

std::vector<float> fitted(const std::vector<float>& samples, const SoundShapeSettings& settings, int64_t rate = 1000,
                          int64_t part = 0) {
  std::vector<float> out(static_cast<size_t>(settings.n_values()), NAN);
  fit_sound({rate, samples}, settings, part, out);
  return out;
}

/// Six samples a second, as they are.
SoundShapeSettings six_samples() {
  return {.rate = 1000, .seconds = 0.006, .level = SoundLevel::kAsIs};
}

Manifest manifest_of_sounds() {
  Manifest manifest;
  manifest.name = "calls";
  manifest.media = config::Media::kSounds;
  manifest.classes = 2;
  manifest.splits = {{.name = "train", .path = "train"}, {.name = "test", .path = "test"}};
  return manifest;
}

DatasetSettings settings_of_sounds() {
  DatasetSettings settings;
  settings.name = "calls";
  settings.sound = {.rate = 1000, .seconds = 0.1, .level = SoundLevel::kAsIs};
  return settings;
}

void write_sounds(const fs::path& folder) {
  for (const char* split : {"train", "test"}) {
    for (int n = 0; n < 6; ++n) {
      write_file(folder / "calls" / split / (n % 2 == 0 ? "owl" : "crow") / fmt::format("{}.wav", n),
                 ramp(60 + 20 * n, n));
    }
    write_file(folder / "calls" / split / "owl/notes.txt", "no sound");
    write_file(folder / "calls" / split / "owl/picture.jpg", "no sound");
  }
}

std::vector<float> values_of(const DataSplit& split, int64_t index) {
  const SampleBytes bytes = split.sample(index);
  const auto* values = reinterpret_cast<const float*>(bytes.get());
  return {values, values + split.shape.n_values};
}

Dataset load(const DatasetSettings& settings, const fs::path& folder) {
  return load_dataset(manifest_of_sounds(), settings, {{folder}, 2, {}}, NodeMemory::private_memory());
}

}  // namespace

TEST_CASE("a sound is cut, filled up and brought to its level", "[data][sound]") {
  const std::vector<float> nine{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<float> three{1, 2, 3};
  SoundShapeSettings settings = six_samples();
  CHECK(fitted(nine, settings) == std::vector<float>{2, 3, 4, 5, 6, 7});
  CHECK(fitted(three, settings) == std::vector<float>{0, 1, 2, 3, 0, 0});
  settings.cut = SoundCut::kStart;
  CHECK(fitted(nine, settings) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(fitted(three, settings) == std::vector<float>{1, 2, 3, 0, 0, 0});
  settings.fill = SoundFill::kRepeat;
  CHECK(fitted(nine, settings) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(fitted({1, 2, 3, 4}, settings) == std::vector<float>{1, 2, 3, 4, 1, 2});
  settings.cut = SoundCut::kMiddle;
  CHECK(fitted({1, 2, 3, 4}, settings) == std::vector<float>{1, 2, 3, 4, 1, 2});

  // Over the part that is kept, before it is filled up.
  settings = six_samples();
  settings.level = SoundLevel::kRms;
  settings.level_value = 0.5;
  CHECK(fitted({3, -3, 3}, settings) == std::vector<float>{0, 0.5, -0.5, 0.5, 0, 0});
  CHECK(fitted({900, 2, -2, 2, -2, 2, -2, 900}, settings) == std::vector<float>{0.5, -0.5, 0.5, -0.5, 0.5, -0.5});
  settings.level = SoundLevel::kPeak;
  CHECK(fitted({1, -4, 2}, settings) == std::vector<float>{0, 0.125, -0.5, 0.25, 0, 0});
  for (const SoundLevel level : {SoundLevel::kAsIs, SoundLevel::kRms, SoundLevel::kPeak}) {
    settings.level = level;
    CHECK(fitted({0, 0}, settings) == std::vector<float>(6, 0.0F));
  }
}

TEST_CASE("a sound of another rate is resampled before it is cut", "[data][sound]") {
  const SoundShapeSettings settings{.rate = 8000, .seconds = 0.5, .level = SoundLevel::kAsIs};
  std::vector<float> tone;
  for (int n = 0; n < 22050; ++n) tone.push_back(std::sin(0.1F * static_cast<float>(n)));
  const std::vector<float> out = fitted(tone, settings, 22050);
  // Of one second the middle half: from a quarter second on.
  double worst = 0.0;
  for (size_t n = 0; n < out.size(); ++n) {
    const double expected = std::sin(0.1 * 22050.0 / 8000.0 * (static_cast<double>(n) + 2000.0));
    worst = std::max(worst, std::abs(out[n] - expected));
  }
  CHECK(worst < 1e-3);
}

TEST_CASE("sounds are listed by their names' endings, decoded and labelled", "[data][sound][load]") {
  const TemporaryFolder folder;
  write_sounds(folder.path());
  const Dataset dataset = load(settings_of_sounds(), folder.path());
  CHECK(dataset.classes == std::vector<std::string>{"crow", "owl"});
  const DataSplit& train = dataset.split("train");
  CHECK(train.names ==
        std::vector<std::string>{"crow/1.wav", "crow/3.wav", "crow/5.wav", "owl/0.wav", "owl/2.wav", "owl/4.wav"});
  CHECK(train.labels == std::vector<int64_t>{0, 0, 0, 1, 1, 1});
  CHECK(train.shape == config::StoredShape{.media = config::Media::kSounds, .n_values = 100, .rate = 1000});
  // crow/5.wav is 160 samples from .005 on, of which the middle begins at the 30th; owl/0.wav has 60, 20 before them.
  const std::vector<float> longer = values_of(train, 2);
  const std::vector<float> shorter = values_of(train, 3);
  for (size_t n = 0; n < 100; ++n) {
    CHECK(longer[n] == Approx(0.035 + 0.001 * static_cast<double>(n)).margin(2e-5));
    const bool is_silent = n < 20 || n >= 80;
    CHECK(shorter[n] == Approx(is_silent ? 0.0 : 0.001 * (static_cast<double>(n) - 20)).margin(2e-5));
  }
  DatasetSettings louder = settings_of_sounds();
  louder.sound.level = SoundLevel::kPeak;
  CHECK(load(louder, folder.path()).split("train").hash != train.hash);
}

TEST_CASE("a long sound gives parts one after the other, a last one of half their length or more too",
          "[data][sound]") {
  SoundShapeSettings settings = six_samples();
  settings.parts = 3;
  CHECK(settings.n_parts(1) == 1);
  CHECK(settings.n_parts(8) == 1);
  CHECK(settings.n_parts(9) == 2);
  CHECK(settings.n_parts(14) == 2);
  CHECK(settings.n_parts(100) == 3);
  const std::vector<float> ten{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  CHECK(fitted(ten, settings, 1000, 0) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(fitted(ten, settings, 1000, 1) == std::vector<float>{7, 8, 9, 10, 0, 0});
  settings.fill = SoundFill::kRepeat;
  CHECK(fitted(ten, settings, 1000, 1) == std::vector<float>{7, 8, 9, 10, 7, 8});
  CHECK_THROWS_AS(fitted(ten, settings, 1000, 2), PreconditionError);
}

TEST_CASE("parts of sounds are samples that know their sound, from files, packs and streams alike",
          "[data][sound][load]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_sounds(folder.path());
  DatasetSettings settings = settings_of_sounds();
  settings.sound.seconds = 0.05;
  settings.sound.parts = 3;
  const Dataset dataset = load(settings, folder.path());
  const DataSplit& train = dataset.split("train");
  // 80, 120, 160 and 60, 100, 140 samples in parts of 50.
  CHECK(train.names == std::vector<std::string>{"crow/1.wav#0", "crow/1.wav#1", "crow/3.wav#0", "crow/3.wav#1",
                                                "crow/5.wav#0", "crow/5.wav#1", "crow/5.wav#2", "owl/0.wav#0",
                                                "owl/2.wav#0", "owl/2.wav#1", "owl/4.wav#0", "owl/4.wav#1",
                                                "owl/4.wav#2"});
  CHECK(train.sounds == std::vector<int64_t>{0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5});
  CHECK(train.labels == std::vector<int64_t>{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  CHECK(values_of(train, 6).front() == Approx(0.105).margin(2e-5));
  CHECK(dataset.split("test").sounds.size() == 13);

  FakeNode node(2);
  std::vector<Dataset> shared(2);
  const auto failures = node.run([&](const NodeMemory& memory) {
    shared[static_cast<size_t>(memory.rank)] =
        load_dataset(manifest_of_sounds(), settings, {{folder.path()}, 2, {}}, memory);
  });
  for (const auto& failure : failures) REQUIRE(message_of(failure).empty());
  check_equal(shared[1], dataset);
  CHECK(shared[1].split("train").sounds == train.sounds);

  config::Problems problems;
  DatasetSettings whole = settings_of_sounds();
  const Listing listing = list_dataset(manifest_of_sounds(), whole, {folder.path()}, 1, "", problems, PreferPacks::kNo);
  write_packs(manifest_of_sounds(), whole, listing, PackContents::kFiles, packed.path(), 2, {});
  check_equal(load(settings, packed.path()), dataset);
  settings.stream = true;
  const Dataset streamed = load(settings, packed.path());
  CHECK(streamed.split("train").names == train.names);
  CHECK(streamed.split("train").sounds == train.sounds);
  CHECK(pixels_of(streamed.split("train")) == pixels_of(train));

  settings.stream = false;
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  write_file(folder.path() / "calls/train/crow/3.wav", "no sound");
  const Dataset less = load(settings, folder.path());
  CHECK(less.record.files_left_out == std::vector<std::string>{"train/crow/3.wav"});
  CHECK(less.split("train").sounds == std::vector<int64_t>{0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 4});
}

TEST_CASE("ranks of a node share decoded sounds", "[data][sound][load]") {
  const TemporaryFolder folder;
  write_sounds(folder.path());
  FakeNode node(3);
  std::vector<Dataset> loaded(3);
  const auto failures = node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(manifest_of_sounds(), settings_of_sounds(), {{folder.path()}, 1, {}}, memory);
  });
  for (const auto& failure : failures) REQUIRE(message_of(failure).empty());
  const Dataset alone = load(settings_of_sounds(), folder.path());
  for (const Dataset& dataset : loaded) check_equal(dataset, alone);
  CHECK(loaded[0].split("train").sample(0).get() == loaded[2].split("train").sample(0).get());
}

TEST_CASE("corrupt and empty sounds are refused by name, or left out", "[data][sound][corrupt]") {
  const TemporaryFolder folder;
  write_sounds(folder.path());
  write_file(folder.path() / "calls/train/owl/0.wav", "RIFF and no more");
  write_file(folder.path() / "calls/train/owl/2.wav", wav({}, 1000));
  DatasetSettings settings = settings_of_sounds();
  const std::string problems = problems_of(manifest_of_sounds(), settings, folder.path(), CheckDepth::kContents);
  CHECK_THAT(problems, Catch::Contains("2 corrupt sounds: train/owl/0.wav, train/owl/2.wav"));
  CHECK_THAT(problems, Catch::Contains("leave-out"));
  CHECK_THROWS_AS(load(settings, folder.path()), ConfigError);
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  const Dataset dataset = load(settings, folder.path());
  CHECK(dataset.split("train").n == 4);
  CHECK(dataset.record.files_left_out == std::vector<std::string>{"train/owl/0.wav", "train/owl/2.wav"});
}

TEST_CASE("packed sounds load and stream as their files do", "[data][sound][pack]") {
  const TemporaryFolder folder;
  const TemporaryFolder packed;
  write_sounds(folder.path());
  DatasetSettings settings = settings_of_sounds();
  const Manifest manifest = manifest_of_sounds();
  config::Problems problems;
  const Listing listing = list_dataset(manifest, settings, {folder.path()}, 1, "", problems, PreferPacks::kNo);
  problems.throw_if_any("pack");
  CHECK_THROWS_AS(write_packs(manifest, settings, listing, PackContents::kPixels, packed.path(), 2, {}), ConfigError);
  write_packs(manifest, settings, listing, PackContents::kFiles, packed.path(), 2, {});
  const Dataset files = load(settings, folder.path());
  check_equal(load(settings, packed.path()), files);
  settings.stream = true;
  const Dataset streamed = load(settings, packed.path());
  for (const auto& [name, split] : files.splits) {
    CHECK(streamed.split(name).names == split.names);
    CHECK(pixels_of(streamed.split(name)) == pixels_of(split));
    CHECK(streamed.split(name).sample(0) != streamed.split(name).sample(0));
  }
}

TEST_CASE("sounds that would fill the memory are refused with what they take", "[data][sound]") {
  const TemporaryFolder folder;
  write_sounds(folder.path());
  DatasetSettings settings = settings_of_sounds();
  settings.max_memory_share = 1e-12;
  const std::string problems = problems_of(manifest_of_sounds(), settings, folder.path());
  CHECK_THAT(problems, Catch::Contains("calls decoded at 0.1 s and 1000 Hz takes"));
  CHECK_THAT(problems, Catch::Contains("invaria data pack calls"));
}

TEST_CASE("a manifest of sounds has files of sounds and no places in them", "[data][sound][manifest]") {
  const auto problems_in = [](const Manifest& manifest) {
    config::Problems problems;
    manifest.validate("", problems);
    return problems.to_string();
  };
  Manifest manifest = manifest_of_sounds();
  CHECK(problems_in(manifest).empty());
  manifest.kind = DatasetKind::kTable;
  manifest.splits = {{.name = "train"}};
  manifest.tables = {{.files = {"{class}/{n}.wav"}, .format = TableFormat::kPictures}};
  CHECK_THAT(problems_in(manifest), Catch::Contains("tables[0].format"));
  manifest.tables = {{.files = {"{class}/{n}.wav"}, .format = TableFormat::kSounds}};
  CHECK(problems_in(manifest).empty());
  manifest.targets = {{.column = "x", .unit = TargetUnit::kPixelsX}};
  CHECK_THAT(problems_in(manifest), Catch::Contains("sounds have no pixels"));
  manifest.targets.clear();
  manifest.media = config::Media::kPictures;
  CHECK_THAT(problems_in(manifest), Catch::Contains("tables[0].format"));
  manifest = manifest_of_sounds();
  manifest.kind = DatasetKind::kCifar10;
  CHECK_THAT(problems_in(manifest), Catch::Contains("media"));
}

TEST_CASE("the shipped sounds are whole, ten digits by six speakers", "[data][sound][sample]") {
  const auto [what, n_classes] = GENERATE(table<std::string, int64_t>({{"digit", 10}, {"speaker", 6}}));
  const Manifest manifest = read_manifest(kShipped / ("fsdd-sample-" + what + ".json"));
  DatasetSettings settings;
  settings.name = manifest.name;
  settings.sound = {.rate = 8000, .seconds = 0.64};
  settings.check_contents = true;
  CHECK(problems_of(manifest, settings, "/nowhere", CheckDepth::kContents).empty());
  CHECK(fs::exists(kShipped / "sound-sample" / "ATTRIBUTION.md"));
  const Dataset dataset = load_dataset(manifest, settings, {{}, 2, {}}, NodeMemory::private_memory());
  CHECK(std::ssize(dataset.classes) == n_classes);
  for (const auto& [name, n] : {std::pair<std::string, int64_t>{"train", 480}, {"test", 300}}) {
    const DataSplit& split = dataset.split(name);
    REQUIRE(split.n == n);
    std::vector<int64_t> counts(static_cast<size_t>(n_classes));
    std::set<std::vector<float>> different;
    for (int64_t index = 0; index < n; ++index) {
      ++counts.at(static_cast<size_t>(split.labels[static_cast<size_t>(index)]));
      different.insert(values_of(split, index));
    }
    CHECK(counts == std::vector<int64_t>(static_cast<size_t>(n_classes), n / n_classes));
    CHECK(std::ssize(different) == n);
  }
}

TEST_CASE("the shipped sounds are those of the data set, sample by sample", "[data][sound][real]") {
  const char* folder = std::getenv("INVARIA_TEST_DATA");
  if (folder == nullptr) INVARIA_SKIP("INVARIA_TEST_DATA names no folder with data sets");
  DatasetSettings settings;
  settings.sound = {.rate = 8000, .seconds = 2.0, .level = SoundLevel::kAsIs};
  const auto loaded = [&](const std::string& name) {
    settings.name = name;
    return load_dataset(read_manifest(kShipped / (name + ".json")), settings, {{folder}, 2, {}},
                        NodeMemory::private_memory());
  };
  const Dataset shipped = loaded("fsdd-sample-digit");
  const Dataset whole = loaded("fsdd-digit");
  CHECK(whole.split("test").n == 300);
  for (const char* name : {"train", "test"}) {
    std::map<std::string, int64_t> at;
    const DataSplit& split = whole.split(name);
    for (int64_t index = 0; index < split.n; ++index)
      at[fs::path(split.names[static_cast<size_t>(index)]).stem()] = index;
    const DataSplit& part = shipped.split(name);
    for (int64_t index = 0; index < part.n; ++index) {
      const auto found = at.find(fs::path(part.names[static_cast<size_t>(index)]).stem());
      REQUIRE(found != at.end());
      CHECK(part.labels[static_cast<size_t>(index)] == split.labels[static_cast<size_t>(found->second)]);
      REQUIRE(values_of(part, index) == values_of(split, found->second));
    }
  }
}
