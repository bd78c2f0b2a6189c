#include "augment/operations.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

constexpr double kRed = 0.2989;
constexpr double kGreen = 0.587;
constexpr double kBlue = 0.114;

void require_images(const at::Tensor& images_BCHW, const char* operation) {
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == 3 && images_BCHW.is_floating_point(),
          "{}: found a tensor of {} dimensions, expected float or double [B, 3, H, W]", operation, images_BCHW.dim());
}

/// A parameter per image, shaped to meet [B, 3, H, W].
at::Tensor per_image(const at::Tensor& parameter_B, const at::Tensor& images_BCHW, const char* operation) {
  require_images(images_BCHW, operation);
  require(parameter_B.dim() == 1 && parameter_B.size(0) == images_BCHW.size(0), "{}: found {} parameters for {} images",
          operation, parameter_B.numel(), images_BCHW.size(0));
  return parameter_B.view({-1, 1, 1, 1});
}

at::Tensor gray_B1HW(const at::Tensor& images_BCHW) {
  const auto channels = images_BCHW.unbind(1);
  return (channels[0] * kRed + channels[1] * kGreen + channels[2] * kBlue).unsqueeze(1);
}

at::Tensor blend(const at::Tensor& image, const at::Tensor& other, const at::Tensor& ratio) {
  return (image * ratio + other * (1.0 - ratio)).clamp(0, 1);
}

at::Tensor resize(const at::Tensor& image_1CHW, int64_t height, int64_t width) {
  return at::_upsample_bilinear2d_aa(image_1CHW, {height, width}, /*align_corners=*/false);
}

at::Tensor cut(const at::Tensor& images_BCHW, int64_t index, const Box& box) {
  require(box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1 &&
              box.top + box.height <= images_BCHW.size(2) && box.left + box.width <= images_BCHW.size(3),
          "box {} + {} x {} + {} is not inside an image of {} x {}", box.top, box.height, box.left, box.width,
          images_BCHW.size(2), images_BCHW.size(3));
  return images_BCHW.narrow(0, index, 1).narrow(2, box.top, box.height).narrow(3, box.left, box.width).contiguous();
}

/// Index of position `at` in a line of `size` that is mirrored at its first and last element.
int64_t reflect(int64_t at, int64_t size) {
  while (at < 0 || at >= size) {
    if (size == 1) return 0;
    at = at < 0 ? -at : 2 * (size - 1) - at;
  }
  return at;
}

at::Tensor reflected_positions(int64_t size, int64_t border) {
  std::vector<int64_t> positions;
  for (int64_t at = -border; at < size + border; ++at) positions.push_back(reflect(at, size));
  return at::tensor(positions);
}

at::Tensor gaussian_kernel(int64_t kernel, double sigma, at::ScalarType type) {
  const double limit = static_cast<double>(kernel - 1) / (2.0 * std::sqrt(2.0));
  return at::softmax(-(at::linspace(-limit, limit, kernel, type) / sigma).pow(2), 0);
}

}  // namespace

at::Tensor to_float(const ImageBatch& images) {
  std::vector<at::Tensor> tensors;
  for (const uint8_t* pixels : images.pixels) {
    const at::Tensor image_HWC =
        at::from_blob(const_cast<uint8_t*>(pixels), {images.height, images.width, 3}, at::kByte);
    tensors.push_back(image_HWC.to(at::kFloat).div(255.0).permute({2, 0, 1}));
  }
  return at::stack(tensors).contiguous();
}

at::Tensor resized_crop(const at::Tensor& images_BCHW, std::span<const Box> boxes, int64_t view_size) {
  require_images(images_BCHW, "resized_crop");
  require(static_cast<int64_t>(boxes.size()) == images_BCHW.size(0), "resized_crop: found {} boxes for {} images",
          boxes.size(), images_BCHW.size(0));
  std::vector<at::Tensor> views;
  for (size_t n = 0; n < boxes.size(); ++n) {
    views.push_back(resize(cut(images_BCHW, static_cast<int64_t>(n), boxes[n]), view_size, view_size));
  }
  return at::cat(views);
}

at::Tensor resized_centre(const at::Tensor& images_BCHW, std::span<const Box> boxes, int64_t view_size) {
  require_images(images_BCHW, "resized_centre");
  require(static_cast<int64_t>(boxes.size()) == images_BCHW.size(0), "resized_centre: found {} boxes for {} images",
          boxes.size(), images_BCHW.size(0));
  std::vector<at::Tensor> views;
  for (size_t n = 0; n < boxes.size(); ++n) {
    const Box& box = boxes[n];
    const int64_t shorter = std::min(box.height, box.width);
    const int64_t height = box.height == shorter ? view_size : view_size * box.height / shorter;
    const int64_t width = box.width == shorter ? view_size : view_size * box.width / shorter;
    const at::Tensor resized = resize(cut(images_BCHW, static_cast<int64_t>(n), box), height, width);
    // Python's int(round()) rounds halves to even, as nearbyint does.
    const auto offset = [&](int64_t size) {
      return static_cast<int64_t>(std::nearbyint(static_cast<double>(size - view_size) / 2.0));
    };
    views.push_back(resized.narrow(2, offset(height), view_size).narrow(3, offset(width), view_size));
  }
  return at::cat(views);
}

at::Tensor horizontal_flip(const at::Tensor& images_BCHW, const at::Tensor& flip_B) {
  const at::Tensor flip = per_image(flip_B, images_BCHW, "horizontal_flip");
  return at::where(flip, images_BCHW.flip(3), images_BCHW);
}

at::Tensor grayscale(const at::Tensor& images_BCHW, const at::Tensor& gray_B) {
  const at::Tensor gray = per_image(gray_B, images_BCHW, "grayscale");
  return at::where(gray, gray_B1HW(images_BCHW), images_BCHW);
}

at::Tensor adjust_brightness(const at::Tensor& images_BCHW, const at::Tensor& factor_B) {
  return (images_BCHW * per_image(factor_B, images_BCHW, "adjust_brightness")).clamp(0, 1);
}

at::Tensor adjust_contrast(const at::Tensor& images_BCHW, const at::Tensor& factor_B) {
  const at::Tensor factor = per_image(factor_B, images_BCHW, "adjust_contrast");
  return blend(images_BCHW, gray_B1HW(images_BCHW).mean({1, 2, 3}, /*keepdim=*/true), factor);
}

at::Tensor adjust_saturation(const at::Tensor& images_BCHW, const at::Tensor& factor_B) {
  const at::Tensor factor = per_image(factor_B, images_BCHW, "adjust_saturation");
  return blend(images_BCHW, gray_B1HW(images_BCHW), factor);
}

at::Tensor adjust_hue(const at::Tensor& images_BCHW, const at::Tensor& turn_B) {
  const at::Tensor turn = per_image(turn_B, images_BCHW, "adjust_hue").squeeze(1);
  const auto rgb = images_BCHW.unbind(1);
  const at::Tensor value = images_BCHW.amax(1);
  const at::Tensor range = value - images_BCHW.amin(1);
  const at::Tensor is_gray = range == 0;
  const at::Tensor saturation = range / at::where(is_gray, at::ones_like(value), value);
  const at::Tensor divisor = at::where(is_gray, at::ones_like(range), range);
  const at::Tensor red = (value - rgb[0]) / divisor;
  const at::Tensor green = (value - rgb[1]) / divisor;
  const at::Tensor blue = (value - rgb[2]) / divisor;
  at::Tensor hue =
      at::where(value == rgb[0], blue - green, at::where(value == rgb[1], 2.0 + red - blue, 4.0 + green - red));
  hue = (hue / 6.0 + 1.0 + turn).remainder(1.0);

  const at::Tensor sector = (hue * 6.0).floor();
  const at::Tensor within = hue * 6.0 - sector;
  const at::Tensor p = (value * (1.0 - saturation)).clamp(0, 1);
  const at::Tensor q = (value * (1.0 - saturation * within)).clamp(0, 1);
  const at::Tensor t = (value * (1.0 - saturation * (1.0 - within))).clamp(0, 1);
  // Which of value, p, q, t is red, green, blue in each of the six sectors (Foley and van Dam; torchvision's
  // _hsv_to_rgb).
  const std::array<std::array<at::Tensor, 6>, 3> by_sector{
      {{value, q, p, p, t, value}, {t, value, value, q, p, p}, {p, p, t, value, value, q}}};
  std::vector<at::Tensor> channels;
  for (const auto& choices : by_sector) {
    at::Tensor channel = at::zeros_like(value);
    for (int n = 0; n < 6; ++n) channel = at::where(sector.remainder(6.0) == n, choices[n], channel);
    channels.push_back(channel);
  }
  return at::stack(channels, 1);
}

at::Tensor gaussian_blur(const at::Tensor& images_BCHW, int64_t kernel, const at::Tensor& sigma_B) {
  per_image(sigma_B, images_BCHW, "gaussian_blur");
  require(kernel >= 1 && kernel % 2 == 1, "gaussian_blur: kernel is {}, expected an odd number", kernel);
  const at::Tensor padded = images_BCHW.index_select(2, reflected_positions(images_BCHW.size(2), kernel / 2))
                                .index_select(3, reflected_positions(images_BCHW.size(3), kernel / 2));
  std::vector<at::Tensor> blurred;
  for (int64_t n = 0; n < images_BCHW.size(0); ++n) {
    const double sigma = sigma_B[n].item<double>();
    if (sigma == 0.0) {
      blurred.push_back(images_BCHW.narrow(0, n, 1));
      continue;
    }
    const at::Tensor line = gaussian_kernel(kernel, sigma, images_BCHW.scalar_type());
    const at::Tensor kernel_311 = at::outer(line, line).expand({3, 1, kernel, kernel});
    blurred.push_back(at::conv2d(padded.narrow(0, n, 1), kernel_311, {}, 1, c10::IntArrayRef{0}, 1, /*groups=*/3));
  }
  return at::cat(blurred);
}

at::Tensor solarize(const at::Tensor& images_BCHW, double threshold, const at::Tensor& solarize_B) {
  const at::Tensor inverted = per_image(solarize_B, images_BCHW, "solarize").logical_and(images_BCHW >= threshold);
  return at::where(inverted, 1.0 - images_BCHW, images_BCHW);
}

at::Tensor normalise(const at::Tensor& images_BCHW, const std::vector<double>& mean, const std::vector<double>& std) {
  require_images(images_BCHW, "normalise");
  require(mean.size() == 3 && std.size() == 3, "normalise: found {} means and {} deviations, expected 3", mean.size(),
          std.size());
  const auto per_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, images_BCHW.options()).view({1, 3, 1, 1});
  };
  return (images_BCHW - per_channel(mean)) / per_channel(std);
}

at::Tensor render_views_slowly(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                               const AugmentSettings& settings) {
  require(images.pixels.size() == parameters.size(), "render_views_slowly: {} images and {} parameters",
          images.pixels.size(), parameters.size());
  const at::Tensor whole_BCHW = to_float(images).to(at::kDouble);
  std::vector<at::Tensor> views;
  for (size_t n = 0; n < parameters.size(); ++n) {
    const ViewParameters& p = parameters[n];
    const auto number = [](double value) { return at::full({1}, value, at::kDouble); };
    const auto flag = [](bool value) { return at::full({1}, value, at::kBool); };
    const at::Tensor image = whole_BCHW.narrow(0, static_cast<int64_t>(n), 1);
    at::Tensor view = p.framing == WholeImage::kCentreCrop ? resized_centre(image, {&p.box, 1}, view_size)
                                                           : resized_crop(image, {&p.box, 1}, view_size);
    view = horizontal_flip(view, flag(p.flip));
    for (const JitterStep step : p.jitter_order) {
      if (step == JitterStep::kBrightness && p.brightness != 1.0) view = adjust_brightness(view, number(p.brightness));
      if (step == JitterStep::kContrast && p.contrast != 1.0) view = adjust_contrast(view, number(p.contrast));
      if (step == JitterStep::kSaturation && p.saturation != 1.0) view = adjust_saturation(view, number(p.saturation));
      if (step == JitterStep::kHue && p.hue != 0.0) view = adjust_hue(view, number(p.hue));
    }
    view = grayscale(view, flag(p.grayscale));
    view = gaussian_blur(view, blur_kernel(settings.blur, view_size), number(p.blur_sigma));
    view = solarize(view, settings.solarize.threshold, flag(p.solarize));
    views.push_back(normalise(view, settings.mean, settings.std));
  }
  return at::cat(views).to(at::kFloat);
}

}  // namespace invaria::augment
