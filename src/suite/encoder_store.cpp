#include "suite/encoder_store.hpp"

#include <algorithm>

#include "core/errors.hpp"
#include "downstream/features.hpp"
#include "model/cost.hpp"
#include "train/pretrain.hpp"

namespace invaria::suite {

EncoderStore::EncoderStore(const Plan& plan, std::filesystem::path output, c10::Device device, int64_t most_bytes)
    : plan_(plan), output_(std::move(output)), device_(device), most_bytes_(most_bytes) {}

LoadedEncoder* EncoderStore::find(size_t index) {
  const auto found = held_.find(index);
  return found == held_.end() ? nullptr : &found->second;
}

LoadedEncoder& EncoderStore::get(size_t index) {
  ++n_gets_;
  if (LoadedEncoder* held = find(index)) {
    held->last_used = n_gets_;
    return *held;
  }
  const train::EncoderPlan& plan = plan_.encoders[index];
  const int64_t bytes = model::count_parameters(plan.settings.model, plan.n_axes(), plan.view_shape()).total() *
                        static_cast<int64_t>(sizeof(float));
  make_room(bytes);
  train::TrainedEncoder trained = train::load_encoder(plan, output_);
  const std::string hash = trained.encoder.hash();
  if (hash != trained.hash) {
    throw_config("encoder {}: its weights hash to {}, its checkpoint says {}: the file was altered", plan.key(), hash,
                 trained.hash);
  }
  trained.encoder.to(device_);
  downstream::freeze(trained.encoder);
  return held_.emplace(index, LoadedEncoder{trained.encoder, hash, bytes, n_gets_, {}}).first->second;
}

/// Drop the encoders that were used longest ago until `bytes` more fit.
void EncoderStore::make_room(int64_t bytes) {
  const auto held_bytes = [this] {
    int64_t sum = 0;
    for (const auto& [index, encoder] : held_) sum += encoder.bytes;
    return sum;
  };
  while (!held_.empty() && held_bytes() + bytes > most_bytes_) {
    held_.erase(std::min_element(held_.begin(), held_.end(),
                                 [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; }));
  }
}

}  // namespace invaria::suite
