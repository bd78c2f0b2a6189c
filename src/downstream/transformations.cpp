#include "downstream/transformations.hpp"

#include <ATen/ATen.h>

#include "augment/measuring_operations.hpp"
#include "augment/operations.hpp"
#include "core/errors.hpp"

namespace invaria::downstream {
namespace {

struct Range {
  double low = 1.0;
  double high = 1.0;
};

Range range_of(Transformation transformation) {
  switch (transformation) {
    case Transformation::kRotation:
      return {-180.0, 180.0};
    case Transformation::kTranslation:
      return {-0.25, 0.25};
    case Transformation::kScale:
      return {0.25, 2.0};
    case Transformation::kShear:
      return {-45.0, 45.0};
    case Transformation::kBrightness:
    case Transformation::kContrast:
    case Transformation::kSaturation:
      return {0.25, 5.0};
    case Transformation::kHue:
      return {-0.5, 0.5};
    case Transformation::kBlur:
      return {0.0, 20.0 / 224.0};
    case Transformation::kSharpness:
      return {1.0, 30.0};
    case Transformation::kFlip:
    case Transformation::kGrayscale:
      break;
  }
  return {};
}

}  // namespace

std::vector<double> strengths(Transformation transformation, int64_t n) {
  require(n >= 1, "strengths: {} of them, expected at least 1", n);
  const Range range = range_of(transformation);
  if (range.low == range.high) return {range.low};
  if (n == 1) return {0.5 * (range.low + range.high)};
  std::vector<double> equidistant;
  for (int64_t step = 0; step < n; ++step) {
    const double share = static_cast<double>(step) / static_cast<double>(n - 1);
    equidistant.push_back((1.0 - share) * range.low + share * range.high);
  }
  return equidistant;
}

at::Tensor transform(const at::Tensor& images_BCHW, Transformation transformation, double strength) {
  const int64_t n = images_BCHW.size(0);
  const auto width = static_cast<double>(images_BCHW.size(3));
  const at::Tensor all = at::ones({n}, at::kBool);
  const at::Tensor strength_B = at::full({n}, strength, images_BCHW.options());
  switch (transformation) {
    case Transformation::kRotation:
      return augment::affine(images_BCHW, {.angle = strength});
    case Transformation::kTranslation:
      return augment::affine(images_BCHW, {.translate_x = strength * width});
    case Transformation::kScale:
      return augment::affine(images_BCHW, {.scale = strength});
    case Transformation::kShear:
      return augment::affine(images_BCHW, {.shear_x = strength});
    case Transformation::kFlip:
      return augment::horizontal_flip(images_BCHW, all);
    case Transformation::kBrightness:
      return augment::adjust_brightness(images_BCHW, strength_B);
    case Transformation::kContrast:
      return augment::adjust_contrast(images_BCHW, strength_B);
    case Transformation::kSaturation:
      return augment::adjust_saturation(images_BCHW, strength_B);
    case Transformation::kHue:
      return augment::adjust_hue(images_BCHW, strength_B);
    case Transformation::kBlur:
      return augment::gaussian_blur(images_BCHW, augment::blur_kernel({}, images_BCHW.size(3)), strength_B * width);
    case Transformation::kGrayscale:
      return augment::grayscale(images_BCHW, all);
    case Transformation::kSharpness:
      return augment::adjust_sharpness(images_BCHW, strength);
  }
  throw PreconditionError("transform: an unknown transformation");
}

}  // namespace invaria::downstream
