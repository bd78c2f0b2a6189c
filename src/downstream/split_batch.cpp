#include "downstream/split_batch.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "core/philox.hpp"

namespace invaria::downstream {
namespace {

/// Samples that halves never part: one, or all parts of a sound.
using Whole = std::vector<int64_t>;

/// Each class's samples (one class for regression), shuffled by address.
std::vector<std::vector<Whole>> shuffled_by_class(const Samples& train, int64_t n_classes, uint64_t seed,
                                                  int64_t draw) {
  std::vector<std::vector<Whole>> members(static_cast<size_t>(std::max<int64_t>(n_classes, 1)));
  const at::Tensor labels_B = n_classes > 0 ? train.labels_B : at::zeros({train.size()}, at::kLong);
  const int64_t* labels = labels_B.const_data_ptr<int64_t>();
  const int64_t* sounds = train.sounds_B.defined() ? train.sounds_B.const_data_ptr<int64_t>() : nullptr;
  for (int64_t index = 0; index < train.size(); ++index) {
    std::vector<Whole>& of_class = members[static_cast<size_t>(labels[index])];
    const bool goes_on = sounds != nullptr && !of_class.empty() && sounds[of_class.back().back()] == sounds[index];
    if (!goes_on) of_class.emplace_back();
    of_class.back().push_back(index);
  }
  for (size_t label = 0; label < members.size(); ++label) {
    Draws draws({.seed = seed, .purpose = Purpose::kSupport, .epoch = static_cast<uint64_t>(draw), .sample = label});
    draws.shuffle(std::span(members[label]));
  }
  return members;
}

}  // namespace

bool has_lone_sample(const Samples& train, int64_t n_classes) {
  const std::vector<std::vector<Whole>> members = shuffled_by_class(train, n_classes, 0, 0);
  if (n_classes == 0) return members.front().size() < 2;
  return std::any_of(members.begin(), members.end(), [](const auto& of_class) { return of_class.size() == 1; });
}

at::Tensor SplitBatch::index_B() const {
  return at::tensor(index, at::kLong);
}

at::Tensor SplitBatch::half_B() const {
  return at::tensor(half, at::kLong);
}

SplitBatch draw_samples(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t draw) {
  const std::vector<std::vector<Whole>> members = shuffled_by_class(train, n_classes, seed, draw);
  const double share = std::min(1.0, static_cast<double>(limit) / static_cast<double>(train.size()));
  SplitBatch batch;
  for (size_t label = 0; label < members.size(); ++label) {
    const auto size = static_cast<int64_t>(members[label].size());
    if (size == 0) continue;
    const int64_t take = std::clamp<int64_t>(std::llround(share * static_cast<double>(size)), 2, size);
    // Odd classes lend their extra sample to P and Q in turn.
    const int64_t first_half = static_cast<int64_t>(label) % 2;
    for (int64_t position = 0; position < take; ++position) {
      const Whole& whole = members[label][static_cast<size_t>(position)];
      batch.index.insert(batch.index.end(), whole.begin(), whole.end());
      batch.half.insert(batch.half.end(), whole.size(), (position + first_half) % 2);
    }
  }
  return batch;
}

SplitBatch draw_views(const Samples& train, int64_t n_classes, int64_t limit, uint64_t seed, int64_t draw) {
  const double share = std::min(1.0, static_cast<double>(limit) / static_cast<double>(2 * train.size()));
  SplitBatch batch;
  for (int64_t half : {0, 1}) {
    for (const std::vector<Whole>& members : shuffled_by_class(train, n_classes, seed, draw)) {
      const auto size = static_cast<int64_t>(members.size());
      if (size == 0) continue;
      const int64_t take = std::clamp<int64_t>(std::llround(share * static_cast<double>(size)), 1, size);
      for (int64_t position = 0; position < take; ++position) {
        const Whole& whole = members[static_cast<size_t>(position)];
        batch.index.insert(batch.index.end(), whole.begin(), whole.end());
        batch.half.insert(batch.half.end(), whole.size(), half);
      }
    }
  }
  return batch;
}

at::Tensor images_of_views(const Samples& train, const SplitBatch& batch, uint64_t seed, int64_t draw) {
  constexpr uint32_t kFirstView = 32;  // 0, 1 belong to pretraining, 16 to 18 to known tasks
  const auto middle = batch.index.begin() + static_cast<ptrdiff_t>(batch.index.size() / 2);
  const auto epoch = static_cast<uint64_t>(draw);
  return at::cat({train.draw_views({batch.index.begin(), middle}, seed, epoch, kFirstView),
                  train.draw_views({middle, batch.index.end()}, seed, epoch, kFirstView + 1)});
}

}  // namespace invaria::downstream
