#include "augment/view_map.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/augment/pictures.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

/// Centre of the brightness of a view [1, 3, S, S] that was not normalised.
std::pair<double, double> centre_of_light(const at::Tensor& view_BCHW) {
  const at::Tensor light_HW = view_BCHW[0].sum(0).to(at::kDouble);
  const at::Tensor place = at::arange(light_HW.size(0), at::kDouble) + 0.5;
  const double total = light_HW.sum().item<double>();
  return {(light_HW.sum(0) * place).sum().item<double>() / total,
          (light_HW.sum(1) * place).sum().item<double>() / total};
}

}  // namespace

TEST_CASE("a point of the image is seen in its view where the map says", "[augment][view_map]") {
  constexpr int64_t kHeight = 60, kWidth = 90, kSpot = 7, kView = 48;
  AugmentSettings settings;
  settings.mean = {0, 0, 0};
  settings.std = {1, 1, 1};
  settings.crop_area = {0.3, 1.0};
  settings.whole_image = GENERATE(WholeImage::kWholeFrame, WholeImage::kCentreCrop);
  const bool crops = GENERATE(true, false);
  std::vector<Operation> active{Operation::kFlip};
  if (crops) active.push_back(Operation::kCrop);
  Draws draws({.seed = 3, .purpose = Purpose::kTest});
  int n_seen = 0;
  int n_flipped = 0;
  for (uint64_t n = 0; n < 60; ++n) {
    const int64_t left = draws.below(kWidth - kSpot);
    const int64_t top = draws.below(kHeight - kSpot);
    Pictures picture = constant_pictures(1, kHeight, kWidth, 0);
    for (int64_t y = top; y < top + kSpot; ++y) {
      std::fill_n(picture.pixels[0].begin() + (y * kWidth + left) * 3, kSpot * 3, uint8_t{255});
    }
    const ViewParameters parameters = draw(settings, active, kHeight, kWidth, 1, 0, n, 0);
    const PixelMap map = view_map(parameters, kView);
    CHECK(map.is_mirrored() == parameters.flip);
    const double edges_x[] = {map.x(static_cast<double>(left)), map.x(static_cast<double>(left + kSpot))};
    const double edges_y[] = {map.y(static_cast<double>(top)), map.y(static_cast<double>(top + kSpot))};
    const auto inside = [](double edge) { return edge > 2 && edge < kView - 2; };
    if (!std::all_of(edges_x, edges_x + 2, inside) || !std::all_of(edges_y, edges_y + 2, inside)) continue;
    const auto [x, y] = centre_of_light(render_views(picture.batch(), {&parameters, 1}, kView, settings));
    // Enlarging samples each source pixel's triangle at a few places: that alone moves a spot's centre by up to 0.07.
    constexpr double kResampling = 0.1;
    CAPTURE(n, parameters.flip, parameters.box.left, parameters.box.width);
    CHECK(x == Approx((edges_x[0] + edges_x[1]) / 2).margin(kResampling));
    CHECK(y == Approx((edges_y[0] + edges_y[1]) / 2).margin(kResampling));
    ++n_seen;
    n_flipped += parameters.flip ? 1 : 0;
  }
  CHECK(n_seen > 15);
  CHECK(n_flipped > 4);
}
