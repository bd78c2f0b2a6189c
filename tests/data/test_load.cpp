#include <algorithm>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/resize.hpp"
#include "data/splits.hpp"
#include "tests/data/fake_node.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

Dataset load_alone(const Manifest& manifest, const DatasetSettings& settings, const fs::path& folder) {
  return load_dataset(manifest, settings, {{folder}, 1, {}}, NodeMemory::private_memory());
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an image folder gives its pictures in byte order of their names, labelled by sorted classes",
          "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Dataset dataset = load_alone(small_manifest(), small_settings(), folder.path());
  CHECK(dataset.classes == std::vector<std::string>{"Cat", "ant", "dog"});
  const DataSplit& train = dataset.split("train");
  CHECK(train.names == std::vector<std::string>{"Cat/a.jpeg", "Cat/b.jpg", "Cat/c.png", "Cat/d.jpg", "ant/a.jpg",
                                                "ant/sub/c.jpg", "ant/z.png", "dog/a.JPG", "dog/b.jpg", "dog/c.jpg"});
  CHECK(train.labels == std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 2, 2, 2});
  CHECK(train.shape.height == 8);
  CHECK(train.shape.width == 8);
  std::vector<std::string> pixel_hashes;
  for (int64_t i = 0; i < train.n; ++i) pixel_hashes.push_back(sha256_hex(picture(train, i)));
  CHECK(train.hash == split_hash(train.names, train.labels, {}, pixel_hashes));
  CHECK(dataset.record.split_hashes.at("train") == train.hash);
  CHECK(dataset.record.name == "small");
  CHECK(contains(dataset.record.manifest, "\"how_to_get\":\"make it again\""));
  CHECK_THROWS_AS(dataset.split("validation"), ConfigError);

  // A lossless picture, decoded by nobody: the stored pixels, resized.
  std::vector<uint8_t> expected(8 * 8 * 3);
  resize_into(make_image(12, 80, 7), 8, ResizeMode::kWholeFrame, expected);
  CHECK(std::equal(expected.begin(), expected.end(), train.sample(2).get()));
}

TEST_CASE("other pixels under the same names and sizes are another split, and named as a difference", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const fs::path path = folder.path() / "small/train/ant/z.png";
  io::Image image = make_image(20, 44, 2);
  const auto load = [&](const DatasetSettings& settings) {
    std::string bytes = png(image);
    bytes.resize(9000, '\0');  // after the picture's end
    write_file(path, bytes);
    return load_alone(small_manifest(), settings, folder.path());
  };
  const Dataset before = load(small_settings());
  CHECK(data_differences(before.record, before.record).empty());
  image.pixels[0] ^= 0xff;
  const Dataset after = load(small_settings());
  CHECK(after.record.checksum == before.record.checksum);
  CHECK(after.split("train").names == before.split("train").names);
  CHECK(after.split("train").hash != before.split("train").hash);
  CHECK(after.split("test").hash == before.split("test").hash);
  const std::vector<std::string> differences = data_differences(before.record, after.record);
  REQUIRE(differences.size() == 1);
  CHECK(contains(differences[0], "small: hash of names, labels, targets and contents of train"));
  CHECK(contains(differences[0], before.split("train").hash));
  CHECK(contains(differences[0], after.split("train").hash));

  DatasetSettings larger = small_settings();
  larger.size = 16;
  CHECK(data_differences(before.record, load(larger).record).empty());  // other jobs: nothing to compare
}

TEST_CASE("data differ where files, left-out pictures or splits differ", "[data][load]") {
  const io::DataRecord there{"small", "{}", "sum", {{"train", "a"}, {"test", "b"}}, {}, "{}"};
  const auto differences = [&](const std::function<void(io::DataRecord&)>& change) {
    io::DataRecord here = there;
    change(here);
    return data_differences(there, here);
  };
  CHECK(differences([](auto& data) { data.manifest = std::string("other words"); }).empty());
  CHECK(differences([](auto& data) { data.checksum = std::string("other"); }) ==
        std::vector<std::string>{"small: checksum of names and sizes: sum then, other now"});
  CHECK(differences([](auto& data) { data.files_left_out = {"train/a.jpg"}; }).size() == 1);
  CHECK(differences([](auto& data) { data.split_hashes.erase("test"); }).size() == 1);
  CHECK(differences([](auto& data) { data.split_hashes["validation"] = std::string("c"); }).size() == 1);
  CHECK(differences([](auto& data) { data.name = std::string("another"); }).empty());
}

TEST_CASE("grey pictures are widened to three equal channels", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Dataset dataset = load_alone(small_manifest(), small_settings(), folder.path());
  const uint8_t* grey = dataset.split("train").sample(1).get();
  for (int64_t i = 0; i < 8 * 8 * 3; ++i) CHECK(std::abs(int{grey[i]} - 90) <= 1);
}

TEST_CASE("folders, tars in any order and one tar of everything load alike", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Dataset expected = load_alone(small_manifest(), small_settings(), folder.path());

  const TemporaryFolder tars;
  Files reversed = small_split(0);
  std::reverse(reversed.begin(), reversed.end());
  write_archive(tars.path() / "small" / "train.tar", reversed);
  Files in_folder;
  for (const auto& [name, bytes] : small_split(100)) in_folder.emplace_back("./test/" + name, bytes);
  write_archive(tars.path() / "small" / "test.tar.gz", in_folder);
  check_equal(load_alone(small_manifest(), small_settings(), tars.path()), expected);

  for (const std::string leading : {"", "small/"}) {
    const TemporaryFolder one;
    Files all;
    for (const auto& [name, bytes] : small_split(100)) all.emplace_back(leading + "test/" + name, bytes);
    for (const auto& [name, bytes] : small_split(0)) all.emplace_back(leading + "train/" + name, bytes);
    write_archive(one.path() / "small.tar", all);
    check_equal(load_alone(small_manifest(), small_settings(), one.path()), expected);
  }
}

TEST_CASE("ranks and threads share out the decoding and change nothing", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.validation_fraction = 0.3;
  const Dataset expected = load_alone(small_manifest(), settings, folder.path());
  const int ranks = GENERATE(1, 2, 3, 13);
  const int threads = GENERATE(1, 3);
  FakeNode node(ranks);
  std::vector<Dataset> loaded(static_cast<size_t>(ranks));
  std::vector<int64_t> decoded(static_cast<size_t>(ranks));
  const auto failures = node.run([&](const NodeMemory& memory) {
    const auto rank = static_cast<size_t>(memory.rank);
    const auto count = [&decoded, rank](int64_t done, int64_t) { decoded[rank] = done; };
    loaded[rank] = load_dataset(small_manifest(), settings, {{folder.path()}, threads, count}, memory);
  });
  int64_t total = 0;
  for (size_t rank = 0; rank < loaded.size(); ++rank) {
    REQUIRE(message_of(failures[rank]).empty());
    check_equal(loaded[rank], expected);
    CHECK(decoded[rank] <= 3 * (10 / ranks + 1));
    total += decoded[rank];
  }
  CHECK(total == 20);
}

TEST_CASE("a corrupt picture stops every rank with the same message, which names it", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const std::string sound = jpeg(make_image(40, 40, 1));
  const auto [name, bytes] = GENERATE_COPY(table<std::string, std::string>({
      {"ant/a.jpg", sound.substr(0, sound.size() / 2)},  // truncated
      {"ant/a.jpg", ""},                                 // empty
      {"ant/a.jpg", "this is no picture"},               // something else
      {"dog/c.jpg", "GIF89a"},                           // another format
  }));
  write_file(folder.path() / "small" / "train" / name, bytes);
  const int ranks = GENERATE(1, 2);
  FakeNode node(ranks);
  const auto failures = node.run([&, file = name](const NodeMemory& memory) {
    load_dataset(small_manifest(), small_settings(), {{folder.path()}, 2, {}}, memory);
  });
  for (const auto& failure : failures) {
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), ConfigError);
    CHECK(message_of(failure) == message_of(failures[0]));
    CHECK(contains(message_of(failure), "1 corrupt picture: train/" + name));
    CHECK(contains(message_of(failure), (folder.path() / "small" / "train" / name).string()));
  }
  CHECK(problems_of(small_manifest(), small_settings(), folder.path()).empty());
  CHECK(
      contains(problems_of(small_manifest(), small_settings(), folder.path(), CheckDepth::kContents), "train/" + name));
}

TEST_CASE("corrupt pictures are left out and listed where the suite says so", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Dataset whole = load_alone(small_manifest(), small_settings(), folder.path());
  write_file(folder.path() / "small" / "train" / "Cat/a.jpeg", "broken");
  write_file(folder.path() / "small" / "train" / "ant/sub/c.jpg", "");
  write_file(folder.path() / "small" / "test" / "dog/c.jpg", "GIF89a");
  DatasetSettings settings = small_settings();
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  CHECK(problems_of(small_manifest(), settings, folder.path(), CheckDepth::kContents).empty());
  const int ranks = GENERATE(1, 2);
  FakeNode node(ranks);
  std::vector<Dataset> loaded(static_cast<size_t>(ranks));
  node.run([&](const NodeMemory& memory) {
    loaded[static_cast<size_t>(memory.rank)] =
        load_dataset(small_manifest(), settings, {{folder.path()}, 2, {}}, memory);
  });
  for (const Dataset& dataset : loaded) {
    CHECK(dataset.record.files_left_out ==
          std::vector<std::string>{"train/Cat/a.jpeg", "train/ant/sub/c.jpg", "test/dog/c.jpg"});
    const DataSplit& train = dataset.split("train");
    REQUIRE(train.n == 8);
    CHECK(train.names.size() == 8);
    CHECK(train.labels == std::vector<int64_t>{0, 0, 0, 1, 1, 2, 2, 2});
    CHECK(train.hash != whole.split("train").hash);
    for (int64_t i = 0; i < train.n; ++i) {
      const DataSplit& before = whole.split("train");
      const auto was = std::find(before.names.begin(), before.names.end(), train.names[static_cast<size_t>(i)]);
      REQUIRE(was != before.names.end());
      CHECK(std::equal(train.sample(i).get(), train.sample(i).get() + 8 * 8 * 3,
                       before.sample(was - before.names.begin()).get()));
    }
  }
}

TEST_CASE("a split without one sound picture is refused even where corrupt ones are left out", "[data][load]") {
  const TemporaryFolder folder;
  write_folder(folder.path() / "small" / "train", {{"a/x.jpg", "broken"}});
  Manifest manifest = small_manifest();
  manifest.classes = 1;
  manifest.splits = {{"train", "train", {}, {}, "", ""}};
  DatasetSettings settings = small_settings();
  settings.on_corrupt = OnCorrupt::kLeaveOut;
  CHECK_THROWS_AS(load_alone(manifest, settings, folder.path()), ConfigError);
}

TEST_CASE("a file that cannot be read on one rank stops all of them", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  FakeNode node(2);
  // Rank 1 loses the folder between its listing and its reading: it is listed through a link that then points nowhere.
  const fs::path link = folder.path() / "linked";
  fs::create_directory_symlink(folder.path() / "small", link);
  Manifest manifest = small_manifest();
  manifest.found_as = {"linked"};
  std::atomic<int> listed{0};
  const auto failures = node.run([&](const NodeMemory& memory) {
    NodeMemory spying = memory;
    spying.any = [&](bool mine) {
      const bool result = memory.any(mine);
      memory.barrier();
      if (memory.rank == 0 && listed++ == 0) fs::remove(link);
      memory.barrier();
      return result;
    };
    load_dataset(manifest, small_settings(), {{folder.path()}, 1, {}}, spying);
  });
  for (const auto& failure : failures) {
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), EnvironmentError);
  }
}

TEST_CASE("a validation split is cut from train, class by class, by its seed", "[data][load]") {
  const TemporaryFolder folder;
  write_small(folder.path());
  DatasetSettings settings = small_settings();
  settings.validation_fraction = 0.3;
  const Dataset whole = load_alone(small_manifest(), small_settings(), folder.path());
  const Dataset cut = load_alone(small_manifest(), settings, folder.path());
  REQUIRE(cut.splits.size() == 3);
  CHECK(cut.split("validation").n == 3);
  CHECK(cut.split("validation").labels == std::vector<int64_t>{0, 1, 2});
  CHECK(cut.split("train").n == 7);
  CHECK(cut.record.split_hashes.contains("validation"));
  CHECK(cut.record.checksum == whole.record.checksum);
  std::vector<std::string> names = cut.split("train").names;
  names.insert(names.end(), cut.split("validation").names.begin(), cut.split("validation").names.end());
  std::sort(names.begin(), names.end());
  CHECK(names == whole.split("train").names);
  CHECK(cut.split("test").hash == whole.split("test").hash);
  bool differs = false;
  for (settings.split_seed = 1; settings.split_seed < 5; ++settings.split_seed) {
    differs |=
        load_alone(small_manifest(), settings, folder.path()).split("validation").hash != cut.split("validation").hash;
  }
  CHECK(differs);
}
