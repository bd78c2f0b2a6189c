/// @file
/// Targets follow their picture into a view: pictures that tell each pixel's place by its colour, with real or made
/// annotations, are flipped and cropped, and the colour at the moved target is the place where the target was.

#include <ATen/ATen.h>

#include <cstdlib>
#include <map>

#include "augment/render.hpp"
#include "augment/view_map.hpp"
#include "data/load.hpp"
#include "data/targets.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;

namespace {

constexpr int64_t kSize = 96;
constexpr int64_t kView = 80;

/// Red tells x, green y.
std::vector<uint8_t> places() {
  std::vector<uint8_t> pixels;
  for (int64_t y = 0; y < kSize; ++y) {
    for (int64_t x = 0; x < kSize; ++x) {
      pixels.push_back(static_cast<uint8_t>(2 * x));
      pixels.push_back(static_cast<uint8_t>(2 * y));
      pixels.push_back(0);
    }
  }
  return pixels;
}

/// The place in the picture, in pixels, that the view shows at (x, y).
std::pair<double, double> place_at(const at::Tensor& view_CHW, double x, double y) {
  const auto read = [&](int64_t channel) {
    const auto at = view_CHW[channel][static_cast<int64_t>(y)][static_cast<int64_t>(x)];
    return at.item<double>() * 255.0 / 2.0 + 0.5;
  };
  return {read(0), read(1)};
}

/// Columns of points: index of x and y, and of the same point's partner in a mirrored picture.
struct Point {
  size_t x;
  size_t y;
};

/// A point is an x column followed by its y column.
std::vector<Point> points_of(const std::vector<data::TargetColumn>& columns) {
  std::vector<Point> points;
  for (size_t t = 0; t + 1 < columns.size(); ++t) {
    if (columns[t].unit == data::TargetUnit::kPixelsX && columns[t + 1].unit == data::TargetUnit::kPixelsY) {
      points.push_back({t, t + 1});
    }
  }
  return points;
}

/// @return how many points were seen in views, and how many of those in mirrored ones
std::pair<int, int> check_views(const std::vector<data::TargetColumn>& columns,
                                const std::vector<std::vector<double>>& targets) {
  augment::AugmentSettings settings;
  settings.mean = {0, 0, 0};
  settings.std = {1, 1, 1};
  settings.crop_area = {0.4, 1.0};
  const std::vector<uint8_t> pixels = places();
  const uint8_t* const picture[] = {pixels.data()};
  int n_seen = 0;
  int n_mirrored = 0;
  for (size_t sample = 0; sample < targets.size(); ++sample) {
    const std::vector<augment::Operation> active{augment::Operation::kCrop, augment::Operation::kFlip};
    const augment::ViewParameters parameters = augment::draw(settings, active, kSize, kSize, 1, 0, sample, 0);
    const at::Tensor view_CHW = augment::render_views({picture, kSize, kSize}, {&parameters, 1}, kView, settings)[0];
    std::vector<double> moved = targets[sample];
    data::move_targets(columns, augment::view_map(parameters, kView), moved);
    for (const Point& point : points_of(columns)) {
      const double x = moved[point.x];
      const double y = moved[point.y];
      if (x < 2 || y < 2 || x > kView - 2 || y > kView - 2) continue;
      // The target that is found at this column in a mirrored picture is its partner's.
      size_t from_x = point.x;
      size_t from_y = point.y;
      if (parameters.flip) {
        for (size_t t = 0; t < columns.size(); ++t) {
          if (columns[t].name == columns[point.x].mirror) from_x = t;
          if (columns[t].name == columns[point.y].mirror) from_y = t;
        }
      }
      const auto [was_x, was_y] = place_at(view_CHW, x, y);
      CAPTURE(sample, columns[point.x].name, parameters.flip);
      CHECK(was_x == Approx(targets[sample][from_x]).margin(1.6));
      CHECK(was_y == Approx(targets[sample][from_y]).margin(1.6));
      ++n_seen;
      n_mirrored += parameters.flip ? 1 : 0;
    }
  }
  return {n_seen, n_mirrored};
}

}  // namespace

TEST_CASE("made points and boxes follow flips and crops, left and right changing places", "[downstream][targets]") {
  using enum data::TargetUnit;
  const std::vector<data::TargetColumn> columns{
      {"", kPixelsX, "right_x", "left_x"}, {"", kPixelsY, "right_y", "left_y"}, {"", kPixelsX, "left_x", "right_x"},
      {"", kPixelsY, "left_y", "right_y"}, {"", kPixelsX, "", "nose_x"},        {"", kPixelsY, "", "nose_y"}};
  std::vector<std::vector<double>> targets;
  for (int n = 0; n < 12; ++n) targets.push_back({20.0 + n, 30.5, 70.0 - n, 33, 45, 50.0 + n});
  const auto [n_seen, n_mirrored] = check_views(columns, targets);
  CHECK(n_seen > 15);
  CHECK(n_mirrored > 3);
}

TEST_CASE("a mirrored box still has its left side left of its right one", "[downstream][targets]") {
  using enum data::TargetUnit;
  const std::vector<data::TargetColumn> box{{"", kPixelsX, "box_xmax", "box_xmin"},
                                            {"", kPixelsY, "", "box_ymin"},
                                            {"", kPixelsX, "box_xmin", "box_xmax"},
                                            {"", kPixelsY, "", "box_ymax"}};
  augment::ViewParameters parameters = augment::whole_frame(kSize, kSize);
  parameters.flip = true;
  std::vector<double> targets{12, 6, 36, 48};
  data::move_targets(box, augment::view_map(parameters, 48), targets);
  CHECK(targets == std::vector<double>{30, 3, 42, 24});
}

TEST_CASE("real annotations follow flips and crops", "[downstream][targets][real]") {
  const char* folder = std::getenv("INVARIA_TEST_DATA");
  if (folder == nullptr) INVARIA_SKIP("INVARIA_TEST_DATA names no folder with data sets");
  int n_checked = 0;
  for (const char* name : {"pets3-head", "lspet", "face-keypoints"}) {
    const auto path = std::filesystem::path(INVARIA_SOURCE_DIR) / "datasets" / (std::string(name) + ".json");
    const data::Manifest manifest = data::read_manifest(path);
    if (!data::locate(manifest, {folder})) continue;
    CAPTURE(name);
    data::DatasetSettings settings;
    settings.name = name;
    settings.size = kSize;
    const data::Dataset dataset =
        data::load_dataset(manifest, settings, {{folder}, 1, {}}, NodeMemory::private_memory());
    // At twice the size everything is twice as far.
    settings.size = 2 * kSize;
    const data::Dataset larger =
        data::load_dataset(manifest, settings, {{folder}, 1, {}}, NodeMemory::private_memory());
    for (size_t sample = 0; sample < 25; ++sample) {
      const std::vector<double>& small = dataset.split("test").targets[sample];
      const std::vector<double>& large = larger.split("test").targets[sample];
      for (size_t t = 0; t < small.size(); ++t) {
        const bool is_place = dataset.target_columns[t].unit != data::TargetUnit::kPlain;
        CHECK(large[t] == Approx(small[t] * (is_place ? 2.0 : 1.0)).margin(1e-9));
      }
    }
    const auto& all = dataset.split("test").targets;
    const std::vector<std::vector<double>> targets(all.begin(), all.begin() + 25);
    const auto [n_seen, n_mirrored] = check_views(dataset.target_columns, targets);
    CHECK(n_seen > 20);
    CHECK(n_mirrored > 5);
    ++n_checked;
  }
  if (n_checked == 0) INVARIA_SKIP("none of the annotated data sets there");
}
