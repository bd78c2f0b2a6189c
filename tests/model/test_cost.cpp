// Sizes told from settings, against counts worked out by hand.
#include "model/cost.hpp"
#include "model/vit_layout.hpp"
#include "tests/support/catch.hpp"

namespace invaria::model {

// arXiv:2010.11929 and timm: patches of 16 pixels, 12 blocks.
TEST_CASE("vision transformers have timm's shapes, unless settings say otherwise", "[model][vit]") {
  for (const auto& [backbone, width, heads] : {std::tuple{Architecture::kVitTiny, 192, 3},
                                               {Architecture::kVitSmall, 384, 6},
                                               {Architecture::kVitBase, 768, 12}}) {
    EncoderSettings settings;
    settings.backbone = backbone;
    const VitLayout own = vit_layout(settings, 224);
    CHECK((own.patch == 16 && own.grid == 14 && own.width == width && own.depth == 12 && own.heads == heads));
    settings.vit = {.patch = 4, .width = 96, .depth = 4};
    const VitLayout given = vit_layout(settings, 32);
    CHECK((given.patch == 4 && given.grid == 8 && given.width == 96 && given.depth == 4 && given.heads == heads));
  }
}

// ResNet-18 of width 2 on 8 x 8 pictures, cifar stem of stride 1. Sides: stem and layer1 8, layer2 4, layer3 2, layer4
// 1; channels 2, 4, 8, 16.
TEST_CASE("operations and activations of a small ResNet-18 with the cifar stem are those counted by hand", "[model]") {
  const EncoderSettings settings{Architecture::kResNet18, Stem::kCifar, 1, 2, Conditioning::kHypernetwork};
  // Kernel elements times output pixels.
  const int64_t stem = 3 * 2 * 9 * 64;                                        // 3456
  const int64_t layer1 = 4 * (2 * 2 * 9 * 64);                                // 9216
  const int64_t layer2 = 2 * 4 * 9 * 16 + 3 * (4 * 4 * 9 * 16) + 2 * 4 * 16;  // with a 1x1 on the shortcut
  const int64_t layer3 = 4 * 8 * 9 * 4 + 3 * (8 * 8 * 9 * 4) + 4 * 8 * 4;
  const int64_t layer4 = 8 * 16 * 9 * 1 + 3 * (16 * 16 * 9 * 1) + 8 * 16 * 1;
  CHECK(stem + layer1 + layer2 + layer3 + layer4 == 3456 + 9216 + 8192 + 8192 + 8192);
  CHECK(flops_per_image(settings, 8) == 2.0 * 37248);

  // Channels times pixels of every convolution's output, once before its BatchNorm and once behind it.
  const int64_t outputs = 2 * 64 * (1 + 4) + 4 * 16 * (4 + 1) + 8 * 4 * (4 + 1) + 16 * 1 * (4 + 1);
  CHECK(outputs == 1200);
  CHECK(activation_bytes_per_image(settings, 8, Precision::kFloat32) == 4.0 * 2.0 * 1200);
  CHECK(activation_bytes_per_image(settings, 8, Precision::kBfloat16) == 2.0 * 2.0 * 1200);

  CHECK(feature_dim(settings) == 16);
  // Stem, convolutions, BatchNorm's two numbers a channel; then A, B and c of 19 convolutions and E of 8 blocks.
  const int64_t generated = 4 * 36 + (72 + 3 * 144 + 8) + (288 + 3 * 576 + 32) + (1152 + 3 * 2304 + 128);
  const int64_t channels = 2 * 5 + 4 * 5 + 8 * 5 + 16 * 5;
  const ParameterCounts n = count_parameters(settings, 3, 8);
  CHECK(n.dense == 54 + generated + 2 * channels + 19 * (32 * 16 + 32) + 8 * 16 * 3);
  CHECK(n.factored == 32 * generated);
}

// The same with stride 2 in the stem: sides 4, 4, 2, 1, 1 (a 3x3 of stride 2 on one pixel gives one).
TEST_CASE("a stem of stride 2 quarters all pixels while there are some", "[model]") {
  const EncoderSettings settings{Architecture::kResNet18, Stem::kCifar, 2, 2, Conditioning::kNone};
  CHECK(flops_per_image(settings, 8) == 2.0 * (54 * 16 + 144 * 16 + 512 * 4 + 2048 * 1 + 8192 * 1));
  CHECK(activation_bytes_per_image(settings, 8, Precision::kFloat32) ==
        4.0 * 2.0 * (2 * 16 * 5 + 4 * 4 * 5 + 8 * 1 * 5 + 16 * 1 * 5));
}

// Width 1 on 32 x 32 pictures: 7x7 stride 2 gives 16, max-pool 8; layers 8, 4, 2, 1; channels 1, 2, 4, 8.
TEST_CASE("the imagenet stem is counted before its max-pool, the layers behind it", "[model]") {
  const EncoderSettings settings{Architecture::kResNet18, Stem::kImagenet, 2, 1, Conditioning::kNone};
  const int64_t stem = 3 * 49 * 256, layer1 = 4 * 9 * 64;
  const int64_t layer2 = (18 + 3 * 36 + 2) * 16, layer3 = (72 + 3 * 144 + 8) * 4, layer4 = 288 + 3 * 576 + 32;
  CHECK(flops_per_image(settings, 32) == 2.0 * (stem + layer1 + layer2 + layer3 + layer4));
  CHECK(activation_bytes_per_image(settings, 32, Precision::kFloat32) ==
        4.0 * 2.0 * (256 + 64 * 4 + 2 * 16 * 5 + 4 * 4 * 5 + 8 * 5));
}

// One bottleneck of ResNet-50: 1x1, 3x3 with the stride, 1x1 to four times the width.
TEST_CASE("a ResNet-50 of width 1 on 8 x 8 pictures has the operations counted by hand", "[model]") {
  const EncoderSettings settings{Architecture::kResNet50, Stem::kCifar, 1, 1, Conditioning::kNone};
  const int64_t stem = 27 * 64;
  // First block: its input has 1 channel; shortcut 1 -> 4. Then two blocks of 4 -> 1 -> 1 -> 4.
  const int64_t layer1 = 64 * ((1 + 9 + 4 + 4) + 2 * (4 + 9 + 4));
  // The first 1x1 of a narrowing block still sees the larger side.
  const int64_t layer2 = 64 * (4 * 2) + 16 * (36 + 16 + 4 * 8) + 16 * 3 * (16 + 36 + 16);
  const int64_t layer3 = 16 * (8 * 4) + 4 * (144 + 64 + 8 * 16) + 4 * 5 * (64 + 144 + 64);
  const int64_t layer4 = 4 * (16 * 8) + 1 * (576 + 256 + 16 * 32) + 1 * 2 * (256 + 576 + 256);
  CHECK(flops_per_image(settings, 8) == 2.0 * (stem + layer1 + layer2 + layer3 + layer4));
}

// Width 8, two blocks, patches of 4 on 8 x 8 pictures: 4 patches of 48 numbers, 5 tokens.
TEST_CASE("operations and activations of a small ViT are those counted by hand", "[model]") {
  EncoderSettings settings;
  settings.backbone = Architecture::kVitTiny;
  settings.conditioning = Conditioning::kNone;
  settings.vit = {.patch = 4, .width = 8, .depth = 2, .heads = 2};
  const int64_t projection = 4 * 48 * 8;
  const int64_t linear = 5 * (8 * 24 + 8 * 8 + 8 * 32 + 32 * 8);  // q, k, v; projection; both of the MLP
  const int64_t attention = 2 * 5 * 5 * 8;                        // scores, and the mean of values
  CHECK(flops_per_image(settings, 8) == 2.0 * static_cast<double>(projection + 2 * (linear + attention)));
  CHECK(activation_bytes_per_image(settings, 8, Precision::kFloat32) == 4.0 * 2.0 * 5 * (4 * 8 + 4 * 8 + 2 * 32));
  CHECK(activation_bytes_per_image(settings, 8, Precision::kBfloat16) ==
        2.0 * 5 * (4 * (2 * 8) + 2 * (2 * 8 + 4 * 8 + 2 * 32)));
}

}  // namespace invaria::model
