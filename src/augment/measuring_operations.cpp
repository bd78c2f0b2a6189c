#include "augment/measuring_operations.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

void require_images(const at::Tensor& images_BCHW, const char* operation) {
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == 3 && images_BCHW.is_floating_point(),
          "{}: found a tensor of {} dimensions, expected float or double [B, 3, H, W]", operation, images_BCHW.dim());
}

/// Where a pixel at (x, y) from the centre comes from: the rows of [x', y'] = M [x, y, 1].
at::Tensor inverse_matrix_23(const Affine& map) {
  const double angle = map.angle * std::numbers::pi / 180.0;
  const double tan_shear = std::tan(map.shear_x * std::numbers::pi / 180.0);
  // Forward: [a b; c d], a turn after a shear; its determinant is 1.
  const double a = std::cos(angle);
  const double b = -(a * tan_shear + std::sin(angle));
  const double c = std::sin(angle);
  const double d = std::cos(angle) - c * tan_shear;
  const double xx = d / map.scale, xy = -b / map.scale, yx = -c / map.scale, yy = a / map.scale;
  return at::tensor({xx, xy, -xx * map.translate_x - xy * map.translate_y, yx, yy,
                     -yx * map.translate_x - yy * map.translate_y},
                    at::kDouble)
      .view({2, 3});
}

}  // namespace

at::Tensor affine(const at::Tensor& images_BCHW, const Affine& map) {
  require_images(images_BCHW, "affine");
  require(map.scale > 0.0, "affine: a scale of {}, expected one above 0", map.scale);
  const int64_t height = images_BCHW.size(2), width = images_BCHW.size(3);
  const auto options = images_BCHW.options();
  const auto centred = [&](int64_t size) {
    const double last = 0.5 * static_cast<double>(size - 1);
    return at::linspace(-last, last, size, options);
  };
  const at::Tensor x_HW = centred(width).view({1, width}).expand({height, width});
  const at::Tensor y_HW = centred(height).view({height, 1}).expand({height, width});
  const at::Tensor base_N3 = at::stack({x_HW, y_HW, at::ones_like(x_HW)}, 2).view({height * width, 3});
  // grid_sampler counts from -1 to 1 over the image, edge to edge.
  const at::Tensor half_2 = at::tensor({0.5 * static_cast<double>(width), 0.5 * static_cast<double>(height)}, options);
  const at::Tensor grid_N2 = base_N3.mm(inverse_matrix_23(map).to(options).t() / half_2);
  constexpr int64_t kBilinear = 0;
  constexpr int64_t kZeros = 0;
  return at::grid_sampler(images_BCHW,
                          grid_N2.view({1, height, width, 2}).expand({images_BCHW.size(0), height, width, 2}),
                          kBilinear, kZeros, /*align_corners=*/false);
}

at::Tensor adjust_sharpness(const at::Tensor& images_BCHW, double factor) {
  require_images(images_BCHW, "adjust_sharpness");
  const int64_t height = images_BCHW.size(2), width = images_BCHW.size(3);
  if (height <= 2 || width <= 2) return images_BCHW;
  at::Tensor kernel_33 = at::full({3, 3}, 1.0 / 13.0, images_BCHW.options());
  kernel_33[1][1] = 5.0 / 13.0;
  const at::Tensor smooth = at::conv2d(images_BCHW, kernel_33.expand({3, 1, 3, 3}), {}, 1, c10::IntArrayRef{0}, 1,
                                       /*groups=*/3);
  at::Tensor sharpened = images_BCHW.clone();
  at::Tensor inside = sharpened.narrow(2, 1, height - 2).narrow(3, 1, width - 2);
  inside.add_((smooth - inside) * (1.0 - factor));
  return sharpened.clamp_(0, 1);
}

}  // namespace invaria::augment
