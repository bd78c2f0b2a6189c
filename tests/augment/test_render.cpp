// The fused path against the composition of the slow operations.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "augment/operations.hpp"
#include "augment/render.hpp"
#include "core/errors.hpp"
#include "tests/augment/pictures.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

const AugmentSettings kDefaults;

/// Tolerance in normalised values: 1e-5 in [0, 1] over the smallest deviation.
constexpr double kTolerance = 1e-5 / 0.224;

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

std::vector<ViewParameters> draw_all(const AugmentSettings& settings, const ImageBatch& images, uint64_t seed) {
  std::vector<ViewParameters> parameters;
  for (uint64_t n = 0; n < images.pixels.size(); ++n) {
    parameters.push_back(draw(settings, all_operations(), images.height, images.width, seed, 0, n, 0));
  }
  return parameters;
}

/// Sets ATen's thread count for a scope.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

}  // namespace

TEST_CASE("the fused path equals the composition of the slow operations", "[augment][oracle]") {
  struct Size {
    int64_t height, width, view;
  };
  const Size size = GENERATE(Size{64, 64, 32}, Size{64, 97, 32}, Size{40, 23, 33}, Size{9, 30, 48}, Size{120, 75, 7},
                             Size{16, 16, 16}, Size{150, 130, 100}, Size{3, 2, 5}, Size{5, 7, 1});
  const bool centre = GENERATE(false, true);
  INFO(size.height << " x " << size.width << " to " << size.view << (centre ? ", centre" : ""));
  AugmentSettings settings = busy_settings();
  const Pictures pictures = random_pictures(size.view > 50 ? 12 : 40, size.height, size.width, 7);
  std::vector<ViewParameters> parameters = draw_all(settings, pictures.batch(), 11);
  if (centre) {
    for (ViewParameters& p : parameters) p.framing = WholeImage::kCentreCrop;
  }
  const at::Tensor fused = render_views(pictures.batch(), parameters, size.view, settings);
  const at::Tensor slow = render_views_slowly(pictures.batch(), parameters, size.view, settings);
  REQUIRE(fused.sizes() == slow.sizes());
  CHECK(largest_difference(fused, slow) < kTolerance);
}

TEST_CASE("any blur kernel and threshold set in the suite is the one that is used", "[augment][oracle]") {
  AugmentSettings settings = busy_settings();
  settings.blur.p = settings.solarize.p = 1.0;
  settings.blur.sigma = {1.0, 3.0};
  settings.blur.kernel = GENERATE(1, 3, 7, 21);
  settings.solarize.threshold = 0.0;
  settings.mean = {0.1, 0.2, 0.3};
  settings.std = {0.9, 0.8, 0.7};
  const Pictures pictures = random_pictures(6, 20, 20, 3);
  const auto parameters = draw_all(settings, pictures.batch(), 5);
  const at::Tensor fused = render_views(pictures.batch(), parameters, 12, settings);
  CHECK(largest_difference(fused, render_views_slowly(pictures.batch(), parameters, 12, settings)) < kTolerance);
  settings.solarize.threshold = 1.0;
  CHECK(largest_difference(fused, render_views(pictures.batch(), parameters, 12, settings)) > 0.1);
}

TEST_CASE("the blur kernel is the odd size nearest a tenth of the view", "[augment]") {
  const BlurSettings settings;
  CHECK(blur_kernel(settings, 8) == 3);
  CHECK(blur_kernel(settings, 32) == 3);
  CHECK(blur_kernel(settings, 64) == 7);
  CHECK(blur_kernel(settings, 96) == 9);
  CHECK(blur_kernel(settings, 224) == 23);
}

TEST_CASE("views depend neither on the split of the batch nor on the threads", "[augment][property]") {
  const Pictures pictures = random_pictures(24, 32, 48, 1);
  const AugmentSettings settings;
  std::vector<uint64_t> ids;
  for (uint64_t n = 0; n < 24; ++n) ids.push_back(1000 - 7 * n);
  const auto views = [&](size_t first, size_t count) {
    return make_views(pictures.part(first, count), settings, all_operations(), 16, 3, 2,
                      std::span(ids).subspan(first, count));
  };
  const ViewPair whole = views(0, 24);
  for (const int threads : {1, 2, 3}) {
    const Threads scope(threads);
    CHECK(at::equal(views(0, 24).both, whole.both));
  }
  const ViewPair head = views(0, 5);
  const ViewPair tail = views(5, 19);
  CHECK(at::equal(at::cat({head.first(), tail.first()}), whole.first()));
  CHECK(at::equal(at::cat({head.second(), tail.second()}), whole.second()));
}

TEST_CASE("at::parallel_for really uses several threads here", "[augment]") {
  const Threads scope(2);
  std::set<std::thread::id> seen;
  std::mutex mutex;
  at::parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  CHECK(seen.size() == 2);
}

TEST_CASE("the two views of an image differ, and change with seed and epoch", "[augment]") {
  const Pictures pictures = random_pictures(4, 32, 32, 1);
  const std::vector<uint64_t> ids{0, 1, 2, 3};
  const auto views = [&](uint64_t seed, uint64_t epoch) {
    return make_views(pictures.batch(), kDefaults, all_operations(), 16, seed, epoch, ids);
  };
  const ViewPair pair = views(1, 1);
  CHECK(pair.first().size(0) == 4);
  CHECK(pair.second().size(0) == 4);
  for (int n = 0; n < 4; ++n) CHECK(largest_difference(pair.first()[n], pair.second()[n]) > 0.1);
  CHECK(at::equal(views(1, 1).both, pair.both));
  CHECK_FALSE(at::equal(views(2, 1).both, pair.both));
  CHECK_FALSE(at::equal(views(1, 2).both, pair.both));
}

TEST_CASE("with no operation active both views are the normalised image", "[augment]") {
  const Pictures pictures = random_pictures(2, 16, 16, 4);
  const AugmentSettings settings;
  const std::vector<uint64_t> ids{0, 1};
  const ViewPair pair = make_views(pictures.batch(), settings, {}, 16, 1, 1, ids);
  const at::Tensor plain = normalise(to_float(pictures.batch()), settings.mean, settings.std);
  CHECK(largest_difference(pair.first(), plain) < kTolerance);
  CHECK(at::equal(pair.first(), pair.second()));
}

TEST_CASE("degenerate pictures stay finite and as dull as they are", "[augment]") {
  const int64_t side = GENERATE(1, 2, 20);
  const uint8_t value = GENERATE(0, 100, 255);
  const Pictures pictures = constant_pictures(30, side, side, value);
  AugmentSettings settings = busy_settings();
  settings.mean = {0, 0, 0};
  settings.std = {1, 1, 1};
  const auto parameters = draw_all(settings, pictures.batch(), 2);
  const at::Tensor views = render_views(pictures.batch(), parameters, 8, settings);
  CHECK(at::isfinite(views).all().item<bool>());
  CHECK(views.amin().item<float>() >= -1e-5f);
  CHECK(views.amax().item<float>() <= 1.0f + 1e-5f);
  const at::Tensor spread = views.amax({1, 2, 3}) - views.amin({1, 2, 3});
  CHECK(spread.max().item<float>() <
        1e-3f);  // 0.2989 + 0.587 + 0.114 is 0.9999: gray is slightly darker, alike in all channels
  CHECK(largest_difference(views, render_views_slowly(pictures.batch(), parameters, 8, settings)) < 1e-5);
}

TEST_CASE("nothing is read outside the box", "[augment]") {
  Pictures pictures = random_pictures(1, 20, 30, 9);
  ViewParameters parameters = whole_frame(20, 30);
  parameters.box = {4, 6, 9, 11};
  const at::Tensor before = render_views(pictures.batch(), {&parameters, 1}, 8, kDefaults);
  for (int64_t y = 0; y < 20; ++y) {
    for (int64_t x = 0; x < 30; ++x) {
      const bool inside = y >= 4 && y < 13 && x >= 6 && x < 17;
      if (!inside) std::fill_n(pictures.pixels[0].begin() + (y * 30 + x) * 3, 3, uint8_t{255});
    }
  }
  CHECK(at::equal(render_views(pictures.batch(), {&parameters, 1}, 8, kDefaults), before));
}

TEST_CASE("rendering refuses counts that disagree and boxes outside the image", "[augment]") {
  const Pictures pictures = random_pictures(2, 8, 8, 1);
  std::vector<ViewParameters> parameters(2, whole_frame(8, 8));
  std::vector<float> out(2 * 3 * 4 * 4);
  CHECK_NOTHROW(render_views_into(out, pictures.batch(), parameters, 4, kDefaults));
  CHECK_THROWS_AS(render_views_into(out, pictures.batch(), parameters, 5, kDefaults), PreconditionError);
  CHECK_THROWS_AS(render_views(pictures.batch(), std::span(parameters).first(1), 4, kDefaults), PreconditionError);
  CHECK_THROWS_AS(make_views(pictures.batch(), kDefaults, {}, 4, 0, 0, std::vector<uint64_t>{1}), PreconditionError);
  parameters[1].box = {1, 0, 8, 8};
  CHECK_THROWS_AS(render_views(pictures.batch(), parameters, 4, kDefaults), PreconditionError);
}

TEST_CASE("no images make an empty batch", "[augment]") {
  const Pictures pictures = random_pictures(0, 8, 8, 1);
  CHECK(render_views(pictures.batch(), {}, 4, kDefaults).sizes() == c10::IntArrayRef{0, 3, 4, 4});
}
