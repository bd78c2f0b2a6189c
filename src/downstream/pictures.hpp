#pragma once
/// @file
/// A task's pictures as an encoder sees them, made when they are asked for: at 224 pixels the 60,000 of a task would
/// fill 36 GB of every rank, where the stored ones lie once on a node.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "augment/views.hpp"
#include "data/sample_source.hpp"

namespace invaria::downstream {

/// Stored pictures or sounds of one shape, which many may refer to.
struct StoredSamples {
  std::vector<data::SampleRef> samples;
  config::StoredShape shape;
};

/// What an encoder sees of samples, by number, float, [C, H, W] each: pictures, of sounds their spectrograms. Copies
/// share what is behind them.
class Pictures {
 public:
  Pictures() = default;
  /// Held as they are: [n, C, H, W]. Implicit, since a tensor of pictures is the plainest kind.
  Pictures(at::Tensor images_BCHW);
  /// Clean views of the stored ones, see augment::Views::plain().
  Pictures(std::shared_ptr<const StoredSamples> stored, const augment::ViewSettings& views);

  int64_t size() const { return size_; }
  /// [n, C, H, W] on `device`, rendered there where they are rendered. @param index_B  int64 [n]
  at::Tensor at(const at::Tensor& index_B, c10::Device device = c10::kCPU) const;
  at::Tensor range(int64_t first, int64_t count, c10::Device device = c10::kCPU) const;
  at::Tensor all() const { return range(0, size()); }
  /// Those at `rows_B`, int64 [n], as pictures of their own.
  Pictures subset(const at::Tensor& rows_B) const;

 private:
  at::Tensor images_BCHW_;  ///< undefined where they are rendered
  std::shared_ptr<const StoredSamples> stored_;
  std::shared_ptr<const augment::Views> views_;
  at::Tensor rows_B_;  ///< of what is behind; undefined: all of it
  int64_t size_ = 0;
};

}  // namespace invaria::downstream
