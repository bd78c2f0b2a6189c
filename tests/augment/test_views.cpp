#include "augment/views.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <tuple>
#include <vector>

#include "augment/named_axes.hpp"
#include "augment/render.hpp"
#include "core/errors.hpp"
#include "core/philox.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::augment;

namespace {

constexpr config::StoredShape kPicture{.media = config::Media::kPictures, .height = 20, .width = 30};
constexpr config::StoredShape kSound{.media = config::Media::kSounds, .n_values = 4000, .rate = 8000};

std::vector<uint8_t> random_picture(uint64_t sample) {
  Draws draws({.purpose = Purpose::kTest, .sample = sample});
  std::vector<uint8_t> pixels(static_cast<size_t>(kPicture.bytes()));
  for (uint8_t& value : pixels) value = static_cast<uint8_t>(draws.below(256));
  return pixels;
}

std::vector<float> random_sound(uint64_t sample) {
  Draws draws({.purpose = Purpose::kTest, .sample = sample});
  std::vector<float> values(static_cast<size_t>(kSound.n_values));
  for (float& value : values) value = static_cast<float>(0.1 * draws.normal());
  return values;
}

const uint8_t* bytes_of(const std::vector<float>& values) {
  return reinterpret_cast<const uint8_t*>(values.data());
}

}  // namespace

TEST_CASE("views of pictures are those of render_views by the same draws", "[augment][views]") {
  ViewSettings settings;
  settings.view_size = 12;
  settings.pictures.whole_image = WholeImage::kCentreCrop;
  const auto views = make_views(settings, kPicture);
  CHECK(views->shape() == config::ViewShape(12));
  CHECK(view_shape(settings, kPicture) == views->shape());
  const std::vector<uint8_t> pixels = random_picture(1);
  const std::vector<const uint8_t*> stored{pixels.data(), pixels.data(), pixels.data()};
  const std::vector<Operation> active = active_operations(default_axes(), {1, 1});
  FixedSetting mirrored;
  mirrored.flip = true;
  std::vector<Parameters> parameters{views->plain(), views->draw(active, 3, 1, 7, 1), views->plain()};
  views->impose(mirrored, parameters[2]);

  std::vector<ViewParameters> expected{whole_frame(20, 30), draw(settings.pictures, active, 20, 30, 3, 1, 7, 1),
                                       whole_frame(20, 30)};
  expected[0].framing = expected[2].framing = WholeImage::kCentreCrop;
  expected[2].flip = true;
  const at::Tensor found = views->render(stored, parameters);
  CHECK(at::equal(found, render_views({stored, 20, 30}, expected, 12, settings.pictures)));
  CHECK_FALSE(at::equal(found[0], found[1]));
  CHECK(at::equal(found[0].flip(2), found[2]));
  CHECK_THROWS_AS(views->draw(std::vector{Operation::kNoise}, 0, 0, 0, 0), PreconditionError);
}

TEST_CASE("views of sounds are those of render_sounds by the same draws", "[augment][views][sound]") {
  ViewSettings settings;
  settings.sound.mel.bands = 40;
  const auto views = make_views(settings, kSound);
  CHECK(views->shape() == config::ViewShape(1, 40, 25));
  const std::vector<float> values = random_sound(1);
  const std::vector<const uint8_t*> stored(3, bytes_of(values));
  const std::vector<Operation> active = active_operations(named_axes(NamedAxes::kSound3), {1, 1, 1});
  FixedSetting higher;
  higher.pitch_semitones = 4;
  std::vector<Parameters> parameters{views->plain(), views->draw(active, 3, 1, 7, 1), views->plain()};
  views->impose(higher, parameters[2]);

  SoundParameters raised;
  raised.semitones = 4;
  const at::Tensor sound = at::tensor(values);
  const at::Tensor found = views->render(stored, parameters);
  CHECK(found.sizes() == at::IntArrayRef({3, 1, 40, 25}));
  CHECK(at::equal(found,
                  render_sounds({sound, sound, sound}, {{}, draw(settings.sound.augment, active, 3, 1, 7, 1), raised},
                                settings.sound.augment, settings.sound.mel, kSound.rate)));
  CHECK_FALSE(at::equal(found[0], found[1]));
  CHECK_FALSE(at::equal(found[0], found[2]));
  CHECK_THROWS_AS(views->draw(std::vector{Operation::kFlip}, 0, 0, 0, 0), PreconditionError);
}

TEST_CASE("every setting of an operation on sounds is imposed and no other", "[augment][sound]") {
  const auto all = [](const SoundParameters& p) {
    return std::tuple(p.semitones, p.rate, p.shift, p.fade_in, p.fade_out, p.fade_shape, p.noise, p.snr_dB, p.gain_dB,
                      p.mask_first, p.mask_share, p.band_mask_first, p.band_mask_share);
  };
  const std::vector<Operation> active = active_operations(named_axes(NamedAxes::kSound7), config::Invariance(7, 1.0));
  SoundAugmentSettings settings;
  settings.fade_p = 1.0;
  const SoundParameters drawn = draw(settings, active, 3, 1, 7, 1);
  const auto check = [&](const FixedSetting& fixed, const std::function<void(SoundParameters&)>& change) {
    SoundParameters found = drawn, expected = drawn;
    apply(fixed, found);
    change(expected);
    CHECK(all(found) == all(expected));
  };
  check({}, [](auto&) {});
  check({.pitch_semitones = -4}, [](auto& p) { p.semitones = -4; });
  check({.rate = 0.65}, [](auto& p) { p.rate = 0.65; });
  check({.shift = 0.25}, [](auto& p) { p.shift = 0.25; });
  check({.fade = 0.5}, [](auto& p) {
    p.fade_in = p.fade_out = 0.5;
    p.fade_shape = FadeShape::kLinear;
  });
  check({.noise = NoiseColour::kBrown, .noise_snr_dB = 5}, [](auto& p) {
    p.noise = NoiseColour::kBrown;
    p.snr_dB = 5;
  });
  check({.noise_snr_dB = 5}, [](auto&) {});  // of no noise
  check({.gain_dB = -14}, [](auto& p) { p.gain_dB = -14; });
  check({.time_mask = std::vector{0.4, 0.2}}, [](auto& p) {
    p.mask_first = 0.4;
    p.mask_share = 0.2;
  });
  check({.band_mask = std::vector{0.3, 0.1}}, [](auto& p) {
    p.band_mask_first = 0.3;
    p.band_mask_share = 0.1;
  });
}

TEST_CASE("noise that is imposed is another one in each sample and view", "[augment][sound]") {
  const ViewSettings settings;
  const auto views = make_views(settings, kSound);
  const std::vector<float> values = random_sound(1);
  const std::vector<const uint8_t*> stored(4, bytes_of(values));
  std::vector<Parameters> parameters{views->draw({}, 1, 0, 5, 0), views->draw({}, 1, 0, 6, 0),
                                     views->draw({}, 1, 0, 5, 1), views->draw({}, 1, 0, 5, 0)};
  for (Parameters& one : parameters) views->impose({.noise = NoiseColour::kWhite, .noise_snr_dB = 10}, one);
  const at::Tensor found = views->render(stored, parameters);
  CHECK_FALSE(at::equal(found[0], found[1]));
  CHECK_FALSE(at::equal(found[0], found[2]));
  CHECK(at::equal(found[0], found[3]));
}

TEST_CASE("strengths framed as another's take all from it that is no strength", "[augment][views]") {
  ViewSettings strong, other;
  strong.pictures.flip_p = 0.9;
  strong.sound.augment.pitch_semitones = 11;
  other.view_size = 48;
  other.pictures.mean = {0.1, 0.2, 0.3};
  other.pictures.std = {0.4, 0.5, 0.6};
  other.pictures.whole_image = WholeImage::kCentreCrop;
  other.sound.mel.bands = 40;
  other.sound.augment.method = SoundMethod::kWaveform;
  other.sound.augment.vocoder_n_fft = 256;
  const ViewSettings framed = strong.framed_as(other);
  CHECK(framed.pictures.flip_p == 0.9);
  CHECK(framed.sound.augment.pitch_semitones == 11);
  CHECK(framed.view_size == 48);
  CHECK(framed.pictures.mean == other.pictures.mean);
  CHECK(framed.pictures.std == other.pictures.std);
  CHECK(framed.pictures.whole_image == WholeImage::kCentreCrop);
  CHECK(framed.sound.mel.bands == 40);
  CHECK(framed.sound.augment.method == SoundMethod::kWaveform);
  CHECK(framed.sound.augment.vocoder_n_fft == 256);
}

TEST_CASE("axes of sounds name each operation once and have settings that differ", "[augment][axes][sound]") {
  for (const auto& [which, n_axes] :
       {std::pair{NamedAxes::kSound3, 3}, {NamedAxes::kSound4, 4}, {NamedAxes::kSound7, 7}}) {
    const std::vector<Axis> axes = named_axes(which);
    CHECK(std::ssize(axes) == n_axes);
    CHECK(media_of(axes) == config::Media::kSounds);
    config::Problems problems;
    validate_axes(axes, "axes", problems);
    for (const Axis& axis : axes) {
      axis.validate("axis", problems);
      CHECK(axis.fixed_settings.size() >= 2);
    }
    CHECK(problems.to_string().empty());
  }
  std::vector<Axis> mixed = named_axes(NamedAxes::kSound3);
  mixed.push_back({"flip", {Operation::kFlip}, {}});
  config::Problems problems;
  validate_axes(mixed, "axes", problems);
  REQUIRE(problems.list().size() == 1);
  CHECK(problems.list()[0].where == "axes[3].operations");
  CHECK(problems.list()[0].rule == "operations on sounds, as those of axes[0]");
}
