#include "data/decode.hpp"

#include <algorithm>

#include "core/errors.hpp"
#include "core/sound_rate.hpp"
#include "data/pack.hpp"
#include "data/parallel.hpp"
#include "io/cifar.hpp"

namespace invaria::data {
namespace {

/// The files of some samples in ascending order, each with its samples: one, or the records of a CIFAR batch.
struct SamplesByFile {
  std::vector<int64_t> files;
  std::vector<std::vector<int64_t>> samples;
};

SamplesByFile by_file(const SplitListing& split, const std::vector<int64_t>& wanted) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (const int64_t sample : wanted) pairs.emplace_back(split.samples[static_cast<size_t>(sample)].file, sample);
  std::sort(pairs.begin(), pairs.end());
  SamplesByFile out;
  for (const auto& [file, sample] : pairs) {
    if (out.files.empty() || out.files.back() != file) {
      out.files.push_back(file);
      out.samples.emplace_back();
    }
    out.samples.back().push_back(sample);
  }
  return out;
}

void decode_cifar(const Manifest& manifest, const SplitListing& split, const std::vector<int64_t>& wanted, int threads,
                  const DecodeCalls& calls) {
  const SamplesByFile batches = by_file(split, wanted);
  const auto kind = manifest.kind == DatasetKind::kCifar10 ? io::CifarKind::kCifar10 : io::CifarKind::kCifar100;
  split.files->read(batches.files, threads, [&](int64_t position, std::string_view bytes) {
    const auto at = static_cast<size_t>(position);
    const io::CifarBatch batch = io::read_cifar(bytes, kind, split.files->describe(batches.files[at]));
    constexpr int64_t kRecordPixels = io::kCifarSide * io::kCifarSide * 3;
    for (const int64_t sample : batches.samples[at]) {
      const int64_t record = split.samples[static_cast<size_t>(sample)].record;
      const auto from = batch.pixels.begin() + record * kRecordPixels;
      calls.on_sample(sample, io::Image{io::kCifarSide, io::kCifarSide, {from, from + kRecordPixels}});
    }
  });
}

}  // namespace

std::string describe_sample(const SplitListing& split, int64_t sample) {
  const Sample& found = split.samples[static_cast<size_t>(sample)];
  if (split.pack) return split.pack->describe(found.record);
  return split.files ? split.files->describe(found.file) : found.name;
}

void read_samples(const SplitListing& split, const std::vector<int64_t>& wanted, int threads,
                  const std::function<void(const std::vector<int64_t>& samples, std::string_view bytes)>& body) {
  const SamplesByFile samples = by_file(split, wanted);
  if (split.pack) {
    parallel_for(std::ssize(samples.files), threads, [&](int64_t position) {
      const auto at = static_cast<size_t>(position);
      body(samples.samples[at], split.pack->file.record(samples.files[at]));
    });
    return;
  }
  split.files->read(samples.files, threads, [&](int64_t position, std::string_view bytes) {
    body(samples.samples[static_cast<size_t>(position)], bytes);
  });
}

void decode_samples(const Manifest& manifest, const DatasetSettings& settings, const SplitListing& split,
                    const std::vector<int64_t>& wanted, int threads, const DecodeCalls& calls) {
  const bool is_cifar = manifest.kind == DatasetKind::kCifar10 || manifest.kind == DatasetKind::kCifar100;
  if (is_cifar && !split.pack) return decode_cifar(manifest, split, wanted, threads, calls);
  read_samples(split, wanted, threads, [&](const std::vector<int64_t>& samples, std::string_view bytes) {
    Decoded decoded;
    try {
      decoded = decode_file(manifest.media, bytes, describe_sample(split, samples.front()));
    } catch (const ConfigError& error) {
      calls.on_corrupt(samples.front(), error.what());
      return;
    }
    const int64_t n = n_parts(manifest.media, stored_size(decoded), settings);
    auto* sound = std::get_if<io::Sound>(&decoded);
    if (sound != nullptr && sound->rate != settings.sound.rate)  // once for all parts
      *sound = {settings.sound.rate, resampled(sound->samples, sound->rate, settings.sound.rate)};
    for (const int64_t sample : samples) {
      if (split.samples[static_cast<size_t>(sample)].part < n) calls.on_sample(sample, decoded);
    }
  });
}

}  // namespace invaria::data
