#pragma once
/// @file
/// A task's pictures as an encoder sees them, made when they are asked for: at 224 pixels the 60,000 of a task would
/// fill 36 GB of every rank, where the stored ones lie once on a node.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "augment/settings.hpp"
#include "data/picture_source.hpp"

namespace invaria::downstream {

/// Stored pictures of one size, which many may refer to.
struct StoredPictures {
  std::vector<data::PictureRef> pictures;  ///< [height, width, 3] each
  int64_t height = 0;
  int64_t width = 0;
};

/// Pictures by number, float, normalised, [3, S, S] each. Copies share what is behind them.
class Pictures {
 public:
  Pictures() = default;
  /// Held as they are: [n, 3, S, S]. Implicit, since a tensor of pictures is the plainest kind.
  Pictures(at::Tensor images_BCHW);
  /// Clean views of the stored ones: the whole image, normalised, of `view_size` pixels.
  Pictures(std::shared_ptr<const StoredPictures> stored, const augment::AugmentSettings& normalise, int64_t view_size);

  int64_t size() const { return size_; }
  /// [n, 3, S, S]. @param index_B  int64 [n]
  at::Tensor at(const at::Tensor& index_B) const;
  at::Tensor range(int64_t first, int64_t count) const;
  at::Tensor all() const { return range(0, size()); }
  /// Those at `rows_B`, int64 [n], as pictures of their own.
  Pictures subset(const at::Tensor& rows_B) const;

 private:
  at::Tensor images_BCHW_;  ///< undefined where they are rendered
  std::shared_ptr<const StoredPictures> stored_;
  augment::AugmentSettings normalise_;
  int64_t view_size_ = 0;
  at::Tensor rows_B_;  ///< of what is behind; undefined: all of it
  int64_t size_ = 0;
};

}  // namespace invaria::downstream
