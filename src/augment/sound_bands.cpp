#include "augment/sound_bands.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <vector>

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

/// Zero a part of one dimension in place, given in shares of it.
void silence(at::Tensor& power_MT, int64_t dimension, double first_share, double share) {
  const auto [first, count] = stretch_of(power_MT.size(dimension), first_share, share);
  power_MT.narrow(dimension, first, count).zero_();
}

using Parameter = std::function<double(const SoundParameters&)>;

/// One number of every view, [B, 1].
at::Tensor each(std::span<const SoundParameters> parameters, const Parameter& value) {
  std::vector<double> values;
  for (const SoundParameters& one : parameters) values.push_back(value(one));
  return at::tensor(values, at::kDouble).unsqueeze(1);
}

/// mapped() of all views.
FrameMap map_of(const at::Tensor& rate_B1, const at::Tensor& shift_B1, int64_t n) {
  const double middle = 0.5 * static_cast<double>(n - 1);
  const at::Tensor frame_1T = at::arange(n, at::kDouble).unsqueeze(0);
  const at::Tensor from_BT = (frame_1T - middle - shift_B1 * static_cast<double>(n)) * rate_B1 + middle;
  const at::Tensor below_BT = from_BT.floor();
  const at::Tensor index_BT = below_BT.to(at::kLong) + 1;
  return {index_BT.clamp(0, n + 1), (index_BT + 1).clamp(0, n + 1), (from_BT - below_BT).to(at::kFloat), true};
}

/// wrapped() of all views.
FrameMap wrap_of(const at::Tensor& shift_B1, int64_t n) {
  const at::Tensor frames_B1 = shift_B1 * static_cast<double>(n);
  const at::Tensor below_B1 = frames_B1.floor();
  const at::Tensor from_BT = at::arange(n, at::kLong).unsqueeze(0) - below_B1.to(at::kLong);
  const at::Tensor share_B1 = (frames_B1 - below_B1).to(at::kFloat);
  return {from_BT.remainder(n), (from_BT - 1).remainder(n), share_B1.expand({-1, n}).contiguous(), false};
}

at::Tensor read_by(const FrameMap& map, const at::Tensor& bands_BMT) {
  const at::Tensor from_BMT = map.has_silence ? at::constant_pad_nd(bands_BMT, {1, 1}, 0) : bands_BMT;
  const auto frames = [&](const at::Tensor& index_BT) {
    return from_BMT.gather(2, index_BT.unsqueeze(1).expand({-1, from_BMT.size(1), -1}));
  };
  const at::Tensor share_B1T = map.share_BT.unsqueeze(1);
  return frames(map.first_BT) * (1.0F - share_B1T) + frames(map.next_BT) * share_B1T;
}

/// Whether each of `n` in a row is heard, [B, n] bool; undefined where all are.
at::Tensor heard(std::span<const SoundParameters> parameters, int64_t n, const Parameter& first_share,
                 const Parameter& share) {
  at::Tensor heard_Bn = at::ones({std::ssize(parameters), n}, at::kBool);
  bool are_all = true;
  for (size_t view = 0; view < parameters.size(); ++view) {
    const auto [first, count] = stretch_of(n, first_share(parameters[view]), share(parameters[view]));
    heard_Bn[static_cast<int64_t>(view)].narrow(0, first, count).zero_();
    are_all = are_all && count == 0;
  }
  return are_all ? at::Tensor() : heard_Bn;
}

/// The same changes with every tensor that there is made anew.
template <class Change>
BandChanges each_tensor(const BandChanges& changes, const Change& change) {
  const auto changed = [&](const at::Tensor& tensor) { return tensor.defined() ? change(tensor) : tensor; };
  BandChanges made{{}, changed(changes.heard_BT), changed(changes.heard_BM)};
  for (const FrameMap& map : changes.maps)
    made.maps.push_back({changed(map.first_BT), changed(map.next_BT), changed(map.share_BT), map.has_silence});
  return made;
}

}  // namespace

double filter_semitones(const SoundParameters& parameters, const SoundAugmentSettings& settings) {
  return settings.method == SoundMethod::kSpectrogram ? -parameters.semitones : 0.0;
}

BandChanges BandChanges::of(int64_t first, int64_t count) const {
  return each_tensor(*this, [&](const at::Tensor& tensor) { return tensor.narrow(0, first, count); });
}

BandChanges BandChanges::to(c10::Device device) const {
  return each_tensor(*this, [&](const at::Tensor& tensor) { return tensor.to(device, /*non_blocking=*/true); });
}

BandChanges BandChanges::pinned() const {
  return each_tensor(*this, [](const at::Tensor& tensor) { return tensor.pin_memory(); });
}

BandChanges band_changes(std::span<const SoundParameters> parameters, const SoundAugmentSettings& settings,
                         int64_t n_bands, int64_t n_frames) {
  BandChanges changes;
  changes.heard_BM = heard(
      parameters, n_bands, [](auto& one) { return one.band_mask_first; },
      [](auto& one) { return one.band_mask_share; });
  if (settings.method != SoundMethod::kSpectrogram) return changes;
  changes.heard_BT =
      heard(parameters, n_frames, [](auto& one) { return one.mask_first; }, [](auto& one) { return one.mask_share; });
  const at::Tensor rate_B1 = each(parameters, [](auto& one) { return one.rate; });
  const at::Tensor shift_B1 = each(parameters, [](auto& one) { return one.shift; });
  const at::Tensor unwrapped_B1 = settings.shift_wraps ? at::zeros_like(shift_B1) : shift_B1;
  const bool is_mapped = (rate_B1 != 1.0).logical_or(unwrapped_B1 != 0.0).any().item<bool>();
  if (is_mapped) changes.maps.push_back(map_of(rate_B1, unwrapped_B1, n_frames));
  if (settings.shift_wraps && (shift_B1 != 0.0).any().item<bool>()) changes.maps.push_back(wrap_of(shift_B1, n_frames));
  return changes;
}

at::Tensor changed_bands(const at::Tensor& bands_BMT, const BandChanges& changes) {
  at::Tensor out_BMT = bands_BMT;
  for (const FrameMap& map : changes.maps) out_BMT = read_by(map, out_BMT);
  if (changes.heard_BT.defined()) out_BMT = at::where(changes.heard_BT.unsqueeze(1), out_BMT, 0.0F);
  if (changes.heard_BM.defined()) out_BMT = at::where(changes.heard_BM.unsqueeze(2), out_BMT, 0.0F);
  return out_BMT;
}

at::Tensor changed_bands_slowly(at::Tensor band_MT, const SoundParameters& parameters,
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
