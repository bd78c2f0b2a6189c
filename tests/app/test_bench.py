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

# What ranks do together needs ranks, and a call of its own.
code, text = run("bench", "scale", "--pairs", 1)
assert code == 2 and "mpirun -n 2" in text, text
code, text = run("bench", "scale", "sound")
assert code == 2 and "of their own" in text, text
code, text = run("bench", "scale/all-reduce", "scale/pretrain-resnet18-16", "--pairs", 2, "--seconds", 0, "--json", record, ranks=2)
assert code == 0 and "2 ranks of 1 thread on 1 node" in text, text
written = json.loads(record.read_text())
assert written["ranks"] == 2 and written["nodes"] == 1 and written["bfloat16_flops_per_s"] > 1e9, written
reduce, steps = written["stages"]
assert reduce["stage"] == "scale/all-reduce" and reduce["problem"] == "" and min(reduce["together_per_s"]) > 0.01, reduce
assert steps["problem"] == "" and len(steps["efficiency"]) == 2 and all(0 <= share < 1 for share in steps["exposed"]), steps
for alone, together, efficiency in zip(steps["alone_per_s"], steps["together_per_s"], steps["efficiency"]):
    assert abs(together / alone / efficiency - 1) < 1e-6, steps
print("ok")
