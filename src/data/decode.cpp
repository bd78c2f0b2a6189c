#include "data/decode.hpp"

#include <algorithm>

#include "core/errors.hpp"
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

void decode_one(int64_t sample, std::string_view bytes, const std::string& name, const DecodeCalls& calls) {
  io::Image image;
  try {
    image = io::decode_image(bytes, name);
  } catch (const ConfigError& error) {
    calls.on_corrupt(sample, error.what());
    return;
  }
  calls.on_picture(sample, image);
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
      calls.on_picture(sample, {io::kCifarSide, io::kCifarSide, {from, from + kRecordPixels}});
    }
  });
}

}  // namespace

std::string describe_sample(const SplitListing& split, int64_t sample) {
  const Sample& found = split.samples[static_cast<size_t>(sample)];
  if (split.pack) return split.pack->describe(found.record);
  return split.files ? split.files->describe(found.file) : found.name;
}

void read_pictures(const SplitListing& split, const std::vector<int64_t>& wanted, int threads,
                   const std::function<void(int64_t sample, std::string_view bytes)>& body) {
  if (split.pack) {
    parallel_for(std::ssize(wanted), threads, [&](int64_t position) {
      const int64_t sample = wanted[static_cast<size_t>(position)];
      body(sample, split.pack->file.record(split.samples[static_cast<size_t>(sample)].record));
    });
    return;
  }
  const SamplesByFile pictures = by_file(split, wanted);
  split.files->read(pictures.files, threads, [&](int64_t position, std::string_view bytes) {
    for (const int64_t sample : pictures.samples[static_cast<size_t>(position)]) body(sample, bytes);
  });
}

void decode_pictures(const Manifest& manifest, const SplitListing& split, const std::vector<int64_t>& wanted,
                     int threads, const DecodeCalls& calls) {
  const bool is_cifar = manifest.kind == DatasetKind::kCifar10 || manifest.kind == DatasetKind::kCifar100;
  if (is_cifar && !split.pack) return decode_cifar(manifest, split, wanted, threads, calls);
  read_pictures(split, wanted, threads, [&](int64_t sample, std::string_view bytes) {
    decode_one(sample, bytes, describe_sample(split, sample), calls);
  });
}

}  // namespace invaria::data
