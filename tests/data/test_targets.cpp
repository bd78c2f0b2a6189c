#include "core/errors.hpp"
#include "data/targets.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::data;

namespace {

using Values = std::vector<double>;

const std::vector<TargetColumn> kColumns{{"", TargetUnit::kPixelsX, "xmax", "xmin"},
                                         {"", TargetUnit::kPixelsY, "", "ymin"},
                                         {"", TargetUnit::kPixelsX, "xmin", "xmax"},
                                         {"", TargetUnit::kPlain, "", "angle"},
                                         {"", TargetUnit::kPixelsX, "", "nose"}};

Values moved(const PixelMap& map, Values values) {
  move_targets(kColumns, map, values);
  return values;
}

}  // namespace

TEST_CASE("targets are scaled and shifted by their unit", "[data][targets]") {
  CHECK(moved({2, -1, 3, 10}, {1, 2, 5, 7, 4}) == Values{1, 16, 9, 7, 7});
}

TEST_CASE("in a mirrored picture left and right change places", "[data][targets]") {
  const PixelMap mirror{-1, 20, 1, 0};
  CHECK(moved(mirror, {3, 2, 8, 7, 5}) == Values{12, 2, 17, 7, 15});
  CHECK(moved(mirror, moved(mirror, {3, 2, 8, 7, 5})) == Values{3, 2, 8, 7, 5});
}

TEST_CASE("one map after the other is their product", "[data][targets]") {
  const PixelMap crop{2, -6, 0.5, 1};
  const PixelMap mirror{-1, 20, 1, 0};
  CHECK(moved(crop.then(mirror), {3, 2, 8, 7, 5}) == moved(mirror, moved(crop, {3, 2, 8, 7, 5})));
  CHECK(crop.then(mirror).is_mirrored());
  CHECK_FALSE(mirror.then(mirror).is_mirrored());
}

TEST_CASE("mirrors that do not pair are refused", "[data][targets]") {
  check_mirrors(kColumns, "set");
  CHECK_THROWS_WITH(check_mirrors(std::vector<TargetColumn>{{"", TargetUnit::kPixelsX, "b", "a"}}, "set"),
                    Catch::StartsWith("set: target a has the mirror b"));
  CHECK_THROWS_AS(
      check_mirrors(
          std::vector<TargetColumn>{{"", TargetUnit::kPixelsX, "b", "a"}, {"", TargetUnit::kPixelsX, "", "b"}}, "set"),
      ConfigError);
}
