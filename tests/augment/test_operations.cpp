// The slow operations against torchvision (golden files: tests/golden/augment/generate.py).
#include <ATen/ATen.h>

#include <boost/json.hpp>

#include "augment/measuring_operations.hpp"
#include "augment/operations.hpp"
#include "core/errors.hpp"
#include "tests/augment/golden.hpp"
#include "tests/augment/pictures.hpp"
#include "tests/support/catch.hpp"

namespace json = boost::json;
using namespace invaria;
using namespace invaria::augment;

namespace {

const AugmentSettings kDefaults;

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

at::Tensor both(double value) {
  return at::full({2}, value, at::kFloat);
}
at::Tensor both_true() {
  return at::ones({2}, at::kBool);
}

std::vector<Box> boxes(const json::object& one) {
  const auto box = json::value_to<std::vector<int64_t>>(one.at("box"));
  return std::vector<Box>(2, {box[0], box[1], box[2], box[3]});
}

double number(const json::object& one, const char* name) {
  return one.at(name).to_number<double>();
}

at::Tensor compute(const at::Tensor& input, const json::object& one) {
  const std::string operation(one.at("operation").as_string());
  if (operation == "input") return input;
  if (operation == "affine") {
    const auto translate = json::value_to<std::vector<double>>(one.at("translate"));
    return affine(input,
                  {number(one, "angle"), translate[0], translate[1], number(one, "scale"), number(one, "shear")});
  }
  if (operation == "sharpness") return adjust_sharpness(input, number(one, "factor"));
  if (operation == "resized_crop") return resized_crop(input, boxes(one), one.at("size").as_int64());
  if (operation == "resized_centre")
    return resized_centre(input, std::vector<Box>(2, {0, 0, 12, 17}), one.at("size").as_int64());
  if (operation == "resized_centre_upright") {
    const at::Tensor upright = input.transpose(2, 3).contiguous();
    return resized_centre(upright, std::vector<Box>(2, {0, 0, 17, 12}), one.at("size").as_int64());
  }
  if (operation == "horizontal_flip") return horizontal_flip(input, both_true());
  if (operation == "grayscale") return grayscale(input, both_true());
  if (operation == "brightness") return adjust_brightness(input, both(number(one, "factor")));
  if (operation == "contrast") return adjust_contrast(input, both(number(one, "factor")));
  if (operation == "saturation") return adjust_saturation(input, both(number(one, "factor")));
  if (operation == "hue") return adjust_hue(input, both(number(one, "factor")));
  if (operation == "gaussian_blur")
    return gaussian_blur(input, one.at("kernel").as_int64(), both(number(one, "sigma")));
  if (operation == "solarize") return solarize(input, number(one, "threshold"), both_true());
  if (operation == "normalise") {
    return normalise(input, json::value_to<std::vector<double>>(one.at("mean")),
                     json::value_to<std::vector<double>>(one.at("std")));
  }
  FAIL("no operation is called " << operation);
  return {};
}

ViewParameters chain_parameters(const json::object& one) {
  ViewParameters p;
  p.box = boxes(one)[0];
  p.flip = one.at("flip").as_bool();
  const auto order = json::value_to<std::vector<int>>(one.at("order"));
  for (size_t n = 0; n < 4; ++n) p.jitter_order[n] = static_cast<JitterStep>(order[n]);
  p.brightness = number(one, "brightness");
  p.contrast = number(one, "contrast");
  p.saturation = number(one, "saturation");
  p.hue = number(one, "hue");
  p.grayscale = one.at("gray").as_bool();
  p.blur_sigma = number(one, "sigma");
  p.solarize = one.at("solarize").as_bool();
  return p;
}

}  // namespace

TEST_CASE("each operation gives what torchvision gives", "[augment][golden]") {
  const Golden golden("operations");
  const at::Tensor input = golden.output(golden.cases[0].as_object());
  int compared = 0;
  for (const json::value& value : golden.cases) {
    const json::object& one = value.as_object();
    if (one.at("operation") == "chain") continue;
    INFO(json::serialize(one));
    const at::Tensor expected = golden.output(one);
    const at::Tensor found = compute(input, one);
    REQUIRE(found.sizes() == expected.sizes());
    CHECK(largest_difference(found, expected) < 1e-5);
    ++compared;
  }
  CHECK(compared > 30);
}

TEST_CASE("the chain of operations gives what torchvision's gives, slow and fused", "[augment][golden]") {
  const Golden golden("operations");
  const at::Tensor input = golden.output(golden.cases[0].as_object());
  const at::Tensor bytes = (input * 255).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous();
  const std::vector<const uint8_t*> pixels{bytes[0].data_ptr<uint8_t>(), bytes[1].data_ptr<uint8_t>()};
  const ImageBatch images{pixels, 12, 17};
  int compared = 0;
  for (const json::value& value : golden.cases) {
    const json::object& one = value.as_object();
    if (one.at("operation") != "chain") continue;
    INFO(json::serialize(one));
    const std::vector<ViewParameters> parameters(2, chain_parameters(one));
    const at::Tensor expected = golden.output(one);
    // Normalised values: 1e-5 in [0, 1] is 1e-5 / 0.224 here.
    CHECK(largest_difference(render_views_slowly(images, parameters, 14, kDefaults), expected) < 1e-5 / 0.224);
    CHECK(largest_difference(render_views(images, parameters, 14, kDefaults), expected) < 1e-5 / 0.224);
    ++compared;
  }
  CHECK(compared == 3);
}

TEST_CASE("operations obey the parameter of each image", "[augment]") {
  const at::Tensor images = at::rand({3, 3, 6, 5});
  const at::Tensor flags = at::tensor({0, 1, 0}).to(at::kBool);
  const at::Tensor factors = at::tensor({1.0f, 0.5f, 1.0f});
  const at::Tensor sigmas = at::tensor({0.0f, 1.0f, 0.0f});
  const at::Tensor turns = at::tensor({0.0f, 0.25f, 0.0f});
  const std::vector<std::pair<const char*, at::Tensor>> results{
      {"flip", horizontal_flip(images, flags)},       {"grayscale", grayscale(images, flags)},
      {"solarize", solarize(images, 0.3, flags)},     {"brightness", adjust_brightness(images, factors)},
      {"contrast", adjust_contrast(images, factors)}, {"saturation", adjust_saturation(images, factors)},
      {"blur", gaussian_blur(images, 3, sigmas)},     {"hue", adjust_hue(images, turns)}};
  for (const auto& [name, result] : results) {
    INFO(name);
    CHECK(largest_difference(result[0], images[0]) < 1e-6);
    CHECK(largest_difference(result[1], images[1]) > 0.01);
    CHECK(largest_difference(result[2], images[2]) < 1e-6);
  }
}

TEST_CASE("flipping twice is no change and hue 0 is no change", "[augment][property]") {
  const at::Tensor images = at::rand({2, 3, 7, 9});
  CHECK(at::equal(horizontal_flip(horizontal_flip(images, both_true()), both_true()), images));
  CHECK(largest_difference(adjust_hue(images, both(0.0)), images) < 1e-6);
}

TEST_CASE("a wrong shape is refused", "[augment]") {
  const at::Tensor images = at::rand({2, 3, 4, 4});
  CHECK_THROWS_AS(adjust_hue(images, at::zeros({3})), PreconditionError);
  CHECK_THROWS_AS(grayscale(at::rand({2, 1, 4, 4}), both_true()), PreconditionError);
  CHECK_THROWS_AS(resized_crop(images, std::vector<Box>(2, {0, 0, 5, 4}), 4), PreconditionError);
  CHECK_THROWS_AS(gaussian_blur(images, 4, both(1.0)), PreconditionError);
}
