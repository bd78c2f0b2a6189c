#include "augment/device_views.hpp"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "augment/view_map.hpp"
#include "core/errors.hpp"

namespace invaria::augment {
namespace {

/// The host's block: one thread.
struct OneThread {
  int32_t thread() const { return 0; }
  int32_t threads() const { return 1; }
  void sync() const {}
  double sum(double mine) const { return mine; }
};

std::array<ViewAxis, 2> axes_of(const ViewParameters& parameters, int64_t view_size) {
  const Box& box = parameters.box;
  const int64_t shorter = std::min(box.height, box.width);
  const auto axis = [&](int64_t begin, int64_t side) {
    const Window window = view_window(parameters.framing, side, shorter, view_size);
    return ViewAxis{static_cast<int32_t>(begin), static_cast<int32_t>(side), static_cast<int32_t>(window.length),
                    static_cast<int32_t>(window.offset)};
  };
  return {axis(box.top, box.height), axis(box.left, box.width)};
}

void add_steps(const ViewParameters& parameters, ViewProgram& program) {
  const auto value_of = [&](JitterStep step) {
    switch (step) {
      case JitterStep::kBrightness:
        return parameters.brightness;
      case JitterStep::kContrast:
        return parameters.contrast;
      case JitterStep::kSaturation:
        return parameters.saturation;
      case JitterStep::kHue:
        break;
    }
    return parameters.hue;
  };
  for (const JitterStep step : parameters.jitter_order) {
    const double value = value_of(step);
    if (value != (step == JitterStep::kHue ? 0.0 : 1.0))
      program.steps[program.n_steps++] = {static_cast<int32_t>(step), static_cast<float>(value)};
  }
}

template <class T>
at::Tensor bytes_of(const std::vector<T>& values, at::ScalarType type, bool is_pinned) {
  const auto size = static_cast<int64_t>(values.size() * sizeof(T) / c10::elementSize(type));
  at::Tensor tensor = at::empty({size}, at::TensorOptions(type).pinned_memory(is_pinned));
  if (size > 0) std::memcpy(tensor.mutable_data_ptr(), values.data(), values.size() * sizeof(T));
  return tensor;
}

}  // namespace

PackedViews pack_views(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                       const AugmentSettings& settings, c10::Device device) {
  require_renderable(images, parameters, view_size);
  PackedViews packed;
  packed.n_views = static_cast<int64_t>(parameters.size());
  packed.shape.height = static_cast<int32_t>(images.height);
  packed.shape.width = static_cast<int32_t>(images.width);
  packed.shape.view_size = static_cast<int32_t>(view_size);
  packed.shape.threshold = static_cast<float>(settings.solarize.threshold);
  for (size_t channel = 0; channel < 3; ++channel) {
    const double inverse_std = 1.0 / settings.std[channel];
    packed.shape.factor[channel] = static_cast<float>(inverse_std);
    packed.shape.offset[channel] = static_cast<float>(-settings.mean[channel] * inverse_std);
  }

  std::map<const uint8_t*, int32_t> place_of;
  std::vector<const uint8_t*> pictures;
  std::vector<ViewProgram> programs;
  std::vector<float> weights;
  for (size_t n = 0; n < parameters.size(); ++n) {
    const auto [found, is_new] = place_of.emplace(images.pixels[n], static_cast<int32_t>(pictures.size()));
    if (is_new) pictures.push_back(images.pixels[n]);
    const auto [down, across] = axes_of(parameters[n], view_size);
    ViewProgram program;
    program.picture = found->second;
    program.down = down;
    program.across = across;
    program.flip = parameters[n].flip ? 1 : 0;
    add_steps(parameters[n], program);
    program.grayscale = parameters[n].grayscale ? 1 : 0;
    program.solarize = parameters[n].solarize ? 1 : 0;
    if (parameters[n].blur_sigma != 0.0) {
      const std::vector<float> of_view = blur_weights(settings.blur, view_size, parameters[n].blur_sigma);
      program.blur_half = static_cast<int32_t>(of_view.size() / 2);
      program.blur_begin = static_cast<int32_t>(weights.size());
      weights.insert(weights.end(), of_view.begin(), of_view.end());
    }
    programs.push_back(program);
  }

  const bool is_pinned = device.is_cuda();
  const int64_t picture_bytes = images.height * images.width * 3;
  packed.pictures_NHWC = at::empty({static_cast<int64_t>(pictures.size()), images.height, images.width, 3},
                                   at::TensorOptions(at::kByte).pinned_memory(is_pinned));
  auto* to = packed.pictures_NHWC.mutable_data_ptr<uint8_t>();
  for (const uint8_t* picture : pictures) to = std::copy_n(picture, picture_bytes, to);
  packed.programs = bytes_of(programs, at::kByte, is_pinned);
  packed.weights = bytes_of(weights, at::kFloat, is_pinned);
  return packed;
}

at::Tensor render_packed(const PackedViews& packed, c10::Device device) {
  const int64_t size = packed.shape.view_size, n = size * size;
  const auto options = at::TensorOptions(at::kFloat).device(device);
  at::Tensor out_BCSS = at::empty({packed.n_views, 3, size, size}, options);
  if (packed.n_views == 0) return out_BCSS;
  if (device.is_cuda()) {
    const c10::cuda::CUDAGuard guard(device);
    constexpr int64_t kBlocksOfProcessor = 4;
    const int64_t n_blocks = std::min<int64_t>(
        packed.n_views, kBlocksOfProcessor * at::cuda::getCurrentDeviceProperties()->multiProcessorCount);
    const auto there = [&](const at::Tensor& tensor) { return tensor.to(device, /*non_blocking=*/true); };
    const at::Tensor pictures = there(packed.pictures_NHWC), programs = there(packed.programs),
                     weights = there(packed.weights);
    at::Tensor spare = at::empty({n_blocks, 3, size, size}, options);
    render_cuda(reinterpret_cast<const ViewProgram*>(programs.const_data_ptr<uint8_t>()), packed.n_views, packed.shape,
                pictures.const_data_ptr<uint8_t>(), weights.const_data_ptr<float>(), spare.mutable_data_ptr<float>(),
                n_blocks, out_BCSS.mutable_data_ptr<float>(), c10::cuda::getCurrentCUDAStream().stream());
    return out_BCSS;
  }
  std::vector<AxisPlace> places(static_cast<size_t>(2 * size));
  std::vector<float> spare(static_cast<size_t>(3 * n));
  const auto* programs = reinterpret_cast<const ViewProgram*>(packed.programs.const_data_ptr<uint8_t>());
  for (int64_t view = 0; view < packed.n_views; ++view) {
    const ViewProgram& program = programs[view];
    render_block(OneThread(), program, packed.shape, packed.pictures_NHWC[program.picture].const_data_ptr<uint8_t>(),
                 packed.weights.const_data_ptr<float>(), places.data(), spare.data(),
                 out_BCSS[view].mutable_data_ptr<float>());
  }
  return out_BCSS;
}

}  // namespace invaria::augment
