#include "downstream/known_task.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>

#include "augment/render.hpp"
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

/// What every sample of one part shows.
struct Part {
  std::vector<int64_t> pictures;  ///< of the split, one a sample
  std::vector<augment::ViewParameters> parameters;
  std::vector<int64_t> labels;
};

/// Samples of one part: class = picture x combination, drawn axes from the address (task seed, repeat, sample).
class PartMaker {
 public:
  PartMaker(const KnownSettings& known, const std::vector<augment::Axis>& axes, const data::ImageSplit& split,
            std::vector<int64_t> pictures, uint64_t seed, int64_t repeat)
      : known_(known),
        axes_(axes),
        split_(split),
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
          augment::ViewParameters parameters = augment::draw(known_.augment, drawn_, split_.height, split_.width, seed_,
                                                             static_cast<uint64_t>(repeat_), sample, kFirstView + part);
          for (const augment::FixedSetting& fixed : combination)
            augment::apply(fixed, split_.height, split_.width, parameters);
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
  const KnownSettings& known_;
  const std::vector<augment::Axis>& axes_;
  const data::ImageSplit& split_;
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

std::optional<std::pair<size_t, size_t>> alike(const std::vector<augment::FixedSetting>& fixed,
                                               const augment::AugmentSettings& strengths) {
  constexpr int64_t kSide = 64;
  constexpr int64_t kViewSize = 32;
  constexpr double kGreyLevel = 1.0 / 255.0;
  std::vector<uint8_t> picture(kSide * kSide * 3);
  Draws draws({.purpose = Purpose::kSynthetic});
  for (uint8_t& value : picture) value = static_cast<uint8_t>(draws.below(256));
  const std::vector<const uint8_t*> pixels(fixed.size(), picture.data());
  std::vector<augment::ViewParameters> parameters(fixed.size(), augment::whole_frame(kSide, kSide));
  for (size_t n = 0; n < fixed.size(); ++n) augment::apply(fixed[n], kSide, kSide, parameters[n]);
  augment::AugmentSettings plain = strengths;
  plain.mean = {0.0, 0.0, 0.0};
  plain.std = {1.0, 1.0, 1.0};
  const at::Tensor shown = augment::render_views({pixels, kSide, kSide}, parameters, kViewSize, plain);
  for (size_t second = 1; second < fixed.size(); ++second) {
    for (size_t first = 0; first < second; ++first) {
      const at::Tensor difference = shown[static_cast<int64_t>(second)] - shown[static_cast<int64_t>(first)];
      if (difference.abs().max().item<double>() < kGreyLevel) return std::pair(first, second);
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
                                   const data::ImageDataset& dataset, uint64_t seed, int64_t repeat) {
  const data::ImageSplit& split = dataset.split(known.split);
  std::vector<int64_t> order(static_cast<size_t>(split.n));
  std::iota(order.begin(), order.end(), 0);
  Draws({.seed = seed, .purpose = Purpose::kTask, .epoch = static_cast<uint64_t>(repeat)}).shuffle(std::span(order));
  const int64_t wanted = n_pictures(known, axes);
  const bool colour = asks_for_colour(known.marks, axes);
  std::vector<int64_t> chosen;
  for (int64_t index : order) {
    if (static_cast<int64_t>(chosen.size()) == wanted) break;
    if (colour && mean_saturation(split.image(index).get(), split.height * split.width) < known.min_saturation)
      continue;
    chosen.push_back(index);
  }
  if (static_cast<int64_t>(chosen.size()) < wanted) {
    throw_config("known task {}: {} split {} has {} pictures{}, expected {}; lower known.classes", known.marks,
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
                         const data::ImageDataset& dataset, const augment::AugmentSettings& normalise,
                         int64_t view_size, uint64_t seed, int64_t repeat) {
  const data::ImageSplit& split = dataset.split(known.split);
  const std::vector<int64_t> pictures = draw_pictures(known, axes, dataset, seed, repeat);
  KnownSettings rendered = known;
  rendered.augment.mean = normalise.mean;
  rendered.augment.std = normalise.std;
  rendered.augment.whole_image = normalise.whole_image;
  const PartMaker maker(rendered, axes, split, pictures, seed, repeat);

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
    const data::HeldPictures held = split.images(made.pictures, at::get_num_threads());
    Samples samples;
    images.push_back(
        augment::render_views({held.pixels, split.height, split.width}, made.parameters, view_size, rendered.augment));
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
  }
  return task;
}

}  // namespace invaria::downstream
