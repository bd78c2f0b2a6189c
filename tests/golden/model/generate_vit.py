"""Golden values of tests/model/test_vit_golden.cpp: features and gradients of timm's vision transformers.

Weights, images and coefficients as in generate.py, so that only results are stored. Computed in double.
Run: python generate_vit.py  (torch 2.11, timm 1.0.31)
"""

import numpy as np
import timm
import torch
from timm.models.vision_transformer import VisionTransformer

from generate import fill, noise, samples, write


def generate(name, net, side, batch):
    net = net.double()
    with torch.no_grad():
        for stream, (entry, tensor) in enumerate(net.state_dict().items()):
            fill(entry, tensor, stream)
        images = noise(batch * 3 * side * side, 1000).astype(np.float32).astype(np.float64)
    features = net.train()(torch.from_numpy(images).view(batch, 3, side, side))
    coefficients = torch.from_numpy(noise(features.numel(), 1001)).view(features.shape)
    (features * coefficients).sum().backward()
    write(name, {
        "timm": timm.__version__,
        "state": list(net.state_dict()),
        "features": samples(features),
        "gradients": {entry: samples(parameter.grad) for entry, parameter in net.named_parameters()},
    })


def small(pool):
    return VisionTransformer(img_size=16, patch_size=4, embed_dim=48, depth=3, num_heads=3, num_classes=0, global_pool=pool)


generate("vit-class-token", small("token"), 16, 4)
generate("vit-mean", small("avg"), 16, 4)
for size in ("tiny", "small", "base"):
    generate(f"vit_{size}", timm.create_model(f"vit_{size}_patch16_224", img_size=48, num_classes=0), 48, 2)
