"""Write operations.json and operations.f32: what torchvision 0.26 makes of two small images.

Run with the Python of scripts/setup: .deps/python/bin/python tests/golden/augment/generate.py
operations.f32 holds little-endian float32; each case of operations.json gives its parameters, its output's shape and its place there
(in floats). The input is case "input", [2, 3, 12, 17] in [0, 1]; every value is a multiple of 1/255, as decoded images have.
"""

import json
import pathlib

import torch
import torchvision
from torchvision.transforms.v2 import functional as F

assert torchvision.__version__.startswith("0.26"), torchvision.__version__
HERE = pathlib.Path(__file__).parent

generator = torch.Generator().manual_seed(20)
images = torch.randint(0, 256, (2, 3, 12, 17), generator=generator)
# Corners of the colour cube and grays: where hue and saturation degenerate.
for n, colour in enumerate([(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255),
                            (255, 0, 255), (128, 128, 128), (7, 7, 7), (10, 10, 9), (9, 10, 10)]):
    images[0, :, n, 3] = torch.tensor(colour)
# A smooth patch: neighbouring values that an antialiasing error would not hide in noise.
images[1, :, 2:9, 4:13] = (torch.arange(7)[:, None] * 18 + torch.arange(9)[None] * 11).expand(3, 7, 9)
images = images.to(torch.float32) / 255

cases, values = [], []


def add(operation, output, **parameters):
    cases.append({"operation": operation, **parameters, "shape": list(output.shape), "offset": sum(v.numel() for v in values)})
    values.append(output.contiguous().flatten())


add("input", images)
for box in [(0, 0, 12, 17), (2, 3, 9, 11), (5, 1, 3, 14), (11, 16, 1, 1), (1, 2, 8, 8)]:
    for size in (8, 13):
        top, left, height, width = box
        add("resized_crop", F.resized_crop(images, top, left, height, width, [size, size], antialias=True), box=box, size=size)
for size in (5, 8, 16):
    resized = F.resize(images, [size], antialias=True)
    add("resized_centre", F.center_crop(resized, [size, size]), size=size)
    upright = F.resize(images.transpose(2, 3), [size], antialias=True)
    add("resized_centre_upright", F.center_crop(upright, [size, size]), size=size)
add("horizontal_flip", F.horizontal_flip(images))
add("grayscale", F.rgb_to_grayscale(images, num_output_channels=3))
for factor in (0.0, 0.6, 1.4):
    add("brightness", F.adjust_brightness(images, factor), factor=factor)
    add("contrast", F.adjust_contrast(images, factor), factor=factor)
    add("saturation", F.adjust_saturation(images, factor), factor=factor)
for factor in (-0.5, -0.15, 0.0, 0.12, 0.36, 0.5):
    add("hue", F.adjust_hue(images, factor), factor=factor)
for kernel, sigma in [(3, 0.1), (3, 1.2), (5, 0.7), (9, 2.0)]:
    add("gaussian_blur", F.gaussian_blur(images, [kernel, kernel], [sigma, sigma]), kernel=kernel, sigma=sigma)
for threshold in (0.5, 0.25):
    add("solarize", F.solarize(images, threshold), threshold=threshold)
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
add("normalise", F.normalize(images, mean, std), mean=mean, std=std)

# The whole chain in its order, as transforms.v2.Compose would run it.
for box, flip, order, gray, sigma, solarize in [
    ((1, 2, 10, 13), True, [3, 1, 0, 2], False, 0.9, True),
    ((0, 4, 7, 9), False, [0, 2, 3, 1], False, 0.0, False),
    ((0, 0, 12, 17), True, [2, 3, 1, 0], True, 0.4, False),
]:
    factors = {"brightness": 1.3, "contrast": 0.7, "saturation": 1.4, "hue": -0.13}
    adjust = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    views = []
    for image in images:
        view = F.resized_crop(image, *box, [14, 14], antialias=True)
        view = F.horizontal_flip(view) if flip else view
        for step in order:
            view = adjust[step](view, list(factors.values())[step])
        view = F.rgb_to_grayscale(view, num_output_channels=3) if gray else view
        view = F.gaussian_blur(view, [3, 3], [sigma, sigma]) if sigma else view
        view = F.solarize(view, 0.5) if solarize else view
        views.append(F.normalize(view, mean, std))
    add("chain", torch.stack(views), box=box, flip=flip, order=order, **factors, gray=gray, sigma=sigma, solarize=solarize)

# What only the measuring of invariance applies.
BILINEAR = torchvision.transforms.InterpolationMode.BILINEAR
for angle, translate, scale, shear in [(0, (0, 0), 1, 0), (30, (0, 0), 1, 0), (-135, (0, 0), 1, 0), (0, (3, 0), 1, 0), (0, (-2.5, 1.25), 1, 0),
                                       (0, (0, 0), 0.4, 0), (0, (0, 0), 1.7, 0), (0, (0, 0), 1, 25), (0, (0, 0), 1, -60), (70, (1.5, -2), 1.3, 20)]:
    add("affine", F.affine(images, angle, list(translate), scale, [shear, 0.0], BILINEAR), angle=angle, translate=translate, scale=scale, shear=shear)
for factor in (0.0, 1.0, 4.0, 30.0):
    add("sharpness", F.adjust_sharpness(images, factor), factor=factor)

(HERE / "operations.f32").write_bytes(torch.cat(values).numpy().astype("<f4").tobytes())
with open(HERE / "operations.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
