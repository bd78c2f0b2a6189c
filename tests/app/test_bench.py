"""`bench` as a user meets it: what there is, rates beside a peer, what is missing, what is misspelt."""
import json
import sys

from support import run, scratch

code, text = run("bench", "--list")
assert code == 0 and "sound/pitch-shift" in text and "readout/l2-grid" in text, text
code, text = run("bench", "sound/fdae")
assert code == 2 and "sound/fdae" in text and "sound/fade" in text, text

folder = scratch()
record = folder / "rates.json"
code, text = run("bench", "sound/fade", "readout/l2-grid", "--pairs", 2, "--seconds", 0, "--peers", sys.executable, "--json", record)
assert code == 0, text
assert "GFLOP/s" in text and "scikit-learn" in text, text
assert "sound/pitch-shift" not in text, text  # it was not asked for
stages = {stage["stage"]: stage for stage in json.loads(record.read_text())["stages"]}
assert set(stages) == {"sound/fade", "readout/l2-grid"}
for stage in stages.values():
    assert stage["problem"] == "" and len(stage["per_s"]) == 2 and min(stage["per_s"]) > 0, stage
    assert stage["limit_per_s"] > 0, stage
peer, = stages["readout/l2-grid"]["peers"]
assert peer["name"] == "scikit-learn" and peer["version"] and len(peer["times_ours"]) == 2, peer
for ours, theirs, ratio in zip(stages["readout/l2-grid"]["per_s"], peer["per_s"], peer["times_ours"]):
    assert abs(ours / theirs / ratio - 1) < 1e-6

# Where a peer is not installed, that is what is said; ours has its rate all the same.
audio, = stages["sound/fade"]["peers"]
try:
    import torchaudio  # noqa: F401
except ImportError:
    assert "not installed" in audio["problem"] and "no rate of torchaudio" in text, text

# Pictures and episodes beside what .deps/python holds; what others made is looked at before it has a rate.
code, text = run("bench", "image/views-64-32", "readout/episodes", "--pairs", 1, "--seconds", 0, "--peers", sys.executable, "--json", record)
assert code == 0, text
stages = {stage["stage"]: stage for stage in json.loads(record.read_text())["stages"]}
for name, peer in (("image/views-64-32", "torchvision"), ("readout/episodes", "scikit-learn")):
    rates = {rates["name"]: rates for rates in stages[name]["peers"]}[peer]
    assert rates["problem"] == "" and rates["per_s"][0] > 0, rates
print("ok")
