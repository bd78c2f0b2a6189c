#include "suite/unit_reader.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <limits>

#include "downstream/features.hpp"
#include "suite/clean_pictures.hpp"

namespace invaria::suite {
namespace {

/// Equal for encoders that see samples alike.
std::string views_key(const train::EncoderPlan& encoder) {
  return fmt::format("{} {} {}", encoder.settings.view_size,
                     config::json::serialize(config::write(encoder.settings.augment)),
                     config::json::serialize(config::write(encoder.settings.sound)));
}

std::string pool_key(const config::Invariance& invariance, const model::BatchNormPass& pass,
                     const downstream::TaskData& data) {
  return fmt::format("{} {} {}", data.pool_hash, config::to_string(invariance), static_cast<int>(pass.mode));
}

}  // namespace

model::BatchNormPass pass_with(const model::BatchNormStatistics* statistics) {
  return statistics != nullptr ? model::BatchNormPass::with(*statistics) : model::BatchNormPass::running();
}

UnitReader::UnitReader(const Suite& suite, const Plan& plan, const Datasets& datasets)
    : suite_(suite), plan_(plan), datasets_(datasets) {}

void UnitReader::begin(const Unit& unit) {
  unit_ = &unit;
  features_.clear();
  generated_.clear();
  estimated_.clear();
  validated_.clear();
  encoder_passes_ = 0;
}

bool UnitReader::is_few_shot() const {
  return suite_.tasks[unit_->task].kind == downstream::TaskKind::kFewShot;
}

const downstream::TaskData& UnitReader::task(int64_t repeat) {
  const train::EncoderPlan& encoder = encoder_plan();
  const std::string key = fmt::format("{} {} {}", unit_->task, repeat, views_key(encoder));
  if (key == task_key_) return task_data_;
  const downstream::TaskSettings& settings = suite_.tasks[unit_->task];
  task_data_ = downstream::make_task(settings, suite_.axes, datasets_.at(settings.data), encoder.settings.views(),
                                     static_cast<uint64_t>(suite_.seed), repeat);
  task_key_ = key;
  return task_data_;
}

Judged UnitReader::judged(int64_t repeat) {
  return {suite_.tasks[unit_->task], task(repeat), suite_.downstream, static_cast<uint64_t>(suite_.seed), repeat};
}

const model::Generated& UnitReader::generated_at(const LoadedEncoder& encoder, const config::Invariance& invariance) {
  const auto found = generated_.find(invariance);
  if (found != generated_.end()) return found->second;
  return generated_.emplace(invariance, encoder.encoder.generate(invariance)).first->second;
}

at::Tensor UnitReader::pool_features(const LoadedEncoder& encoder, const config::Invariance& invariance,
                                     const model::BatchNormPass& pass, int64_t repeat,
                                     const std::vector<const downstream::Samples*>& samples) {
  const downstream::TaskData& data = task(repeat);
  PoolFeatures& kept = features_[pool_key(invariance, pass, data)];
  if (!kept.features_BD.defined()) {
    constexpr double kUnread = std::numeric_limits<double>::quiet_NaN();
    kept.features_BD = at::full({data.pool.size(), encoder.encoder.feature_dim()}, kUnread, at::kFloat);
  }
  for (const auto& [first, count] : downstream::stretches_of(data, samples)) {
    if (kept.read.contains(first)) continue;
    const downstream::Pictures pictures = data.pool.subset(at::arange(first, first + count, at::kLong));
    kept.features_BD.narrow(0, first, count)
        .copy_(downstream::extract_features(encoder.encoder, generated_at(encoder, invariance), pass, pictures));
    kept.read.insert(first);  // not before: what failed is read again
    encoder_passes_ += count;
  }
  return kept.features_BD;
}

Read UnitReader::read_at(int64_t repeat, LoadedEncoder& encoder, const config::Invariance& invariance) {
  const auto read_with = [&](const model::BatchNormStatistics* statistics) {
    const model::BatchNormPass pass = pass_with(statistics);
    return Read{pool_features(encoder, invariance, pass, repeat, samples_to_validate(judged(repeat))), invariance,
                statistics, fmt::format("{} {}", pool_key(invariance, pass, task(repeat)), repeat)};
  };
  Read read = read_with(statistics_for(encoder, invariance));
  if (read.statistics == nullptr || !chooses_statistics(suite_, *unit_)) return read;
  Read running = read_with(nullptr);
  const double value_running = validated_of(repeat, running).value;
  return is_better(judged(repeat), value_running, validated_of(repeat, read).value) ? running : read;
}

at::Tensor UnitReader::with_test(int64_t repeat, const LoadedEncoder& encoder, const Read& read) {
  return pool_features(encoder, read.invariance, pass_with(read.statistics), repeat, {&task(repeat).test});
}

const Validated& UnitReader::validated_of(int64_t repeat, const Read& read) {
  const auto found = validated_.find(read.key);
  if (found != validated_.end()) return found->second;
  return validated_.emplace(read.key, validated(judged(repeat), read.features_BD)).first->second;
}

/// Clean pretraining pictures for re-estimation, drawn by address from the encoder's seed. Encoders with equal pictures
/// share them; only the last are kept.
const at::Tensor& UnitReader::clean_pictures() {
  const train::EncoderPlan& encoder = encoder_plan();
  const std::string key =
      fmt::format("{} {} {} {}", encoder.settings.data, encoder.settings.split, encoder.seed, views_key(encoder));
  if (key == clean_key_) return clean_images_;
  const data::DataSplit& split = datasets_.at(encoder.settings.data).split(encoder.settings.split);
  clean_images_ = suite::clean_pictures(encoder, split, suite_.downstream.batch_norm.images);
  clean_key_ = key;
  return clean_images_;
}

int64_t UnitReader::images_to_validate(int64_t repeat) {
  int64_t read = 0;
  for (const downstream::Stretch& stretch : downstream::stretches_of(task(repeat), samples_to_validate(judged(repeat))))
    read += stretch.count;
  return (chooses_statistics(suite_, *unit_) ? 2 : 1) * read + (unit_->reestimates ? n_clean_pictures() : 0);
}

int64_t UnitReader::n_clean_pictures() const {
  const train::PretrainSettings& settings = encoder_plan().settings;
  return std::min(suite_.downstream.batch_norm.images, datasets_.at(settings.data).split(settings.split).n);
}

const model::BatchNormStatistics* UnitReader::statistics_for(LoadedEncoder& encoder,
                                                             const config::Invariance& invariance) {
  if (!unit_->reestimates) return nullptr;
  if (estimated_.insert(invariance).second) encoder_passes_ += n_clean_pictures();
  const auto found = encoder.statistics.find(invariance);
  if (found != encoder.statistics.end()) return &found->second;
  return &encoder.statistics
              .emplace(invariance,
                       downstream::reestimate_statistics(encoder.encoder, generated_at(encoder, invariance),
                                                         clean_pictures(), suite_.downstream.batch_norm.batch))
              .first->second;
}

model::BatchNormStatistics UnitReader::reestimated_once(const model::Encoder& encoder,
                                                        const model::Generated& generated) {
  const at::Tensor& images = clean_pictures();
  encoder_passes_ += images.size(0);
  return downstream::reestimate_statistics(encoder, generated, images, suite_.downstream.batch_norm.batch);
}

}  // namespace invaria::suite
