#include "augment/views.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "augment/device_sounds.hpp"
#include "augment/device_views.hpp"
#include "augment/render.hpp"
#include "core/errors.hpp"

namespace invaria::augment {
namespace {

template <class Of>
std::vector<Of> all_as(std::span<const Parameters> parameters) {
  std::vector<Of> all;
  all.reserve(parameters.size());
  for (const Parameters& one : parameters) all.push_back(std::get<Of>(one));
  return all;
}

class PictureViews : public Views {
 public:
  PictureViews(const ViewSettings& settings, const config::StoredShape& stored)
      : settings_(settings.pictures), stored_(stored), shape_(settings.view_size) {}

  config::ViewShape shape() const override { return shape_; }

  Parameters plain() const override {
    ViewParameters parameters = whole_frame(stored_.height, stored_.width);
    parameters.framing = settings_.whole_image;
    return parameters;
  }

  Parameters draw(std::span<const Operation> active, uint64_t seed, uint64_t epoch, uint64_t sample,
                  uint32_t view) const override {
    return augment::draw(settings_, active, stored_.height, stored_.width, seed, epoch, sample, view);
  }

  void impose(const FixedSetting& fixed, Parameters& parameters) const override {
    apply(fixed, stored_.height, stored_.width, std::get<ViewParameters>(parameters));
  }

  at::Tensor render(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters) const override {
    return render_views({stored, stored_.height, stored_.width}, all_as<ViewParameters>(parameters), shape_.height,
                        settings_);
  }

  std::function<at::Tensor()> begin(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters,
                                    c10::Device device) const override {
    if (!device.is_cuda()) return Views::begin(stored, parameters, device);
    return [packed = pack_views({stored, stored_.height, stored_.width}, all_as<ViewParameters>(parameters),
                                shape_.height, settings_, device),
            device] { return render_packed(packed, device); };
  }

 private:
  AugmentSettings settings_;
  config::StoredShape stored_;
  config::ViewShape shape_;
};

class SoundViews : public Views {
 public:
  SoundViews(const ViewSettings& settings, const config::StoredShape& stored)
      : settings_(settings.sound), stored_(stored) {}

  config::ViewShape shape() const override {
    return {settings_.mel.n_channels(), settings_.mel.bands, stored_.n_values / settings_.mel.hop};
  }

  Parameters plain() const override { return SoundParameters(); }

  Parameters draw(std::span<const Operation> active, uint64_t seed, uint64_t epoch, uint64_t sample,
                  uint32_t view) const override {
    return augment::draw(settings_.augment, active, seed, epoch, sample, view);
  }

  void impose(const FixedSetting& fixed, Parameters& parameters) const override {
    apply(fixed, std::get<SoundParameters>(parameters));
  }

  at::Tensor render(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters) const override {
    return render_sounds(sounds(stored), all_as<SoundParameters>(parameters), settings_.augment, settings_.mel,
                         stored_.rate);
  }

  std::function<at::Tensor()> begin(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters,
                                    c10::Device device) const override {
    if (!device.is_cuda()) return Views::begin(stored, parameters, device);
    return [packed = pack_sounds(sounds(stored), all_as<SoundParameters>(parameters), settings_.augment, settings_.mel,
                                 stored_.rate, device),
            device] { return render_packed(packed, device); };
  }

 private:
  std::vector<at::Tensor> sounds(std::span<const uint8_t* const> stored) const {
    std::vector<at::Tensor> sounds;
    for (const uint8_t* bytes : stored) {
      // What lies there is read only.
      auto* values = const_cast<float*>(reinterpret_cast<const float*>(bytes));
      sounds.push_back(at::from_blob(values, {stored_.n_values}, at::kFloat));
    }
    return sounds;
  }

  SoundViewSettings settings_;
  config::StoredShape stored_;
};

}  // namespace

ViewSettings ViewSettings::framed_as(const ViewSettings& other) const {
  ViewSettings framed = *this;
  framed.view_size = other.view_size;
  framed.pictures.mean = other.pictures.mean;
  framed.pictures.std = other.pictures.std;
  framed.pictures.whole_image = other.pictures.whole_image;
  framed.sound.mel = other.sound.mel;
  framed.sound.augment.method = other.sound.augment.method;
  framed.sound.augment.vocoder_n_fft = other.sound.augment.vocoder_n_fft;
  return framed;
}

std::function<at::Tensor()> Views::begin(std::span<const uint8_t* const> stored, std::span<const Parameters> parameters,
                                         c10::Device device) const {
  at::Tensor views_BCHW = render(stored, parameters);
  if (device.is_cuda()) views_BCHW = views_BCHW.pin_memory();  // then the host need not wait for the copy
  return [views_BCHW, device] { return views_BCHW.to(device, /*non_blocking=*/true); };
}

std::shared_ptr<const Views> make_views(const ViewSettings& settings, const config::StoredShape& stored) {
  if (stored.are_sounds()) return std::make_shared<SoundViews>(settings, stored);
  return std::make_shared<PictureViews>(settings, stored);
}

config::ViewShape view_shape(const ViewSettings& settings, const config::StoredShape& stored) {
  return make_views(settings, stored)->shape();
}

}  // namespace invaria::augment
