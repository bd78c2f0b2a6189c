#include "bench/image_stages.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "augment/device_views.hpp"
#include "augment/operations.hpp"
#include "augment/render.hpp"
#include "bench/checks.hpp"
#include "bench/made.hpp"
#include "config/setting.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "io/files.hpp"
#include "io/image.hpp"

namespace invaria::bench {
namespace {

namespace json = boost::json;

constexpr uint64_t kSeed = 1;
constexpr const char* kDali = "nvidia-dali-cuda120";
constexpr double kTolerance = 1e-4;  ///< of normalised values

/// Pictures of one size.
struct Pictures {
  int64_t n = 0, height = 0, width = 0;
  at::Tensor pixels_BHW3;  ///< uint8

  /// Each so often.
  std::vector<const uint8_t*> each(int64_t times) const {
    std::vector<const uint8_t*> pointers;
    for (int64_t place = 0; place < times * n; ++place)
      pointers.push_back(pixels_BHW3[place % n].const_data_ptr<uint8_t>());
    return pointers;
  }
};

/// Smooth colours with finer ones on them and some noise, which JPEG and resampling treat as they treat photographs.
Pictures made_pictures(int64_t n, int64_t height, int64_t width) {
  const auto uniform = [n](int64_t rows, int64_t columns, uint64_t sample) {
    at::Tensor values = at::empty({n, 3, rows, columns});
    Draws draws({.seed = kSeed, .purpose = Purpose::kSynthetic, .sample = sample});
    float* value = values.mutable_data_ptr<float>();
    for (int64_t index = 0; index < values.numel(); ++index) value[index] = static_cast<float>(draws.uniform());
    return values;
  };
  at::Tensor sum_BCHW = 0.06 * uniform(height, width, 0);
  for (const auto& [side, share] : {std::pair<int64_t, double>{4, 0.6}, {16, 0.34}})
    sum_BCHW +=
        share * at::upsample_bicubic2d(uniform(side, side, static_cast<uint64_t>(side)), {height, width}, false);
  const at::Tensor bytes = (255.0 * sum_BCHW).clamp(0, 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
  return {n, height, width, bytes};
}

const std::vector<augment::Operation>& all_operations() {
  static const std::vector<augment::Operation> all{augment::Operation::kCrop,        augment::Operation::kFlip,
                                                   augment::Operation::kColorJitter, augment::Operation::kGrayscale,
                                                   augment::Operation::kBlur,        augment::Operation::kSolarize};
  return all;
}

std::vector<uint64_t> ids_of(int64_t n) {
  std::vector<uint64_t> ids(static_cast<size_t>(n));
  std::iota(ids.begin(), ids.end(), uint64_t{0});
  return ids;
}

/// Drawn for all pictures, their first views, then their second ones.
std::vector<augment::ViewParameters> drawn(const Pictures& pictures, const augment::AugmentSettings& settings) {
  std::vector<augment::ViewParameters> parameters;
  for (const uint32_t view : {0u, 1u}) {
    for (const uint64_t id : ids_of(pictures.n)) {
      parameters.push_back(
          augment::draw(settings, all_operations(), pictures.height, pictures.width, kSeed, 0, id, view));
    }
  }
  return parameters;
}

/// What is timed.
at::Tensor views_at_once(const Pictures& pictures, int64_t view_size, const augment::AugmentSettings& settings,
                         c10::Device device) {
  if (!device.is_cuda()) {
    const std::vector<const uint8_t*> each = pictures.each(1);
    return augment::make_views({each, pictures.height, pictures.width}, settings, all_operations(), view_size, kSeed, 0,
                               ids_of(pictures.n))
        .both;
  }
  const std::vector<const uint8_t*> each = pictures.each(2);
  return augment::render_packed(augment::pack_views({each, pictures.height, pictures.width}, drawn(pictures, settings),
                                                    view_size, settings, device),
                                device);
}

/// The same, by the operations one after the other.
at::Tensor views_slowly(const Pictures& pictures, int64_t view_size, const augment::AugmentSettings& settings) {
  const std::vector<const uint8_t*> each = pictures.each(2);
  return augment::render_views_slowly({each, pictures.height, pictures.width}, drawn(pictures, settings), view_size,
                                      settings);
}

/// Others draw for themselves: views of the right size whose values spread as ours do.
std::function<void(const at::Tensor&)> spreads_like(std::shared_ptr<Lazy<at::Tensor>> ours) {
  return [ours](const at::Tensor& made_BCSS) {
    const at::Tensor& expected_BCSS = ours->get();
    expect_shape(made_BCSS, expected_BCSS.sizes());
    const at::Tensor made_C = made_BCSS.mean({0, 2, 3}), expected_C = expected_BCSS.mean({0, 2, 3});
    const double off = (made_C - expected_C).abs().max().item<double>();
    expect(off < 0.5, "colours are {:.2f} off in the mean", off);
    const double ratio = (made_BCSS.std() / expected_BCSS.std()).item<double>();
    expect(ratio > 0.6 && ratio < 1.6, "values spread {:.2f} times as far", ratio);
  };
}

/// A view costs its resampling (two passes of the triangle filter), jitter and blur in most views, and normalisation:
/// some 150 operations a value of the view, and two for each pixel that a crop reads.
Work views_work(const Pictures& pictures, int64_t view_size) {
  const double views = 2.0 * static_cast<double>(pictures.n);
  const double values = 3.0 * static_cast<double>(view_size * view_size);
  const double read = 3.0 * 0.6 * static_cast<double>(pictures.height * pictures.width);
  return {views * (150.0 * values + 2.0 * read), views * (sizeof(float) * values + read)};
}

/// @param package  what its version is asked by
void add_peer(Stage& stage, const std::string& name, const std::string& package, json::object request,
              std::shared_ptr<Lazy<at::Tensor>> ours) {
  request["package"] = package;
  stage.peers.push_back({name, std::move(request), spreads_like(std::move(ours))});
}

json::object request_of(const Pictures& pictures, int64_t view_size, const augment::AugmentSettings& settings) {
  json::object request{{"n", pictures.n},
                       {"shape", {pictures.n, pictures.height, pictures.width, 3}},
                       {"size", view_size},
                       {"blur_kernel", augment::blur_kernel(settings.blur, view_size)}};
  request["settings"] = config::write(settings);
  return request;
}

Stage of_memory(const std::filesystem::path& folder, int64_t n, int64_t stored, int64_t view_size, c10::Device device) {
  const augment::AugmentSettings settings;
  const std::string name = fmt::format("{}-{}", stored, view_size);
  const std::filesystem::path file = folder / fmt::format("pictures-{}.u8", stored);
  const auto pictures = std::make_shared<Lazy<Pictures>>([=] {
    const Pictures made = made_pictures(n, stored, stored);
    write_values(file, made.pixels_BHW3);
    return made;
  });
  const auto slowly =
      std::make_shared<Lazy<at::Tensor>>([=] { return views_slowly(pictures->get(), view_size, settings); });
  const Pictures shape{n, stored, stored, {}};
  Stage stage{
      .name = "image/views-" + name,
      .what = fmt::format("two views of {} pixels of decoded pictures of {}, default augmentations", view_size, stored),
      .unit = "views",
      .items = 2.0 * static_cast<double>(n),
      .work = views_work(shape, view_size),
      .run = [=] { return std::vector{views_at_once(pictures->get(), view_size, settings, device)}; },
      .check = [=](const at::Tensor& made) { expect_near(made, slowly->get(), kTolerance); },
      .adapter = "image.py",
      .peers = {}};
  json::object request = request_of(shape, view_size, settings);
  request["stage"] = "views";
  request["input"] = file.string();
  for (const char* peer : {"torchvision", "kornia", "albumentations"}) add_peer(stage, peer, peer, request, slowly);
  add_peer(stage, "DALI", kDali, request, slowly);
  return stage;
}

std::string jpeg_of(const uint8_t* pixels, int64_t height, int64_t width) {
  constexpr int kQuality = 90;
  const std::unique_ptr<void, int (*)(tjhandle)> codec(tjInitCompress(), tjDestroy);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int failed = tjCompress2(codec.get(), pixels, static_cast<int>(width), 0, static_cast<int>(height), TJPF_RGB,
                                 &bytes, &size, TJSAMP_420, kQuality, 0);
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> held(bytes, tjFree);
  require(failed == 0, "a picture of {} x {} could not be compressed: {}", width, height, tjGetErrorStr2(codec.get()));
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

/// Pictures as a user has them: a folder a class, a JPEG file each.
std::vector<std::filesystem::path> write_folder(const std::filesystem::path& folder, const Pictures& pictures) {
  std::vector<std::filesystem::path> files;
  for (int64_t picture = 0; picture < pictures.n; ++picture) {
    const std::filesystem::path file = folder / fmt::format("class{}", picture % 2) / fmt::format("{:04}.jpg", picture);
    std::filesystem::create_directories(file.parent_path());
    io::write_file_atomically(
        file, jpeg_of(pictures.pixels_BHW3[picture].const_data_ptr<uint8_t>(), pictures.height, pictures.width));
    files.push_back(file);
  }
  return files;
}

Stage of_files(const std::filesystem::path& folder, int64_t n, int64_t height, int64_t width, int64_t view_size) {
  const augment::AugmentSettings settings;
  const std::filesystem::path root = folder / fmt::format("jpeg-{}", height);
  const Pictures shape{n, height, width, {}};
  const auto files = std::make_shared<Lazy<std::vector<std::filesystem::path>>>(
      [=] { return write_folder(root, made_pictures(n, height, width)); });
  const auto decoded = [=] {
    at::Tensor pixels_BHW3 = at::empty({n, height, width, 3}, at::kByte);
    uint8_t* const pixels = pixels_BHW3.mutable_data_ptr<uint8_t>();
    const std::vector<std::filesystem::path>& listed = files->get();
    at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t picture = begin; picture < end; ++picture) {
        const std::filesystem::path& file = listed[static_cast<size_t>(picture)];
        const io::Image image = io::decode_image(io::read_file(file), file.string());
        std::copy(image.pixels.begin(), image.pixels.end(), pixels + picture * height * width * 3);
      }
    });
    return Pictures{n, height, width, pixels_BHW3};
  };
  const auto slowly = std::make_shared<Lazy<at::Tensor>>([=] { return views_slowly(decoded(), view_size, settings); });
  Stage stage{.name = fmt::format("image/jpeg-{}-{}", height, view_size),
              .what = fmt::format("JPEG files of {} x {} to two views of {} pixels each", width, height, view_size),
              .unit = "pictures",
              .items = static_cast<double>(n),
              .work = views_work(shape, view_size),
              .run = [=] { return std::vector{views_at_once(decoded(), view_size, settings, c10::kCPU)}; },
              .check = [=](const at::Tensor& made) { expect_near(made, slowly->get(), kTolerance); },
              .adapter = "image.py",
              .peers = {}};
  json::object request = request_of(shape, view_size, settings);
  request["stage"] = "files";
  request["input"] = root.string();
  add_peer(stage, "DataLoader", "torch", request, slowly);
  add_peer(stage, "DALI", kDali, request, slowly);
  return stage;
}

}  // namespace

std::vector<Stage> image_stages(const std::filesystem::path& folder, c10::Device device) {
  const int64_t times = device.is_cuda() ? 16 : 1;  // pictures that keep a device busy
  std::vector<Stage> stages{of_memory(folder, 64 * times, 64, 32, device),
                            of_memory(folder, 64 * times, 64, 64, device),
                            of_memory(folder, 8 * times, 256, 224, device)};
  if (device.is_cuda()) return stages;
  stages.push_back(of_files(folder, 128, 64, 64, 32));
  stages.push_back(of_files(folder, 8, 375, 500, 224));
  return stages;
}

}  // namespace invaria::bench
