#include "downstream/known_task.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/errors.hpp"
#include "core/philox.hpp"
#include "core/sha256.hpp"

namespace invaria::downstream {
namespace {

bool has_colour_operation(const augment::Axis& axis) {
  return std::any_of(axis.operations.begin(), axis.operations.end(), [](augment::Operation operation) {
    return operation == augment::Operation::kColorJitter || operation == augment::Operation::kGrayscale;
  });
}

bool asks_for_colour(const std::string& marks, const std::vector<augment::Axis>& axes) {
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (marks[axis] == '0' && has_colour_operation(axes[axis])) return true;
  }
  return false;
}

/// A sample that shows what operations do: noise of all colours, or of all frequencies over a tone.
class MadeSample {
 public:
  /// @param like  of its length and rate, if they are sounds
  explicit MadeSample(const config::StoredShape& like) {
    Draws draws({.purpose = Purpose::kSynthetic});
    if (!like.are_sounds()) {
      shape_ = {.media = like.media, .height = 64, .width = 64};
      bytes_.resize(static_cast<size_t>(shape_.bytes()));
      for (uint8_t& value : bytes_) value = static_cast<uint8_t>(draws.below(256));
      return;
    }
    shape_ = like;
    bytes_.resize(static_cast<size_t>(shape_.bytes()));
    auto* values = reinterpret_cast<float*>(bytes_.data());
    for (int64_t n = 0; n < shape_.n_values; ++n)
      values[n] = static_cast<float>(0.1 * std::sin(0.3 * static_cast<double>(n)) + 0.01 * draws.normal());
  }
  const config::StoredShape& shape() const { return shape_; }
  const uint8_t* bytes() const { return bytes_.data(); }

 private:
  config::StoredShape shape_;
  std::vector<uint8_t> bytes_;
};

/// What every sample of one part shows.
struct Part {
  std::vector<int64_t> pictures;  ///< of the split, one a sample
  std::vector<augment::Parameters> parameters;
  std::vector<int64_t> labels;
};

/// Samples of one part: class = picture x combination, drawn axes from the address (task seed, repeat, sample).
class PartMaker {
 public:
  PartMaker(const KnownSettings& known, const std::vector<augment::Axis>& axes, const augment::Views& views,
            std::vector<int64_t> pictures, uint64_t seed, int64_t repeat)
      : views_(views),
        pictures_(std::move(pictures)),
        combinations_(combinations(known.marks, axes)),
        seed_(seed),
        repeat_(repeat) {
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      if (known.marks[axis] == '1')
        drawn_.insert(drawn_.end(), axes[axis].operations.begin(), axes[axis].operations.end());
    }
  }

  Part make(int64_t per_class, uint32_t part) const {
    Part made;
    int64_t label = 0;
    uint64_t sample = 0;
    for (int64_t picture : pictures_) {
      for (const Combination& combination : combinations_) {
        for (int64_t n = 0; n < per_class; ++n, ++sample) {
          augment::Parameters parameters =
              views_.draw(drawn_, seed_, static_cast<uint64_t>(repeat_), sample, kFirstView + part);
          for (const augment::FixedSetting& fixed : combination) views_.impose(fixed, parameters);
          made.pictures.push_back(picture);
          made.parameters.push_back(parameters);
          made.labels.push_back(label);
        }
        ++label;
      }
    }
    return made;
  }

  int64_t n_classes() const { return static_cast<int64_t>(pictures_.size() * combinations_.size()); }

 private:
  static constexpr uint32_t kFirstView = 16;  ///< views 0 and 1 belong to pretraining
  const augment::Views& views_;
  std::vector<int64_t> pictures_;
  std::vector<Combination> combinations_;
  std::vector<augment::Operation> drawn_;
  uint64_t seed_;
  int64_t repeat_;
};

}  // namespace

std::vector<augment::FixedSetting> asked_settings(const std::string& marks, const augment::Axis& axis) {
  std::vector<augment::FixedSetting> asked = axis.fixed_settings;
  const bool several = std::count(marks.begin(), marks.end(), '0') > 1;
  if (several && asked.size() > 2) asked.resize(2);
  return asked;
}

std::optional<std::pair<size_t, size_t>> alike(const config::StoredShape& stored,
                                               const std::vector<augment::FixedSetting>& fixed,
                                               const augment::ViewSettings& views) {
  augment::ViewSettings plain = views;
  plain.view_size = 32;
  plain.pictures.mean = {0.0, 0.0, 0.0};
  plain.pictures.std = {1.0, 1.0, 1.0};
  const MadeSample made(stored);
  const auto maker = augment::make_views(plain, made.shape());
  const std::vector<const uint8_t*> samples(fixed.size(), made.bytes());
  std::vector<augment::Parameters> parameters(fixed.size(), maker->plain());
  for (size_t n = 0; n < fixed.size(); ++n) maker->impose(fixed[n], parameters[n]);
  const at::Tensor shown = maker->render(samples, parameters);
  const double tolerance = stored.are_sounds() ? 0.01 : 1.0 / 255.0;
  for (size_t second = 1; second < fixed.size(); ++second) {
    for (size_t first = 0; first < second; ++first) {
      const at::Tensor difference = shown[static_cast<int64_t>(second)] - shown[static_cast<int64_t>(first)];
      if (difference.abs().max().item<double>() < tolerance) return std::pair(first, second);
    }
  }
  return std::nullopt;
}

std::vector<Combination> combinations(const std::string& marks, const std::vector<augment::Axis>& axes) {
  require(marks.size() == axes.size(), "combinations: {} marks for {} axes", marks.size(), axes.size());
  std::vector<Combination> all{{}};
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (marks[axis] != '0') continue;
    std::vector<Combination> longer;
    for (const Combination& shorter : all) {
      for (const augment::FixedSetting& choice : asked_settings(marks, axes[axis])) {
        longer.push_back(shorter);
        longer.back().push_back(choice);
      }
    }
    all = std::move(longer);
  }
  return all;
}

int64_t n_pictures(const KnownSettings& known, const std::vector<augment::Axis>& axes) {
  return known.classes / std::max<int64_t>(static_cast<int64_t>(combinations(known.marks, axes).size()), 1);
}

std::vector<int64_t> draw_pictures(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                                   const data::Dataset& dataset, uint64_t seed, int64_t repeat) {
  const data::DataSplit& split = dataset.split(known.split);
  std::vector<int64_t> order(static_cast<size_t>(split.n));
  std::iota(order.begin(), order.end(), 0);
  Draws({.seed = seed, .purpose = Purpose::kTask, .epoch = static_cast<uint64_t>(repeat)}).shuffle(std::span(order));
  const int64_t wanted = n_pictures(known, axes);
  const bool colour = asks_for_colour(known.marks, axes);
  std::vector<int64_t> chosen;
  for (int64_t index : order) {
    if (static_cast<int64_t>(chosen.size()) == wanted) break;
    const auto at = static_cast<size_t>(index);
    if (!split.sounds.empty() && index > 0 && split.sounds[at] == split.sounds[at - 1]) continue;  // a later part
    if (colour &&
        mean_saturation(split.sample(index).get(), split.shape.height * split.shape.width) < known.min_saturation)
      continue;
    chosen.push_back(index);
  }
  if (static_cast<int64_t>(chosen.size()) < wanted) {
    throw_config("known task {}: {} split {} has {} samples{}, expected {}; lower known.classes", known.marks,
                 dataset.name, known.split, chosen.size(),
                 colour ? fmt::format(" with a mean saturation of at least {}", known.min_saturation) : "", wanted);
  }
  return chosen;
}

double mean_saturation(const uint8_t* pixels, int64_t n_pixels) {
  double total = 0.0;
  for (int64_t pixel = 0; pixel < n_pixels; ++pixel) {
    const uint8_t* rgb = pixels + 3 * pixel;
    const int high = std::max({rgb[0], rgb[1], rgb[2]});
    const int low = std::min({rgb[0], rgb[1], rgb[2]});
    if (high > 0) total += static_cast<double>(high - low) / high;
  }
  return total / static_cast<double>(std::max<int64_t>(n_pixels, 1));
}

TaskData make_known_task(const KnownSettings& known, const std::vector<augment::Axis>& axes,
                         const data::Dataset& dataset, const augment::ViewSettings& pretraining, uint64_t seed,
                         int64_t repeat) {
  const data::DataSplit& split = dataset.split(known.split);
  const std::vector<int64_t> pictures = draw_pictures(known, axes, dataset, seed, repeat);
  const auto views = augment::make_views(known.views(pretraining), split.shape);
  const PartMaker maker(known, axes, *views, pictures, seed, repeat);

  TaskData task;
  task.n_classes = maker.n_classes();
  Sha256 hash;
  hash.update(fmt::format("known {} {} seed {} repeat {} per class {} {} {} split {}\n", known.marks, dataset.name,
                          seed, repeat, known.train_per_class, known.validation_per_class, known.test_per_class,
                          split.hash));
  for (int64_t picture : pictures) {
    task.pictures.push_back(split.names[static_cast<size_t>(picture)]);
    hash.update(task.pictures.back() + "\n");
  }
  task.split_hash = hash.hex();
  std::vector<at::Tensor> images;
  const auto render = [&](int64_t per_class, uint32_t part) {
    const Part made = maker.make(per_class, part);
    const data::HeldSamples held = split.samples(made.pictures, at::get_num_threads());
    Samples samples;
    images.push_back(views->render(held.bytes, made.parameters));
    samples.labels_B = at::tensor(made.labels, at::kLong);
    return samples;
  };
  task.train = render(known.train_per_class, 0);
  task.validation = render(known.validation_per_class, 1);
  task.test = render(known.test_per_class, 2);
  task.pool = at::cat(images);
  task.pool_hash = task.split_hash;
  int64_t first = 0;
  for (Samples* part : {&task.train, &task.validation, &task.test}) {
    part->rows_B = at::arange(first, first + part->labels_B.size(0), at::kLong);
    part->pictures = task.pool.subset(part->rows_B);
    first += part->size();
    task.stretch_ends.push_back(first);
  }
  return task;
}

}  // namespace invaria::downstream
