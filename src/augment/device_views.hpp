#pragma once
/// @file
/// Views of pictures rendered where an encoder is: the host draws parameters and hands over bytes, a quarter of what
/// finished views take; one block of threads makes each view.
///
/// Equal to render_views() within 1e-5 before normalisation, where nothing jumps: solarize at a threshold other than a
/// half may turn a pixel that lies at it.
///
/// Shape legend: N pictures, B views, S = side of the square view.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <span>

#include "augment/render.hpp"
#include "augment/view_program.hpp"

namespace invaria::augment {

/// What a device needs to render a batch. On the host; pinned for a CUDA device, so that copies need nobody to wait.
struct PackedViews {
  at::Tensor pictures_NHWC;  ///< uint8, each once
  at::Tensor programs;       ///< uint8, B ViewPrograms
  at::Tensor weights;        ///< float, of all blurs
  RenderShape shape;
  int64_t n_views = 0;
};

/// @param images  view n is of image n; what occurs several times is packed once
/// @throws PreconditionError as render_views()
PackedViews pack_views(const ImageBatch& images, std::span<const ViewParameters> parameters, int64_t view_size,
                       const AugmentSettings& settings, c10::Device device);

/// @return float32 [B, 3, S, S], normalised, on `device`; on CUDA by the current stream, which nobody waits for
/// @throws EnvironmentError if CUDA refuses
at::Tensor render_packed(const PackedViews& packed, c10::Device device);

}  // namespace invaria::augment
