"""Weights out and in: an export loads strictly into torchvision's and timm's networks, which then give the features that
`features` writes; `init_from` reads each published layout, and names what does not fit."""
import json
import shutil

import h5py
import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from support import run, scratch, spots_suite, write_spots

WORK = scratch()
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PLAIN = {"conditioning": "none"}
NARROW = {"width": 4}
VIT = {"backbone": "vit_tiny", "vit": {"patch": 8, "width": 48, "depth": 2}}
ENCODERS = {
    "amortised": NARROW | {"conditioning": "hypernetwork"},
    "narrow": NARROW | PLAIN,
    "resnet50": {"backbone": "resnet50", "width": 8} | PLAIN,
    "torchvision18": {"stem": "imagenet", "width": 64} | PLAIN,
    "film": NARROW | {"conditioning": "film"},
    "vit": VIT | PLAIN,
    "film-vit": VIT | {"conditioning": "film", "vit": VIT["vit"] | {"positions": "learned", "readout": "mean"}},
    "prompted-vit": VIT | {"conditioning": "prompt"},
}


def conditioned(name):
    return ENCODERS[name]["conditioning"] != "none"


def narrow_resnet(width, block, layers):
    """torchvision's ResNet with another first width and the small-image stem."""
    net = torchvision.models.ResNet(block, layers)
    net.inplanes = width
    net.conv1 = torch.nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
    net.bn1 = torch.nn.BatchNorm2d(width)
    net.maxpool = torch.nn.Identity()
    for stage, count in enumerate(layers):
        setattr(net, f"layer{stage + 1}", net._make_layer(block, width << stage, count, stride=1 if stage == 0 else 2))
    net.fc = torch.nn.Identity()
    return net


def network(name):
    if name in ("vit", "film-vit", "prompted-vit"):  # a prompt is a register token
        return timm.models.VisionTransformer(
            img_size=24, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=0,
            global_pool="avg" if name == "film-vit" else "token", reg_tokens=1 if name == "prompted-vit" else 0)
    resnet = torchvision.models.resnet
    if name == "torchvision18":
        net = resnet.resnet18()
        net.fc = torch.nn.Identity()
        return net
    if name == "resnet50":
        return narrow_resnet(8, resnet.Bottleneck, [3, 4, 6, 3])
    return narrow_resnet(4, resnet.BasicBlock, [2, 2, 2, 2])


def pictures(names):
    """The stored pictures of split test, normalised: of the size of a view, so that nothing resizes them."""
    stored = [np.asarray(Image.open(WORK / "spots/test" / name), dtype=np.float64) / 255 for name in names]
    return torch.from_numpy(((np.stack(stored) - MEAN) / STD).transpose(0, 3, 1, 2)).float()


def read_features(path):
    with h5py.File(path) as file:
        split = file["test"]
        return split["features"][()], list(split["names"].asstr()[()]), split["labels"][()], dict(file.attrs)


def take_out(output, name, *options):
    """Export and features of one encoder; both files must tell where they come from."""
    weights, features = WORK / f"{name}.safetensors", WORK / f"{name}.h5"
    common = ("--encoder", name, *options, "--data", WORK)
    for arguments in (("export", output, *common, "--output", weights),
                      ("features", output, *common, "--of", "spots", "--split", "test", "--output", features)):
        code, text = run(*arguments)
        assert code == 0, text
    return weights, features


def compare(name, weights, features):
    found, names, labels, _ = read_features(features)
    net = network(name)
    net.load_state_dict(load_file(weights), strict=True)
    net.eval()
    with torch.no_grad():
        expected = net(pictures(names)).numpy()
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()), np.abs(found - expected).max()
    assert [name.split("/")[0] for name in names] == [["blue", "red"][label] for label in labels]
    return found


write_spots(WORK / "spots", ".png")
suite = spots_suite("spots")
suite["encoder_defaults"]["pretraining"] |= {"view_size": 24}
suite["encoders"] = [{"name": name, "pretraining": {"model": model, "steps": 1 if name == "torchvision18" else 2}}
                     for name, model in ENCODERS.items()]
suite |= {"arms": ["corners"], "tasks": [{"name": "spots", "data": "spots"}]}
(WORK / "suite.json").write_text(json.dumps(suite))
OUT = WORK / "out"
code, text = run("run", WORK / "suite.json", "--output", OUT, "--data", WORK)
assert code == 0, text

at_corner = {}
for name in ENCODERS:
    options = ("--invariance", "1,0") if conditioned(name) else ()
    weights, features = take_out(OUT, name, *options)
    at_corner[name] = compare(name, weights, features)
    with safe_open(weights, "pt") as file:
        header = file.metadata()
    attributes = read_features(features)[3]
    wanted = {"encoder": name, "encoder_seed": "0", "suite": suite["name"],
              "invariance": "1,0" if conditioned(name) else "",
              "bn_statistics": "re-estimated" if name in ("amortised", "film") else "running"}
    for key, text in wanted.items():
        assert header[key] == text and attributes[key] == text, (key, header[key], attributes[key])

# Another i, other statistics: another network.
for options, kind in ((("--invariance", "0,1"), "re-estimated"), (("--invariance", "1,0", "--statistics", "running"), "running")):
    weights, features = take_out(OUT, "amortised", *options)
    assert read_features(features)[3]["bn_statistics"] == kind
    assert not np.allclose(compare("amortised", weights, features), at_corner["amortised"], rtol=1e-3)

for name in ("film", "film-vit", "prompted-vit"):
    weights, features = take_out(OUT, name, "--invariance", "0,1")
    assert not np.allclose(compare(name, weights, features), at_corner[name], rtol=1e-5), name

# What cannot be taken out is refused, and says what there is.
for options, told in ((("--encoder", "amortized"), "it has " + ", ".join(ENCODERS)),
                      (("--encoder", "amortised"), "expected 2 numbers in [0, 1]"),
                      (("--encoder", "amortised", "--invariance", "1,1.5"), "in the order spatial,appearance"),
                      (("--encoder", "amortised", "--invariance", "1,0,"), "expected 2 numbers"),
                      (("--encoder", "narrow", "--invariance", "1,0"), "is not conditioned"),
                      (("--encoder", "narrow", "--encoder-seed", "3"), "was pretrained with 0")):
    code, text = run("export", OUT, *options, "--data", WORK, "--output", WORK / "no.safetensors")
    assert code == 2 and told in text and not (WORK / "no.safetensors").exists(), text

# Weights in: each layout gives the network that was written, into a plain encoder.
plain = load_file(WORK / "narrow.safetensors")
junk = torch.zeros(3, 3)
layouts = {
    "plain": plain | {"fc.weight": junk, "fc.bias": junk[0]},
    "moco-v2": {f"module.encoder_q.{key}": value for key, value in plain.items()}
    | {f"module.encoder_k.{key}": value + 1 for key, value in plain.items()}
    | {"module.encoder_q.fc.0.weight": junk, "module.queue": junk, "module.queue_ptr": junk[0]},
    "moco-v3": {f"module.base_encoder.{key}": value for key, value in plain.items()}
    | {f"module.momentum_encoder.{key}": value + 1 for key, value in plain.items()}
    | {"module.base_encoder.fc.0.weight": junk, "module.predictor.0.weight": junk},
    "without-counts": {key: value for key, value in plain.items() if not key.endswith("num_batches_tracked")},  # torchvision's first files
    "half": {key: value.half() if value.is_floating_point() else value for key, value in plain.items()},
}


# Of a ViT: timm's, with its head; MoCo v3's, whose positions are a fixed buffer.
vit = load_file(WORK / "vit.safetensors")
vit_layouts = {
    "timm-vit": vit | {"head.weight": junk, "head.bias": junk[0]},
    "moco-v3-vit": {f"module.base_encoder.{key}": value for key, value in vit.items()}
    | {f"module.momentum_encoder.{key}": value + 1 for key, value in vit.items()}
    | {"module.base_encoder.head.0.weight": junk, "module.predictor.0.weight": junk},
}


def started_from(layout, tensors, encoder="narrow", **settings):
    """A suite whose encoder starts from the tensors and is not trained."""
    path = WORK / f"from-{layout}.safetensors"
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    defaults = suite["encoder_defaults"]["pretraining"] | {"model": PLAIN}
    own = {"model": ENCODERS[encoder], "steps": 0, "init_from": str(path)} | settings
    started = suite | {"encoder_defaults": {"pretraining": defaults}, "encoders": [{"name": encoder, "pretraining": own}]}
    (WORK / f"{layout}.json").write_text(json.dumps(started))
    return WORK / f"{layout}.json"


for layout, tensors in (layouts | vit_layouts).items():
    encoder = "vit" if layout in vit_layouts else "narrow"
    code, text = run("run", started_from(layout, tensors, encoder), "--output", WORK / f"out-{layout}", "--data", WORK)
    assert code == 0, text
    found = read_features(take_out(WORK / f"out-{layout}", encoder)[1])[0]
    tolerance = 1e-2 if layout == "half" else 1e-6
    assert np.allclose(found, at_corner[encoder], rtol=tolerance, atol=tolerance), layout

# MoCo v3's ViT-S has the tensors of timm's, in twice as many heads: it is taken only where the suite says so.
small = timm.create_model("vit_small_patch16_224", img_size=48, num_classes=0).state_dict()
small = {f"module.base_encoder.{key}": value for key, value in small.items()}
model = {"backbone": "vit_small", "conditioning": "none", "vit": {"readout": "class-token", "positions": "sincos"}}
text = run("check", started_from("moco-v3-small", small, "narrow", model=model, view_size=48), "--data", WORK)[1]
assert "which has 12 heads where vit_small has 6; set model.vit.heads to 12" in text, text
text = run("check", started_from("moco-v3-small", small, "narrow", model=model, view_size=40), "--data", WORK)[1]
assert "a multiple of the ViT's patch, 16" in text and "internal" not in text, text
model["vit"]["heads"] = 12
text = run("check", started_from("moco-v3-small", small, "narrow", model=model, view_size=48), "--data", WORK)[1]
assert "heads" not in text and "internal" not in text, text

# Conditioned ViTs take MoCo v3's as well, as the paper's does: what i does not enter is what was written.
for encoder in ("prompted-vit", "film-vit"):
    out = WORK / f"out-moco-v3-{encoder}"
    norm = ".norm." if encoder == "prompted-vit" else ".fc_norm."  # of the mean of all tokens
    tensors = {key.replace("base_encoder.norm.", f"base_encoder{norm}"): value for key, value in vit_layouts["moco-v3-vit"].items()}
    code, text = run("run", started_from(f"moco-v3-{encoder}", tensors, encoder), "--output", out, "--data", WORK)
    assert code == 0, text
    taken = load_file(take_out(out, encoder, "--invariance", "1,0")[0])
    shared = [key for key in vit if ".attn." in key or ".mlp." in key or key.startswith("patch_embed.")]
    assert len(shared) == 18 and all(torch.equal(taken[key], vit[key]) for key in shared), shared

# Features of a data set that the suite does not know, all its splits, with targets.
(WORK / "table").mkdir()
rows = ["file,split,target_x,target_y"]
for n in range(6):
    Image.fromarray(np.full((24, 24, 3), 40 * n, dtype=np.uint8)).save(WORK / f"table/{n}.png")
    rows.append(f"{n}.png,{'train' if n < 4 else 'test'},{n},{24 - n}")
(WORK / "table/index.csv").write_text("\n".join(rows))
(WORK / "table.json").write_text(json.dumps({"name": "table", "kind": "table", "splits": [{"name": "train"}, {"name": "test"}]}))
if shutil.which("nvidia-smi") is None:
    code, text = run("features", OUT, "--encoder", "narrow", "--of", "table", "--data", WORK, "--device", "cuda", "--output", WORK / "no.h5")
    assert code == 3 and "--device cuda: no GPU is seen here" in text and not (WORK / "no.h5").exists(), text
code, text = run("features", OUT, "--encoder", "narrow", "--of", "table", "--data", WORK, "--output", WORK / "table.h5")
assert code == 0, text
with h5py.File(WORK / "table.h5") as file:
    assert {name: len(file[name]["features"]) for name in ("train", "test")} == {"train": 4, "test": 2}, list(file)
    assert file["test/targets"][()].tolist() == [[4, 20], [5, 19]] and "labels" not in file["test"], file["test/targets"][()]
    assert list(file["test/names"].asstr()[()]) == ["4.png", "5.png"]
    assert not np.allclose(file["test/features"][0], file["test/features"][1])

# Strict: what is missing, unknown or of another shape is named before anything runs; so is a file that changed.
missing = {key: value for key, value in plain.items() if key != "layer2.0.conv1.weight"}
for layout, tensors, settings, told in (
        ("missing", missing, {}, "layer2.0.conv1.weight"),
        ("unknown", plain | {"layer9.0.conv1.weight": junk}, {}, "layer9.0.conv1.weight"),
        ("shape", plain | {"conv1.weight": junk}, {}, "shape [3, 3]"),
        ("foreign", {"module.encoder_q.conv1.weight": junk, "stray": junk}, {}, "stray"),
        ("changed", plain, {"init_from_hash": "0" * 64}, "expected 000")):
    code, text = run("check", started_from(layout, tensors, **settings), "--data", WORK)
    assert code == 2 and told in text and "encoders[0].pretraining.init_from" in text, text

# A hypernetwork takes them as its base kernels, and trains on.
amortised = suite | {"encoders": [{"name": "amortised", "pretraining": {
    "model": ENCODERS["amortised"], "init_from": str(WORK / "from-moco-v2.safetensors")}}]}
(WORK / "amortised.json").write_text(json.dumps(amortised))
code, text = run("run", WORK / "amortised.json", "--output", WORK / "out-amortised", "--data", WORK)
assert code == 0, text
