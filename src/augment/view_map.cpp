#include "augment/view_map.hpp"

#include <algorithm>
#include <cmath>

namespace invaria::augment {

Window view_window(WholeImage framing, int64_t side, int64_t shorter_side, int64_t view_size) {
  if (framing == WholeImage::kWholeFrame || side == shorter_side) return {view_size, 0};
  // torchvision's resize(S) and center_crop(S): the longer side is rounded down, the offset half to even.
  const int64_t length = view_size * side / shorter_side;
  return {length, static_cast<int64_t>(std::nearbyint(static_cast<double>(length - view_size) / 2.0))};
}

PixelMap view_map(const ViewParameters& parameters, int64_t view_size) {
  const Box& box = parameters.box;
  const int64_t shorter = std::min(box.height, box.width);
  const Window across = view_window(parameters.framing, box.width, shorter, view_size);
  const Window down = view_window(parameters.framing, box.height, shorter, view_size);
  const double scale_x = static_cast<double>(across.length) / static_cast<double>(box.width);
  const double scale_y = static_cast<double>(down.length) / static_cast<double>(box.height);
  const PixelMap map{scale_x, -static_cast<double>(box.left) * scale_x - static_cast<double>(across.offset), scale_y,
                     -static_cast<double>(box.top) * scale_y - static_cast<double>(down.offset)};
  return parameters.flip ? map.then({-1.0, static_cast<double>(view_size), 1.0, 0.0}) : map;
}

}  // namespace invaria::augment
