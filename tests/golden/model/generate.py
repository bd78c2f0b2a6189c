"""Golden values of tests/model/test_resnet_golden.cpp: features and gradients of torchvision 0.26's ResNets.

Weights, images and the loss's coefficients follow the formula below, so that only results are stored. Computed in double.
Run: python generate.py  (torch 2.11, torchvision 0.26)
"""

import json
import math
import pathlib

import numpy as np
import torch
import torchvision

SAMPLES = 6  # values stored of each gradient, evenly spaced


def noise(count, stream):
    """Pseudo-random numbers in [-1, 1): element j of a stream is 2 frac(43758.5453 sin(12.9898 j + 78.233 stream)) - 1."""
    x = np.sin(12.9898 * np.arange(count, dtype=np.float64) + 78.233 * stream) * 43758.5453
    return 2.0 * (x - np.floor(x)) - 1.0


def fill(name, tensor, stream):
    values = noise(tensor.numel(), stream)
    if tensor.dim() == 2:  # a linear layer that keeps its input's deviation
        values *= math.sqrt(3.0 / tensor.shape[1])
    elif tensor.dim() == 4:  # He-normal's deviation (fan_out), uniform
        values *= math.sqrt(6.0 / (tensor.shape[0] * tensor.shape[2] * tensor.shape[3]))
    elif name.endswith("running_var"):
        values = 1.0 + 0.5 * values
    elif name.endswith("weight"):
        values = 1.0 + 0.25 * values
    else:
        values = 0.25 * values
    # Rounded to float first: a test in float then starts from the same numbers.
    tensor.copy_(torch.from_numpy(values.astype(np.float32).astype(np.float64)).view(tensor.shape))


def rounded(values):
    return [float(f"{value:.12g}") for value in values]


def samples(tensor):
    flat = tensor.detach().flatten()
    places = [k * flat.numel() // SAMPLES for k in range(SAMPLES)]
    return {"max": rounded([flat.abs().max().item()])[0], "norm": rounded([flat.norm().item()])[0],
            "samples": rounded(flat[places].tolist())}


def generate(backbone):
    net = getattr(torchvision.models, backbone)(weights=None).double()
    net.fc = torch.nn.Identity()
    with torch.no_grad():
        for stream, (name, tensor) in enumerate(net.state_dict().items()):
            if not name.endswith("num_batches_tracked"):
                fill(name, tensor, stream)
        images = torch.from_numpy(noise(8 * 3 * 64 * 64, 1000).astype(np.float32).astype(np.float64)).view(8, 3, 64, 64)

    net.eval()
    running = net(images)
    net.train()
    features = net(images)
    coefficients = torch.from_numpy(noise(features.numel(), 1001)).view(features.shape)
    (features * coefficients).sum().backward()

    result = {
        "torchvision": torchvision.__version__.split("+")[0],
        "state": list(net.state_dict()),
        "features_running": samples(running),
        "features": samples(features),
        "gradients": {name: samples(parameter.grad) for name, parameter in net.named_parameters()},
        "buffers": {name: samples(buffer) for name, buffer in net.named_buffers() if "running" in name},
    }
    write(backbone, result)


def write(name, result):
    text = json.dumps(result)
    for key in ('"gradients"', '"buffers"', '"features', '"state"'):
        text = text.replace(f"{key}", f"\n{key}")
    text = text.replace("}, ", "},\n")
    pathlib.Path(__file__).with_name(f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    for backbone in ("resnet18", "resnet34", "resnet50"):
        generate(backbone)
