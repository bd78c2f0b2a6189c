#include "data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/errors.hpp"
#include "core/philox.hpp"

namespace invaria::data {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kEdgePoints = 3;  ///< points a pixel and axis that decide how much of it the shape covers
constexpr int64_t kWaves = 4;

constexpr std::array kShapes = {"circle", "square", "triangle", "ring", "cross"};

struct Colour {
  const char* name;
  std::array<double, kChannels> rgb;
};
constexpr std::array<Colour, 6> kColours = {{{"red", {0.9, 0.15, 0.1}},
                                             {"green", {0.1, 0.75, 0.2}},
                                             {"blue", {0.15, 0.25, 0.95}},
                                             {"yellow", {0.95, 0.85, 0.1}},
                                             {"magenta", {0.85, 0.15, 0.8}},
                                             {"cyan", {0.1, 0.8, 0.85}}}};

struct ClassLook {
  std::string name;
  size_t shape;
  size_t colour;
};

std::vector<ClassLook> looks(const SyntheticManifest& manifest) {
  std::vector<ClassLook> classes;
  for (size_t shape = 0; shape < static_cast<size_t>(manifest.shapes); ++shape) {
    for (size_t colour = 0; colour < static_cast<size_t>(manifest.colours); ++colour) {
      classes.push_back({fmt::format("{}-{}", kShapes.at(shape), kColours.at(colour).name), shape, colour});
    }
  }
  std::sort(classes.begin(), classes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return classes;
}

/// A split's place in the address space: FNV-1a of its name.
uint64_t split_address(const std::string& split) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : split) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

/// view 0: the shape; view 1: the background.
Draws draws_of(const SyntheticManifest& manifest, const std::string& split, int64_t sample, uint32_t view) {
  return Draws({.seed = static_cast<uint64_t>(manifest.seed),
                .purpose = Purpose::kSynthetic,
                .epoch = split_address(split),
                .sample = static_cast<uint64_t>(sample),
                .view = view});
}

/// Whether a point is inside the shape of radius 1 round the origin.
bool inside(size_t shape, double x, double y) {
  switch (shape) {
    case 0:
      return x * x + y * y < 1.0;
    case 1:
      return std::max(std::abs(x), std::abs(y)) < 0.85;
    case 2:
      return y < 0.7 && y > -1.0 + 2.0 * std::abs(x);
    case 3:
      return x * x + y * y < 1.0 && x * x + y * y > 0.3;
    default:
      return std::min(std::abs(x), std::abs(y)) < 0.3 && std::max(std::abs(x), std::abs(y)) < 1.0;
  }
}

/// Plane waves of random direction, frequency and tint.
struct Background {
  struct Wave {
    double frequency_x, frequency_y, phase;
    std::array<double, kChannels> amplitude;
  };
  std::array<double, kChannels> base{};
  std::array<Wave, kWaves> waves{};

  explicit Background(Draws& draws) {
    for (double& level : base) level = draws.uniform(0.3, 0.7);
    for (Wave& wave : waves) {
      const double direction = draws.uniform(0.0, 2.0 * std::numbers::pi);
      const double frequency = 2.0 * std::numbers::pi * draws.uniform(1.0, 8.0);
      wave.frequency_x = frequency * std::cos(direction);
      wave.frequency_y = frequency * std::sin(direction);
      wave.phase = draws.uniform(0.0, 2.0 * std::numbers::pi);
      for (double& amplitude : wave.amplitude) amplitude = draws.uniform(-0.08, 0.08);
    }
  }

  std::array<double, kChannels> at(double x, double y) const {
    std::array<double, kChannels> colour = base;
    for (const Wave& wave : waves) {
      const double swing = std::sin(wave.frequency_x * x + wave.frequency_y * y + wave.phase);
      for (size_t c = 0; c < colour.size(); ++c) colour[c] += wave.amplitude[c] * swing;
    }
    return colour;
  }
};

}  // namespace

std::vector<std::string> synthetic_classes(const SyntheticManifest& manifest) {
  std::vector<std::string> names;
  for (const ClassLook& look : looks(manifest)) names.push_back(look.name);
  return names;
}

std::vector<TargetColumn> synthetic_targets() {
  return {{"target_x", TargetUnit::kPixelsX, "", "target_x"}, {"target_y", TargetUnit::kPixelsY, "", "target_y"}};
}

SyntheticSample synthetic_sample(const SyntheticManifest& manifest, const std::string& split, int64_t sample) {
  Draws draws = draws_of(manifest, split, sample, 0);
  SyntheticSample out;
  out.label = sample % (manifest.shapes * manifest.colours);
  out.centre_x = draws.uniform(0.3, 0.7);
  out.centre_y = draws.uniform(0.3, 0.7);
  out.radius = draws.uniform(0.15, 0.3);
  return out;
}

void draw_synthetic(const SyntheticManifest& manifest, const std::string& split, int64_t sample, int64_t size,
                    std::span<uint8_t> out) {
  require(std::ssize(out) == size * size * kChannels, "draw_synthetic: room for {} bytes, expected {}", out.size(),
          size * size * kChannels);
  const SyntheticSample what = synthetic_sample(manifest, split, sample);
  const ClassLook look = looks(manifest)[static_cast<size_t>(what.label)];
  Draws draws = draws_of(manifest, split, sample, 1);
  const Background background(draws);

  size_t at = 0;
  for (int64_t row = 0; row < size; ++row) {
    for (int64_t column = 0; column < size; ++column) {
      int64_t covered = 0;
      for (int64_t point = 0; point < kEdgePoints * kEdgePoints; ++point) {
        const auto along = [&](int64_t pixel, int64_t step) {
          return (static_cast<double>(pixel) + (static_cast<double>(step) + 0.5) / kEdgePoints) /
                 static_cast<double>(size);
        };
        const double x = (along(column, point % kEdgePoints) - what.centre_x) / what.radius;
        const double y = (along(row, point / kEdgePoints) - what.centre_y) / what.radius;
        if (inside(look.shape, x, y)) ++covered;
      }
      const double share = static_cast<double>(covered) / (kEdgePoints * kEdgePoints);
      const auto behind = background.at((static_cast<double>(column) + 0.5) / static_cast<double>(size),
                                        (static_cast<double>(row) + 0.5) / static_cast<double>(size));
      const double grain = draws.uniform(-0.05, 0.05);
      for (size_t c = 0; c < kChannels; ++c) {
        const double level = share * kColours.at(look.colour).rgb[c] + (1.0 - share) * behind[c] + grain;
        out[at++] = static_cast<uint8_t>(std::lround(255.0 * std::clamp(level, 0.0, 1.0)));
      }
    }
  }
}

}  // namespace invaria::data
