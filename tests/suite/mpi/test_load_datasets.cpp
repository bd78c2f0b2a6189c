#include <fmt/format.h>

#include "core/errors.hpp"
#include "io/files.hpp"
#include "suite/load.hpp"
#include "tests/suite/small_suite.hpp"
#include "tests/support/error_of.hpp"
#include "tests/train/small_pretraining.hpp"

#include "tests/data/make_files.hpp"
#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;
using train::testing::SharedScratch;

namespace {

constexpr int kTrain = 20, kTest = 12;

/// Two classes of pictures in `folder`, of which the first `n_corrupt` of train are none.
void write_pictures(const std::filesystem::path& folder, int n_corrupt, bool grey) {
  for (const auto& [split, count] : {std::pair{"train", kTrain}, {"test", kTest}}) {
    for (int n = 0; n < count; ++n) {
      const std::filesystem::path path = folder / split / (n % 2 == 0 ? "a" : "b") / fmt::format("{:02}.png", n);
      io::make_directories(path.parent_path());
      const bool is_corrupt = std::string(split) == "train" && n < n_corrupt;
      io::Image image = data::test::make_image(8, 8, n);
      if (grey) std::fill(image.pixels.begin(), image.pixels.end(), static_cast<uint8_t>(10 * n));
      io::write_file_atomically(path, is_corrupt ? "no picture" : data::test::png(image));
    }
  }
}

Manifests manifests_of(const std::string& name) {
  data::Manifest manifest;
  manifest.name = name;
  manifest.classes = 2;
  manifest.splits = {{"train", "train", {}, kTrain, "", ""}, {"test", "test", {}, kTest, "", ""}};
  return {{name, manifest}};
}

Suite suite_on(const std::string& name) {
  return small_suite({"data=[{\"name\": \"" + name + "\", \"size\": 8, \"on_corrupt\": \"leave-out\"}]",
                      "encoder_defaults.pretraining.data=" + name, "task_defaults.data=" + name,
                      "sensitivity.data=" + name, "tasks[1].known.min_saturation=0.1"});
}

}  // namespace

TEST_CASE("what is left of the data after decoding is checked on all ranks, before any work", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  const SharedScratch scratch(comm);
  if (comm.is_root()) {
    write_pictures(scratch / "sound", 0, false);
    write_pictures(scratch / "enough", 4, false);
    write_pictures(scratch / "short", 5, false);
    write_pictures(scratch / "grey", 0, true);
  }
  comm.barrier();
  const auto load = [&](const std::string& name) {
    const Suite suite = suite_on(name);
    const DataFolders folders{{}, {scratch.path()}};
    config::Problems problems;
    check_data(suite, manifests_of(name), folders, data::CheckDepth::kListing, problems);
    CHECK(problems.empty());  // what is on disk looks sound
    return error_of([&] { load_datasets(suite, manifests_of(name), folders, comm); });
  };
  CHECK(load("sound") == "no ConfigError");
  CHECK(load("enough") == "no ConfigError");  // 16 pictures, a batch
  const std::string too_short = load("short");
  CHECK(too_short.find("encoders[0].pretraining.global_batch") != std::string::npos);
  CHECK(too_short.find("at most 15, the samples of split train") != std::string::npos);
  const std::string grey = load("grey");
  CHECK(grey.find("tasks[1].known.classes") != std::string::npos);
  CHECK(grey.find("0 samples with a mean saturation of at least 0.1") != std::string::npos);
}

TEST_CASE("a rank whose data are not the root's is refused on all ranks", "[suite][mpi]") {
  const auto comm = comm::Communicator::world();
  Datasets datasets;
  datasets["shapes"].record.split_hashes = {{"train", "a"}, {"test", "b"}};
  CHECK_NOTHROW(refuse_unequal_data(datasets, comm));
  if (comm.rank() == comm.size() - 1) datasets["shapes"].record.split_hashes["test"] = std::string("other");
  if (comm.size() == 1) {
    CHECK_NOTHROW(refuse_unequal_data(datasets, comm));
  } else {
    CHECK_THROWS_AS(refuse_unequal_data(datasets, comm), ConfigError);
  }
}
