#pragma once
/// @file
/// Views of a batch of images: one pass from uint8 pixels to normalised float per view, vectorised over pixels,
/// threaded over samples.
///
/// Equal to the composition of operations.hpp's functions (render_views_slowly) within 1e-5 before normalisation.
///
/// Shape legend: B = images of this call, S = side of the square view.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "augment/view_parameters.hpp"

namespace invaria::augment {

/// Images of one size, each [height, width, 3] uint8, R G B interleaved, rows without gaps. Borrowed: the caller keeps
/// the pixels alive.
struct ImageBatch {
  std::span<const uint8_t* const> pixels;
  int64_t height = 0;
  int64_t width = 0;
};

/// Two views of every image.
struct ViewPair {
  at::Tensor
      both;  ///< float32 [2 B, 3, S, S]: the first views of all images, then their second views, for one joint forward
  at::Tensor first() const { return both.narrow(0, 0, both.size(0) / 2); }  ///< [B, 3, S, S], shares memory
  at::Tensor second() const {
    return both.narrow(0, both.size(0) / 2, both.size(0) / 2);
  }  ///< [B, 3, S, S], shares memory
};

/// exp(-d^2 / (2 sigma^2)) over the kernel's pixels, summing to 1, without those at both ends that together weigh less
/// than a hundred millionth: of a wide kernel with a small sigma, most.
std::vector<float> blur_weights(const BlurSettings& settings, int64_t view_size, double sigma);

/// @throws PreconditionError if counts disagree, a box is not inside its image, or the view has no pixel
void require_renderable(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size);

/// Render view n of image n by parameters n, with at::get_num_threads() threads.
/// @param view_size  S, pixels, at least 1
/// @return float32 [B, 3, S, S] on the CPU, normalised by `settings.mean` and `settings.std`
/// @throws PreconditionError if counts disagree or a box is not inside its image
at::Tensor render_views(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                        const AugmentSettings& settings);

/// The same into memory of the caller. @param out  B * 3 * S * S floats
void render_views_into(std::span<float> out, const ImageBatch& images, std::span<const ViewParameters> parameters,
                       int64_t view_size, const AugmentSettings& settings);

/// Draw and render views 0 and 1 of every image with the operations of `active` (see active_operations()).
/// @param sample_ids  each image's index in its data set: the draws depend on it, not on its place in the batch
/// @throws PreconditionError if counts disagree
ViewPair make_views(const ImageBatch& images, const AugmentSettings& settings, std::span<const Operation> active,
                    int64_t view_size, uint64_t seed, uint64_t epoch, std::span<const uint64_t> sample_ids);

}  // namespace invaria::augment
