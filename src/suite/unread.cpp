#include "suite/unread.hpp"

#include <algorithm>

#include "train/objective_kind.hpp"

namespace invaria::suite {
namespace {

using config::json::value;

/// A setting by its path below an entry, and why nothing reads it.
struct Unread {
  std::string path;
  std::string why;
  bool operator==(const Unread&) const = default;
};

const value* find(const value& root, const std::string& path) {
  std::string pointer = "/" + path;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  boost::system::error_code absent;
  return root.find_pointer(pointer, absent);
}

void add_all(std::vector<Unread>& unread, const std::vector<std::string>& paths, const std::string& why) {
  for (const std::string& path : paths) unread.push_back({path, why});
}

std::vector<Unread> unread_of(const downstream::TaskSettings& task, const Suite& suite) {
  using downstream::TaskKind;
  std::vector<Unread> unread;
  const std::string why = "kind is " + config::name_of(task.kind);
  if (task.kind == TaskKind::kKnown) {
    add_all(unread,
            {"train", "validation", "test", "validation_fraction", "class_every", "class_limit", "train_fraction"},
            why);
  } else {
    add_all(unread, {"known"}, why);
    // A few-shot task's validation classes are met in episodes; what chooses among epochs is cut from the base classes.
    if (!task.validation.empty() && task.kind != TaskKind::kFewShot)
      add_all(unread, {"validation_fraction"}, "validation names a split");
  }
  const config::Media media = augment::media_of(suite.axes);
  const bool are_sounds = media == config::Media::kSounds;
  const std::string of_media = "the axes alter " + config::name_of(media);
  if (are_sounds) add_all(unread, {"known.augment", "known.min_saturation"}, of_media);
  if (!are_sounds) add_all(unread, {"known.sound"}, of_media);
  add_all(unread, {"known.sound.method", "known.sound.vocoder_n_fft"}, "they are the encoder's own");
  if (task.has_classes()) add_all(unread, {"targets"}, why);
  if (!task.has_classes() || task.kind == TaskKind::kFewShot) add_all(unread, {"class_every", "class_limit"}, why);
  if (task.kind != TaskKind::kFewShot) {
    add_all(unread, {"few_shot"}, why);
  } else if (!suite.asks_for(Arm::kLearnedEpisode)) {
    add_all(unread, {"few_shot.learned_episodes"}, "no arm asks for it");
  }
  if (task.kind != TaskKind::kKeypoints) add_all(unread, {"nme_points"}, why);
  return unread;
}

std::vector<Unread> unread_of(const EncoderEntry& encoder, const Suite& suite) {
  using train::Algorithm;
  const config::Media media = augment::media_of(suite.axes);
  std::vector<Unread> unread;
  if (!encoder.pretraining.model.is_conditioned())
    add_all(unread, {"min_ones"}, "an encoder without conditioning meets one corner");
  if (!encoder.corners.empty()) add_all(unread, {"min_ones"}, "corners are named");
  if (encoder.pretraining.corners_per_step == train::CornersPerStep::kMixed)
    add_all(unread, {"corner_weights"}, "every batch has all corners");
  if (encoder.pretraining.init_from.empty()) add_all(unread, {"pretraining.init_from_hash"}, "init_from names no file");
  for (const train::UnreadSetting& setting : train::unread_settings(encoder.pretraining.objective))
    unread.push_back({"pretraining." + setting.path, setting.why});
  if (encoder.pretraining.monitor.every == 0) {
    const std::string monitor = "pretraining.monitor.";
    add_all(unread, {monitor + "data", monitor + "split", monitor + "images"}, "monitor.every is 0");
  }
  const Algorithm algorithm = encoder.pretraining.optimizer.algorithm;
  const std::string why = "algorithm is " + config::name_of(algorithm);
  const std::string at = "pretraining.optimizer.";
  const bool is_adam = algorithm == Algorithm::kAdam || algorithm == Algorithm::kAdamW;
  if (is_adam) add_all(unread, {at + "momentum"}, why);
  if (!is_adam) add_all(unread, {at + "beta1", at + "beta2", at + "epsilon"}, why);
  if (algorithm != Algorithm::kLars) add_all(unread, {at + "trust_coefficient"}, why);
  const std::string of_media = "the axes alter " + config::name_of(media);
  if (media == config::Media::kSounds) {
    add_all(unread, {"pretraining.augment", "pretraining.view_size"}, of_media);
    if (encoder.pretraining.sound.augment.method == augment::SoundMethod::kSpectrogram)
      add_all(unread, {"pretraining.sound.augment.vocoder_n_fft"}, "method is spectrogram");
  } else {
    add_all(unread, {"pretraining.sound"}, of_media);
  }
  const model::EncoderSettings& model = encoder.pretraining.model;
  const std::string of_backbone = "backbone is " + config::name_of(model.backbone);
  if (model.is_vit()) {
    add_all(unread, {"pretraining.model.stem", "pretraining.model.stem_stride", "pretraining.model.width"},
            of_backbone);
  } else {
    add_all(unread, {"pretraining.model.vit"}, of_backbone);
  }
  if (model.conditioning != model::Conditioning::kFilm)
    add_all(unread, {"pretraining.model.film"}, "conditioning is " + config::name_of(model.conditioning));
  return unread;
}

std::vector<Unread> unread_of(const data::DatasetSettings& data, const Suite& suite) {
  const config::Media media = augment::media_of(suite.axes);
  std::vector<Unread> unread;
  const std::string of_media = "the axes alter " + config::name_of(media);
  if (media == config::Media::kSounds) add_all(unread, {"size", "resize"}, of_media);
  if (media == config::Media::kPictures) add_all(unread, {"sound"}, of_media);
  if (data.sound.parts > 1) add_all(unread, {"sound.cut"}, "parts follow each other");
  if (data.sound.level == data::SoundLevel::kAsIs) add_all(unread, {"sound.level_value"}, "level is as-is");
  return unread;
}

std::vector<Unread> unread_of(const Suite& suite) {
  std::vector<Unread> unread;
  const std::string why = "no arm asks for it";
  if (!suite.learns_projected()) add_all(unread, {"downstream.projected"}, why);
  const downstream::ProjectedSettings& projected = suite.downstream.projected;
  const std::string at = "downstream.projected.";
  if (projected.descent != downstream::Descent::kAdam) {
    add_all(unread, {at + "learning_rate", at + "beta1", at + "beta2"},
            "descent is " + config::name_of(projected.descent));
  }
  const auto is_regressed = [](const auto& task) {
    return !task.has_classes() && task.kind != downstream::TaskKind::kMultiLabel;
  };
  const bool is_logistic = projected.readout == downstream::InnerReadout::kLogistic;
  if (!is_logistic) add_all(unread, {at + "l2"}, "readout is ridge");
  if (is_logistic && std::none_of(suite.tasks.begin(), suite.tasks.end(), is_regressed))
    add_all(unread, {at + "ridge"}, "readout is logistic, and no task is regressed");
  const bool descends = suite.downstream.readout.solver == downstream::Solver::kDescent;
  if (!suite.asks_for_joint() && !descends) add_all(unread, {"downstream.joint"}, why);
  if (!suite.asks_for_joint() && descends) {
    add_all(unread, {"downstream.joint.invariance_learning_rate", "downstream.joint.repeats"}, why);
  }
  const bool has_episodes = std::any_of(suite.tasks.begin(), suite.tasks.end(),
                                        [](const auto& task) { return task.kind == downstream::TaskKind::kFewShot; });
  if (descends) add_all(unread, {"downstream.readout.refit"}, "solver is descent");
  if (descends && !has_episodes)
    add_all(unread, {"downstream.readout.l2", "downstream.readout.max_passes"}, "solver is descent");
  if (!suite.asks_for(Arm::kGrid)) add_all(unread, {"downstream.grid_per_axis"}, why);
  if (suite.sensitivity.data.empty())
    add_all(unread, {"sensitivity.split", "sensitivity.images"}, "sensitivity.data names no data set");
  return unread;
}

void check(const value& given, const std::vector<Unread>& unread, const std::string& parent,
           config::Problems& problems) {
  for (const Unread& setting : unread) {
    const value* found = find(given, setting.path);
    if (found == nullptr) continue;
    problems.add(config::join_path(parent, setting.path), config::excerpt(*found),
                 fmt::format("no value: {}, so nothing reads it", setting.why), "remove it");
  }
}

/// Entries by what they give themselves; defaults, where the list has a section of them, by what no entry reads.
template <class Entry>
void check_list(const value& text, const std::string& list, const std::string& defaults,
                const std::vector<Entry>& entries, const Suite& suite, config::Problems& problems) {
  std::vector<Unread> by_none;
  for (size_t index = 0; index < entries.size(); ++index) {
    const std::vector<Unread> unread = unread_of(entries[index], suite);
    check(text.at(list).as_array().at(index), unread, fmt::format("{}[{}]", list, index), problems);
    if (index == 0) {
      by_none = unread;
    } else {
      std::erase_if(by_none, [&](const Unread& setting) {
        return std::none_of(unread.begin(), unread.end(),
                            [&](const Unread& other) { return other.path == setting.path; });
      });
    }
  }
  if (defaults.empty()) return;
  if (const value* given = find(text, defaults)) check(*given, by_none, defaults, problems);
}

}  // namespace

void check_unread(const value& text, const Suite& suite, config::Problems& problems) {
  check(text, unread_of(suite), "", problems);
  check_list(text, "data", "", suite.data, suite, problems);
  if (!suite.tasks.empty()) check_list(text, "tasks", "task_defaults", suite.tasks, suite, problems);
  if (!suite.encoders.empty()) check_list(text, "encoders", "encoder_defaults", suite.encoders, suite, problems);
}

}  // namespace invaria::suite
