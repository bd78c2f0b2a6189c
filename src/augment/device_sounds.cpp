#include "augment/device_sounds.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

namespace invaria::augment {
namespace {

constexpr int64_t kViewsAtOnce = 128;  ///< of 5 s at 16 kHz their transforms take 80 MB

at::Tensor pinned_for(c10::Device device, at::Tensor tensor) {
  return device.is_cuda() ? tensor.pin_memory() : tensor;
}

}  // namespace

PackedSounds pack_sounds(const std::vector<at::Tensor>& sounds, const std::vector<SoundParameters>& parameters,
                         const SoundAugmentSettings& settings, const MelSettings& mel, int64_t rate,
                         c10::Device device) {
  PackedSounds packed{.mel = mel};
  packed.waves_BN = pinned_for(device, altered_sounds(sounds, parameters, settings));
  packed.changes = band_changes(parameters, settings, mel.bands, packed.waves_BN.size(1) / mel.hop);
  if (device.is_cuda()) packed.changes = packed.changes.pinned();
  const bool are_moved = std::any_of(parameters.begin(), parameters.end(), [&](const SoundParameters& one) {
    return filter_semitones(one, settings) != 0.0;
  });
  packed.n_filters = are_moved ? std::ssize(parameters) : 1;
  std::vector<int64_t> index;
  std::vector<float> weight;
  const int64_t n_frequencies = mel.n_fft / 2 + 1;
  for (int64_t view = 0; view < packed.n_filters; ++view) {
    const BandedFilters filters =
        banded_mel_filters(mel, rate, filter_semitones(parameters[static_cast<size_t>(view)], settings));
    for (int64_t band = 0; band < mel.bands; ++band) {
      const auto at = static_cast<size_t>(band);
      for (int64_t k = 0; k < filters.begin[at + 1] - filters.begin[at]; ++k)
        index.push_back((view * n_frequencies + filters.first[at] + k) * mel.bands + band);
    }
    weight.insert(weight.end(), filters.weights.begin(), filters.weights.end());
  }
  packed.filter_index = pinned_for(device, at::tensor(index, at::kLong));
  packed.filter_weight = pinned_for(device, at::tensor(weight, at::kFloat));
  return packed;
}

at::Tensor render_packed(const PackedSounds& packed, c10::Device device) {
  const at::NoGradGuard no_grad;
  const auto there = [&](const at::Tensor& tensor) { return tensor.to(device, /*non_blocking=*/true); };
  const MelSettings& mel = packed.mel;
  const int64_t n_views = packed.waves_BN.size(0), n_frames = packed.waves_BN.size(1) / mel.hop;
  const at::Tensor waves_BN = there(packed.waves_BN);
  const BandChanges changes = packed.changes.to(device);
  at::Tensor filters_BFM = at::zeros({packed.n_filters, mel.n_fft / 2 + 1, mel.bands}, waves_BN.options());
  filters_BFM.view(-1).index_put_({there(packed.filter_index)}, there(packed.filter_weight));
  at::Tensor views_BCMT = at::empty({n_views, mel.n_channels(), mel.bands, n_frames}, waves_BN.options());
  for (int64_t first = 0; first < n_views; first += kViewsAtOnce) {
    const int64_t count = std::min(kViewsAtOnce, n_views - first);
    const at::Tensor own_BFM = packed.n_filters == 1 ? filters_BFM : filters_BFM.narrow(0, first, count);
    const std::vector<at::Tensor> channels =
        channels_of(framed_transform(waves_BN.narrow(0, first, count), mel, n_frames), mel);
    for (size_t channel = 0; channel < channels.size(); ++channel) {
      const at::Tensor bands_BMT = at::matmul(own_BFM.transpose(1, 2), channels[channel].transpose(1, 2));
      views_BCMT.narrow(0, first, count)
          .select(1, static_cast<int64_t>(channel))
          .copy_(scaled_channel(channel, changed_bands(bands_BMT, changes.of(first, count)), mel));
    }
  }
  return views_BCMT;
}

}  // namespace invaria::augment
