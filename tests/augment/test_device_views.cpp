// Views as a device renders them, against the vectorised path of the CPU.
#include <ATen/ATen.h>

#include <barrier>
#include <thread>

#include "augment/device_views.hpp"
#include "augment/view_program.hpp"
#include "augment/views.hpp"
#include "core/errors.hpp"
#include "tests/augment/pictures.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

/// Tolerance in normalised values: 1e-5 in [0, 1] over the smallest deviation.
constexpr double kTolerance = 1e-5 / 0.224;
const c10::Device kHost(c10::kCPU);

std::vector<ViewParameters> draw_all(const AugmentSettings& settings, const ImageBatch& images, bool centre) {
  std::vector<ViewParameters> parameters;
  for (uint64_t n = 0; n < images.pixels.size(); ++n) {
    parameters.push_back(draw(settings, all_operations(), images.height, images.width, 11, 0, n, 0));
    if (centre) parameters.back().framing = WholeImage::kCentreCrop;
  }
  return parameters;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// A block of several threads of the host, which wait for each other as those of a device do.
class ThreadsBlock {
 public:
  struct Shared {
    explicit Shared(int n) : sums(static_cast<size_t>(n)), barrier(n) {}
    std::vector<double> sums;
    std::barrier<> barrier;
  };
  ThreadsBlock(Shared& shared, int32_t thread) : shared_(shared), thread_(thread) {}

  int32_t thread() const { return thread_; }
  int32_t threads() const { return static_cast<int32_t>(shared_.sums.size()); }
  void sync() const { shared_.barrier.arrive_and_wait(); }
  double sum(double mine) const {
    shared_.sums[static_cast<size_t>(thread_)] = mine;
    sync();
    double total = 0.0;
    for (const double each : shared_.sums) total += each;
    sync();
    return total;
  }

 private:
  Shared& shared_;
  int32_t thread_;
};

at::Tensor render_by_threads(const PackedViews& packed, int n_threads) {
  const int64_t size = packed.shape.view_size;
  at::Tensor out_BCSS = at::full({packed.n_views, 3, size, size}, 1e9, at::kFloat);
  std::vector<AxisPlace> places(static_cast<size_t>(2 * size));
  std::vector<float> spare(static_cast<size_t>(3 * size * size));
  const auto* programs = reinterpret_cast<const ViewProgram*>(packed.programs.const_data_ptr<uint8_t>());
  const int64_t picture_bytes = packed.pictures_NHWC[0].numel();
  const uint8_t* pictures = packed.pictures_NHWC.const_data_ptr<uint8_t>();
  const float* weights = packed.weights.const_data_ptr<float>();
  float* out = out_BCSS.mutable_data_ptr<float>();
  ThreadsBlock::Shared shared(n_threads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < n_threads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int64_t view = 0; view < packed.n_views; ++view) {
        render_block(ThreadsBlock(shared, thread), programs[view], packed.shape,
                     pictures + programs[view].picture * picture_bytes, weights, places.data(), spare.data(),
                     out + view * 3 * size * size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out_BCSS;
}

struct Size {
  int64_t height, width, view;
};

}  // namespace

TEST_CASE("a device's views are those of the CPU, by one thread a view and by several", "[augment][oracle]") {
  const Size size = GENERATE(Size{64, 64, 32}, Size{64, 97, 32}, Size{40, 23, 33}, Size{9, 30, 48}, Size{120, 75, 7},
                             Size{16, 16, 16}, Size{150, 130, 100}, Size{3, 2, 5}, Size{5, 7, 1});
  const bool centre = GENERATE(false, true);
  INFO(size.height << " x " << size.width << " to " << size.view << (centre ? ", centre" : ""));
  const AugmentSettings settings = busy_settings();
  const Pictures pictures = random_pictures(size.view > 50 ? 12 : 40, size.height, size.width, 7);
  const std::vector<ViewParameters> parameters = draw_all(settings, pictures.batch(), centre);
  const at::Tensor expected = render_views(pictures.batch(), parameters, size.view, settings);
  const PackedViews packed = pack_views(pictures.batch(), parameters, size.view, settings, kHost);
  const at::Tensor by_one = render_packed(packed, kHost);
  REQUIRE(by_one.sizes() == expected.sizes());
  CHECK(largest_difference(by_one, expected) < kTolerance);
  for (const int threads : {2, 3}) CHECK(largest_difference(render_by_threads(packed, threads), by_one) < kTolerance);
}

TEST_CASE("pictures of several views are packed once, and what cannot be rendered is refused", "[augment]") {
  const AugmentSettings settings = busy_settings();
  const Pictures pictures = random_pictures(3, 20, 24, 1);
  std::vector<const uint8_t*> twice(pictures.pointers);
  twice.insert(twice.end(), pictures.pointers.begin(), pictures.pointers.end());
  const ImageBatch batch{twice, 20, 24};
  std::vector<ViewParameters> parameters = draw_all(settings, batch, false);
  const PackedViews packed = pack_views(batch, parameters, 16, settings, kHost);
  CHECK(packed.pictures_NHWC.sizes() == at::IntArrayRef({3, 20, 24, 3}));
  CHECK(packed.n_views == 6);
  CHECK(largest_difference(render_packed(packed, kHost), render_views(batch, parameters, 16, settings)) < kTolerance);
  parameters[4].box.width = 25;
  CHECK_THROWS_AS(pack_views(batch, parameters, 16, settings, kHost), PreconditionError);
  CHECK_THROWS_AS(pack_views(batch, std::span(parameters).first(2), 16, settings, kHost), PreconditionError);
  CHECK(render_packed(pack_views({{}, 20, 24}, {}, 16, settings, kHost), kHost).sizes() ==
        at::IntArrayRef({0, 3, 16, 16}));
}

TEST_CASE("views rendered on CUDA are those of the CPU", "[augment][cuda]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  const c10::Device device(c10::kCUDA, 0);
  const Size size =
      GENERATE(Size{64, 64, 32}, Size{64, 97, 64}, Size{9, 30, 48}, Size{256, 256, 224}, Size{500, 375, 224});
  INFO(size.height << " x " << size.width << " to " << size.view);
  ViewSettings settings;
  settings.pictures = busy_settings();
  settings.view_size = size.view;
  const Pictures pictures = random_pictures(600, size.height, size.width, 7);  // more than there are blocks
  const auto views = make_views(settings, {.height = size.height, .width = size.width});
  std::vector<Parameters> parameters;
  for (uint64_t n = 0; n < 600; ++n) parameters.push_back(views->draw(all_operations(), 11, 0, n, 0));
  const at::Tensor expected = views->render(pictures.pointers, parameters);
  const auto finish = views->begin(pictures.pointers, parameters, device);
  const at::Tensor made = finish();
  CHECK(made.device() == device);
  CHECK(largest_difference(made.cpu(), expected) < kTolerance);
  CHECK(at::equal(finish(), made));
}
