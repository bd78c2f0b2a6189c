#pragma once
/// @file
/// The seam between pictures and sounds: from stored samples to what an encoder sees, whatever they are samples of.
///
/// Shape legend: B views, C channels, H rows, W columns of a view.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <variant>

#include "augment/settings.hpp"
#include "augment/sound_views.hpp"
#include "augment/view_parameters.hpp"
#include "config/stored_shape.hpp"

namespace invaria::augment {

/// All that decides how an encoder sees samples: of pictures the first two, of sounds the last.
struct ViewSettings {
  AugmentSettings pictures;
  int64_t view_size = 32;  ///< side in pixels
  SoundViewSettings sound;

  /// These strengths, with all that is not a matter of strength as `other` has it: how samples are framed, normalised
  /// and transformed.
  ViewSettings framed_as(const ViewSettings& other) const;
};

/// What is done to one sample to make one view of it.
using Parameters = std::variant<ViewParameters, SoundParameters>;

/// Makes the views of samples of one shape. Safe to use from several threads at once.
class Views {
 public:
  virtual ~Views() = default;
  virtual config::ViewShape shape() const = 0;
  /// What leaves a sample alone: whole, framed as the settings say.
  virtual Parameters plain() const = 0;
  /// The parameters of one view, see draw() of either. @throws PreconditionError for an operation on other media
  virtual Parameters draw(std::span<const Operation> active, uint64_t seed, uint64_t epoch, uint64_t sample,
                          uint32_t view) const = 0;
  /// Impose what `fixed` alters on `parameters`.
  virtual void impose(const FixedSetting& fixed, Parameters& parameters) const = 0;
  /// View n of stored sample n by parameters n: float [B, C, H, W] on the CPU.
  /// @param stored  config::StoredShape::bytes() each
  virtual at::Tensor render(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters) const = 0;
  /// The host's part of rendering on `device`: what comes back does the rest when it is called, on CUDA by the current
  /// stream, and gives the views there. `stored` is free once this returns.
  virtual std::function<at::Tensor()> begin(std::span<const uint8_t* const> stored,
                                            std::span<const Parameters> parameters, c10::Device device) const;
};

std::shared_ptr<const Views> make_views(const ViewSettings& settings, const config::StoredShape& stored);

/// What make_views() makes of samples of this shape.
config::ViewShape view_shape(const ViewSettings& settings, const config::StoredShape& stored);

}  // namespace invaria::augment
