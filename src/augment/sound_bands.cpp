#include "augment/sound_bands.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "core/errors.hpp"

namespace invaria::augment {
namespace {

/// Bands [M, T] read `rate` times as fast about the middle, later by a share of all frames; silence outside, frames
/// between two in proportion.
at::Tensor mapped(const at::Tensor& power_MT, double rate, double shift) {
  if (rate == 1.0 && shift == 0.0) return power_MT;
  const int64_t n = power_MT.size(1);
  const double middle = 0.5 * static_cast<double>(n - 1);
  const at::Tensor from_T = (at::arange(n, at::kDouble) - middle - shift * static_cast<double>(n)) * rate + middle;
  const at::Tensor below_T = from_T.floor();
  const at::Tensor padded_MT = at::constant_pad_nd(power_MT, {1, 1}, 0);  // frame k lies at k + 1
  const at::Tensor index_T = below_T.to(at::kLong) + 1;
  const at::Tensor share_T = (from_T - below_T).to(at::kFloat);
  return padded_MT.index_select(1, index_T.clamp(0, n + 1)) * (1.0F - share_T) +
         padded_MT.index_select(1, (index_T + 1).clamp(0, n + 1)) * share_T;
}

/// Bands [M, T] later by a share of all frames, what leaves at one end comes in at the other; frames between two in
/// proportion.
at::Tensor wrapped(const at::Tensor& band_MT, double shift) {
  if (shift == 0.0) return band_MT;
  const double frames = shift * static_cast<double>(band_MT.size(1));
  const auto below = static_cast<int64_t>(std::floor(frames));
  const auto share = static_cast<float>(frames - static_cast<double>(below));
  return at::roll(band_MT, below, 1) * (1.0F - share) + at::roll(band_MT, below + 1, 1) * share;
}

/// First of `n` to be silenced, and how many.
std::pair<int64_t, int64_t> mask_of(int64_t n, double first_share, double share) {
  const auto samples_of = [n](double of_all) {
    return std::clamp<int64_t>(std::llround(of_all * static_cast<double>(n)), 0, n);
  };
  const int64_t first = samples_of(first_share);
  return {first, std::min(samples_of(share), n - first)};
}

/// Zero a part of one dimension in place, given in shares of it.
void silence(at::Tensor& power_MT, int64_t dimension, double first_share, double share) {
  const auto [first, count] = mask_of(power_MT.size(dimension), first_share, share);
  power_MT.narrow(dimension, first, count).zero_();
}

using Parameter = std::function<double(const SoundParameters&)>;

/// One number of every view.
at::Tensor each(std::span<const SoundParameters> parameters, const Parameter& value) {
  std::vector<double> values;
  for (const SoundParameters& one : parameters) values.push_back(value(one));
  return at::tensor(values, at::kDouble);
}

/// Frames at `below_BT` and the next ones, of bands [B, M, T], in proportion.
at::Tensor between(const at::Tensor& bands_BMT, const at::Tensor& below_BT, const at::Tensor& next_BT,
                   const at::Tensor& share_BT) {
  const auto frames = [&](const at::Tensor& index_BT) {
    const at::Tensor index_B1T = index_BT.to(bands_BMT.device()).unsqueeze(1);
    return bands_BMT.gather(2, index_B1T.expand({-1, bands_BMT.size(1), -1}));
  };
  const at::Tensor share_B1T = share_BT.to(at::kFloat).to(bands_BMT.device()).unsqueeze(1);
  return frames(below_BT) * (1.0F - share_B1T) + frames(next_BT) * share_B1T;
}

/// mapped() of all views.
at::Tensor all_mapped(const at::Tensor& bands_BMT, const at::Tensor& rate_B, const at::Tensor& shift_B) {
  if ((rate_B == 1.0).logical_and(shift_B == 0.0).all().item<bool>()) return bands_BMT;
  const int64_t n = bands_BMT.size(2);
  const double middle = 0.5 * static_cast<double>(n - 1);
  const at::Tensor frame_1T = at::arange(n, at::kDouble).unsqueeze(0);
  const at::Tensor from_BT =
      (frame_1T - middle - (shift_B * static_cast<double>(n)).unsqueeze(1)) * rate_B.unsqueeze(1) + middle;
  const at::Tensor below_BT = from_BT.floor();
  const at::Tensor index_BT = below_BT.to(at::kLong) + 1;  // silence lies at 0 and beyond the last frame
  return between(at::constant_pad_nd(bands_BMT, {1, 1}, 0), index_BT.clamp(0, n + 1), (index_BT + 1).clamp(0, n + 1),
                 from_BT - below_BT);
}

/// wrapped() of all views.
at::Tensor all_wrapped(const at::Tensor& bands_BMT, const at::Tensor& shift_B) {
  if ((shift_B == 0.0).all().item<bool>()) return bands_BMT;
  const int64_t n = bands_BMT.size(2);
  const at::Tensor frames_B1 = (shift_B * static_cast<double>(n)).unsqueeze(1);
  const at::Tensor below_B1 = frames_B1.floor();
  const at::Tensor from_BT = at::arange(n, at::kLong).unsqueeze(0) - below_B1.to(at::kLong);
  return between(bands_BMT, from_BT.remainder(n), (from_BT - 1).remainder(n), (frames_B1 - below_B1).expand({-1, n}));
}

/// Whether each of `n` in a row is heard, [B, n] bool.
at::Tensor heard(std::span<const SoundParameters> parameters, int64_t n, const Parameter& first_share,
                 const Parameter& share) {
  at::Tensor heard_Bn = at::ones({std::ssize(parameters), n}, at::kBool);
  for (size_t view = 0; view < parameters.size(); ++view) {
    const auto [first, count] = mask_of(n, first_share(parameters[view]), share(parameters[view]));
    heard_Bn[static_cast<int64_t>(view)].narrow(0, first, count).zero_();
  }
  return heard_Bn;
}

/// `heard` broadcasts to the bands.
at::Tensor silenced(const at::Tensor& bands_BMT, const at::Tensor& heard) {
  return heard.all().item<bool>() ? bands_BMT : at::where(heard.to(bands_BMT.device()), bands_BMT, 0.0F);
}

}  // namespace

double filter_semitones(const SoundParameters& parameters, const SoundAugmentSettings& settings) {
  return settings.method == SoundMethod::kSpectrogram ? -parameters.semitones : 0.0;
}

at::Tensor finished_bands(const at::Tensor& bands_BMT, std::span<const SoundParameters> parameters,
                          const SoundAugmentSettings& settings) {
  require(bands_BMT.dim() == 3 && bands_BMT.size(0) == std::ssize(parameters),
          "finished_bands: {} views by {} parameters", bands_BMT.size(0), parameters.size());
  at::Tensor out_BMT = bands_BMT;
  if (settings.method == SoundMethod::kSpectrogram) {
    const at::Tensor shift_B = each(parameters, [](auto& one) { return one.shift; });
    const at::Tensor rate_B = each(parameters, [](auto& one) { return one.rate; });
    out_BMT = all_mapped(out_BMT, rate_B, settings.shift_wraps ? at::zeros_like(shift_B) : shift_B);
    if (settings.shift_wraps) out_BMT = all_wrapped(out_BMT, shift_B);
    const at::Tensor heard_BT = heard(
        parameters, bands_BMT.size(2), [](auto& one) { return one.mask_first; },
        [](auto& one) { return one.mask_share; });
    out_BMT = silenced(out_BMT, heard_BT.unsqueeze(1));
  }
  const at::Tensor heard_BM = heard(
      parameters, bands_BMT.size(1), [](auto& one) { return one.band_mask_first; },
      [](auto& one) { return one.band_mask_share; });
  return silenced(out_BMT, heard_BM.unsqueeze(2));
}

at::Tensor finished_bands_slowly(at::Tensor band_MT, const SoundParameters& parameters,
                                 const SoundAugmentSettings& settings) {
  if (settings.method == SoundMethod::kSpectrogram) {
    band_MT = mapped(band_MT, parameters.rate, settings.shift_wraps ? 0.0 : parameters.shift);
    if (settings.shift_wraps) band_MT = wrapped(band_MT, parameters.shift);
    silence(band_MT, 1, parameters.mask_first, parameters.mask_share);
  }
  silence(band_MT, 0, parameters.band_mask_first, parameters.band_mask_share);
  return band_MT;
}

}  // namespace invaria::augment
