#pragma once
/// @file
/// Where the points of an image lie in its view.

#include <cstdint>

#include "augment/view_parameters.hpp"
#include "core/pixel_map.hpp"

namespace invaria::augment {

/// One axis of the way from box to view: the box's side resized to `length`, of which the view shows its own size from
/// `offset` on.
struct Window {
  int64_t length = 0;
  int64_t offset = 0;
};

/// @param side          of the box along this axis; `shorter_side` is its shorter one
Window view_window(WholeImage framing, int64_t side, int64_t shorter_side, int64_t view_size);

/// From the image to its view of `view_size` pixels a side: cut, resize, centre and mirror. A point outside the view
/// comes out with coordinates outside [0, view_size].
PixelMap view_map(const ViewParameters& parameters, int64_t view_size);

}  // namespace invaria::augment
