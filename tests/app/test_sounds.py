"""Suites of sounds from the outside: a small one runs to its end, alike on one and two ranks and from packs, its features and weights
come out, and what does not fit sounds is refused before any work."""
import json
import math
import wave

import h5py
import numpy as np
from safetensors import safe_open

from support import SOURCE, TIMES_AND_PLACES, jobs, run, scratch

WORK = scratch()
RATE = 4000


def write_calls():
    """Two classes of tones, low and high, of different lengths; each of 12 to learn from and 6 to judge by."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 6)):
        for name, hertz in (("low", 300), ("high", 900)):
            folder = WORK / "calls" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                n = RATE * (2 + number % 4) // 8
                tone = np.sin(2 * math.pi * hertz * (1 + 0.05 * rng.standard_normal()) * np.arange(n) / RATE) + 0.1 * rng.standard_normal(n)
                with wave.open(str(folder / f"{number:02}.wav"), "wb") as file:
                    file.setparams((1, 2, RATE, 0, "NONE", ""))
                    file.writeframes((8000 * tone).astype("<i2").tobytes())
    manifest = {"name": "calls", "kind": "image-folder", "media": "sounds", "classes": 2,
                "splits": [{"name": "train", "path": "train", "count": 24}, {"name": "test", "path": "test", "count": 12}]}
    (WORK / "calls.json").write_text(json.dumps(manifest))


SUITE = {
    "name": "sounds",
    "axes": "sound-k3",
    "data": [{"name": "calls", "sound": {"rate": RATE, "seconds": 0.25, "parts": 3}}],
    "encoder_defaults": {"pretraining": {
        "data": "calls", "steps": 4, "global_batch": 12, "model": {"width": 4, "conditioning": "none"}, "projection": {"hidden": 8, "out": 8},
        "sound": {"mel": {"n_fft": 256, "window": 200, "hop": 50, "bands": 24}}}},
    "encoders": [
        {"name": "amortised", "corners": ["001", "110", "111"], "corner_weights": [1, 1, 2], "pretraining": {"model": {"conditioning": "hypernetwork"}}},
        {"name": "fixed-111"},
    ],
    "tasks": [
        {"name": "calls", "data": "calls"},
        {"name": "known-011", "kind": "known", "data": "calls",
         "known": {"marks": "011", "classes": 20, "train_per_class": 2, "validation_per_class": 2, "test_per_class": 2}},
    ],
    "arms": ["learned-projected", "learned-joint", "corners", "centre"],
    "repeats": 2,
    "downstream": {"bn_statistics": "validated", "batch_norm": {"images": 24, "batch": 24}, "bootstrap": 20,
                   "projected": {"steps": 3}, "joint": {"epochs": 2}},
    "sensitivity": {"data": "calls", "images": 12},
}


def write(name, edit=lambda suite: None):
    suite = json.loads(json.dumps(SUITE))
    edit(suite)
    path = WORK / f"{name}.json"
    path.write_text(json.dumps(suite))
    return path


write_calls()
suite = write("suite")
code, text = run("check", suite, "--decode")
assert code == 0, text
code, text = run("plan", suite, "--ranks", 2)
assert code == 0 and "fixed-111" in text, text
code, text = run("run", suite, "--output", WORK / "two", ranks=2)
assert code == 0 and "VALID" in text, text
table = jobs(WORK / "two")
assert (table["status"] == "finished").all() and len(table) == 2 * (2 * (8 + 1 + 1) + 2) + 2 * 2, len(table)  # joint in one repeat, with its own readout
# Statistics are chosen job by job; what learned-joint reads by its own readout are the running ones.
amortised = table[table["encoder"] == "amortised"]
assert set(amortised["bn_statistics"]) == {"running", "re-estimated"}, amortised["bn_statistics"].value_counts()
assert ((amortised["bn_statistics"] == "re-estimated") == (amortised["bn_hash"] != "")).all()
assert set(table[table["encoder"] == "fixed-111"]["bn_statistics"]) == {"running"}
with h5py.File(WORK / "two" / "results.h5") as results:
    assert [name.decode() for name in results["axis"][()]] == ["pitch", "time", "noise"]
    names = {name.decode() for name in results["transformation"][()]}
    assert names == {"pitch 4", "rate 1.6", "shift .25", "noise 10 dB", "gain -14 dB", "fade", "time mask", "band mask"}, names
code, text = run("verify", WORK / "two")
assert code == 0 and text.splitlines()[-1].startswith("VALID"), text

# The choice is the better of the two on validation: each alone is never better than what was chosen.
values = {}
for statistics in ("running", "re-estimated"):
    code, text = run("run", suite, "--set", f"downstream.bn_statistics={statistics}", "--output", WORK / statistics, ranks=2)
    assert code == 0, text
    alone = jobs(WORK / statistics)
    values[statistics] = alone[(alone["encoder"] == "amortised") & (alone["metric"] == "top1")].set_index(["arm", "task", "repeat"])
chosen = amortised[amortised["metric"] == "top1"].set_index(["arm", "task", "repeat"])
for key, row in chosen.iterrows():
    if key[0].startswith("learned"):
        continue  # their i may be another
    both = {name: rows.loc[key] for name, rows in values.items()}
    better = "running" if both["running"]["validation_value"] > both["re-estimated"]["validation_value"] else "re-estimated"
    assert row["bn_statistics"] == better and row["value"] == both[better]["value"], (key, row, both)

# One rank, and packed files that are streamed, give the same jobs; only where and how long differ.
code, text = run("run", suite, "--output", WORK / "one", ranks=1)
assert code == 0, text
one = jobs(WORK / "one").set_index("job_id").sort_index()
two = table.set_index("job_id").sort_index()
assert (one.index == two.index).all()
assert (one["split_hash"] == two["split_hash"]).all()
code, text = run("data", "pack", "calls", "--data", WORK, "--output", WORK / "packed")
assert code == 0, text
(WORK / "packed" / "calls.json").write_text((WORK / "calls.json").read_text())
elsewhere = WORK / "elsewhere"
elsewhere.mkdir()
streamed = elsewhere / "streamed.json"
streamed.write_text(write("streamed", lambda suite: suite["data"][0].update(stream=True)).read_text())
code, text = run("run", streamed, "--data", WORK / "packed", "--output", WORK / "streamed", ranks=2)
assert code == 0, text
packed = jobs(WORK / "streamed").sort_values(["encoder", "arm", "task", "repeat", "metric"]).reset_index(drop=True)
files = table.sort_values(["encoder", "arm", "task", "repeat", "metric"]).reset_index(drop=True)
same = [name for name in files if name not in TIMES_AND_PLACES | {"job_id", "split_hash", "encoder_passes"}]
for name in same:
    assert packed[name].equals(files[name]), name

# Features with the sounds that parts belong to, and weights with one input channel.
code, text = run("features", WORK / "two", "--encoder", "amortised", "--invariance", "1,0,1", "--of", "calls", "--statistics", "running",
                 "--data", WORK, "--output", WORK / "features.h5")
assert code == 0, text
with h5py.File(WORK / "features.h5") as features:
    train = features["train"]
    names = [name.decode() for name in train["names"][()]]
    sounds = train["sounds"][()]
    assert train["features"].shape[0] == len(names) == len(sounds) > 24
    stems = [name.rsplit("#", 1)[0] for name in names]
    assert len(set(stems)) == 24 == len(set(sounds)) and len(set(zip(stems, sounds))) == 24
code, text = run("features", WORK / "two", "--encoder", "amortised", "--invariance", "1,0,1", "--of", "calls", "--data", WORK, "--output", WORK / "no.h5")
assert code == 2 and "say running or re-estimated" in text, text
code, text = run("export", WORK / "two", "--encoder", "amortised", "--invariance", "1,0,1", "--statistics", "re-estimated", "--data", WORK,
                 "--output", WORK / "weights.safetensors")
assert code == 0, text
with safe_open(WORK / "weights.safetensors", "np") as weights:
    assert weights.get_tensor("conv1.weight").shape == (4, 1, 3, 3)
code, text = run("measure", WORK / "two", "--set", "data=calls", "--data", WORK)
assert code == 2 and "a run of sounds" in text, text

# A table of one's own sounds; every operation an axis, in the waveform; three channels; episodes, also with an i of their own.
rows = ["file,split,class"]
for name, hertz in (("a", 200), ("b", 400), ("c", 800), ("d", 1600)):
    for number in range(8):
        n = RATE * (1 + number % 2) // 8
        rows.append(f"{name}{number}.wav,{'train' if number < 4 else 'test'},{name}")
        (WORK / "table").mkdir(exist_ok=True)
        with wave.open(str(WORK / "table" / f"{name}{number}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((8000 * np.sin(2 * math.pi * hertz * (1 + 0.02 * number) * np.arange(n) / RATE)).astype("<i2").tobytes())
(WORK / "table" / "index.csv").write_text("\n".join(rows))
(WORK / "table.json").write_text(json.dumps({
    "name": "table", "kind": "table", "media": "sounds", "classes": 4, "splits": [{"name": "train"}, {"name": "test"}]}))


def every_axis(suite):
    suite["name"], suite["axes"] = "table", "sound-k7"
    suite["data"] = [{"name": "table", "sound": {"rate": RATE, "seconds": 0.125, "parts": 2}}]
    pretraining = suite["encoder_defaults"]["pretraining"]
    pretraining |= {"data": "table", "global_batch": 8}
    pretraining["sound"]["mel"]["channels"] = "power-magnitude-phase"
    pretraining["sound"]["augment"] = {"method": "waveform", "vocoder_n_fft": 256}
    suite["encoders"] = [{"name": "amortised", "corners": ["1111111", "1000000"], "pretraining": {"model": {"conditioning": "hypernetwork"}}}]
    suite["tasks"] = [
        {"name": "known", "kind": "known", "data": "table",
         "known": {"marks": "01-----", "classes": 20, "train_per_class": 2, "validation_per_class": 1, "test_per_class": 1}},
        {"name": "episodes", "kind": "few-shot", "data": "table",
         "few_shot": {"ways": 2, "shots": 2, "queries": 2, "novel_classes": 2, "episodes": 10, "validation_episodes": 4, "learned_episodes": 2}},
    ]
    suite["arms"], suite["repeats"] = ["learned-projected", "learned-episode", "centre"], 1
    suite["downstream"] = {"bootstrap": 20, "projected": {"steps": 2}, "batch_norm": {"images": 8, "batch": 8}}
    del suite["sensitivity"]


code, text = run("run", write("every-axis", every_axis), "--data", WORK, "--output", WORK / "every-axis", ranks=2)
assert code == 0 and "VALID" in text, text
table = jobs(WORK / "every-axis")
assert (table["status"] == "finished").all() and set(table["arm"]) == {"learned-projected", "learned-episode", "centre"}, table
assert set(table[table["arm"] == "learned-episode"]["task"]) == {"episodes"}

# What does not fit is refused before any work, where it is.
def put(path, value):
    def edit(suite):
        at = suite
        *way, last = path.split(".")
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        at[int(last) if isinstance(at, list) else last] = value
    return edit


REFUSED = [
    (put("axes", "k2"), ["data[0].name", "a data set of pictures", "sound-k3"]),
    (put("data.0.name", "caltech101-sample"), ["data[0].name", "a data set of sounds"]),
    (put("data.0.size", 32), ["data[0].size", "the axes alter sounds"]),
    (put("data.0.sound.cut", "start"), ["data[0].sound.cut", "parts follow each other"]),
    (put("data.0.sound.rate", 4), ["data[0].sound.rate: found 4"]),
    (put("encoder_defaults.pretraining.view_size", 32), ["pretraining.view_size", "the axes alter sounds"]),
    (put("encoder_defaults.pretraining.sound.mel.highest_Hz", 2001), ["sound.mel.highest_Hz: found 2001", "at most 2000"]),
    (put("encoder_defaults.pretraining.sound.mel.n_fft", 4096), ["sound.mel.n_fft: found 4096", "1000 values"]),
    (put("encoder_defaults.pretraining.sound.mel.hop", 1001), ["sound.mel.hop: found 1001", "1000 values"]),
    (put("encoder_defaults.pretraining.sound.augment", {"method": "waveform", "vocoder_n_fft": 2048}), ["augment.vocoder_n_fft: found 2048"]),
    (put("encoder_defaults.pretraining.sound.augment", {"method": "waveform", "vocoder_n_fft": 510}), ["vocoder_n_fft: found 510", "a multiple of 4"]),
    (put("encoder_defaults.pretraining.sound.augment.vocoder_n_fft", 256), ["vocoder_n_fft", "method is spectrogram"]),
    (put("encoders.1.pretraining", {"model": {"backbone": "vit_tiny"}}), ["backbone", "a ResNet: spectrograms of sounds"]),
    (put("encoders.0.corner_weights", [1, 2]), ["encoders[0].corner_weights", "each of the 3 corners"]),
    (put("tasks.1.known.augment", {"flip_p": 0.1}), ["tasks[1].known.augment", "the axes alter sounds"]),
    (put("tasks.1.known.marks", "00-"), ["tasks[1].known.marks", "at least one 1"]),
    (put("axes", [{"name": "a", "operations": ["pitch-shift", "flip"]}]), ["axes[0].operations", "operations on sounds"]),
    (put("measure", {"data": "calls"}), ["measure.data", "what is measured are pictures"]),
    (put("arms", ["learned-episode"]), ["learned-episode"]),
]
for number, (edit, expected) in enumerate(REFUSED):
    code, text = run("check", write(f"refused{number}", edit))
    assert code == 2 and all(words in text for words in expected), (expected, text)
print(f"{len(REFUSED)} suites refused")

for suite, options in (("audio-fewshot", ["--without-data"]), ("audio-quickstart", [])):
    code, text = run("check", SOURCE / "suites" / f"{suite}.json", *options)
    assert code == 0 and ": sound. " in text, text
