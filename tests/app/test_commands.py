"""`schema`, `--help`, `--version` and `plan` as a user meets them."""
import json
import re
import shutil

import jsonschema

from support import BOX, SOURCE, TINY, run, scratch, spots_suite, write_spots, write_table

code, text = run("schema")
schema = json.loads(text)
assert code == 0
jsonschema.Draft202012Validator.check_schema(schema)
for suite in [*(SOURCE / "suites").glob("*.json"), TINY]:
    if suite.name != "schema.json":
        jsonschema.validate(json.loads(suite.read_text()), schema)
assert json.loads((SOURCE / "suites/schema.json").read_text()) == schema

for subcommand in ("run", "check", "plan", "report", "verify", "bench", "doctor", "schema"):
    code, text = run(subcommand, "--help")
    assert code == 0 and subcommand in text, text
assert run("--help")[0] == 0 and run("--version")[0] == 0
assert run("rnu")[0] == 2 and run()[0] == 2
assert run("report", "/no/such/run")[0] == 2

code, text = run("plan", TINY, "--scaling", "--json", "--latency", 50, "--bandwidth", 2)
assert code == 0, text
scaling = {row["encoder"]: row for row in json.loads(text[text.index("{"):])["scaling"]}
row = scaling["amortised-seed0"]
# Of so small a step nothing may be left for the samples beside what a busy machine adds.
assert row["sample_s"] >= 0 and row["fixed_s"] + row["sample_s"] > 0, row
assert all(abs(step["compute_s"] - row["fixed_s"] - 32 / step["ranks"] * row["sample_s"]) < 1e-9 for step in row["steps"]), row
assert abs(row["latency_s"] - 5e-5) < 1e-12 and row["bytes_per_s"] == 2e9, row
assert [step["ranks"] for step in row["steps"]][:1] == [8] and all(0 < step["weak_efficiency"] <= 1 for step in row["steps"]), row
code, text = run("plan", TINY, "--scaling")
assert code == 0 and "by a model" in text and "Assumed: 5 us and 25 GB/s" in text, text

code, text = run("plan", TINY, "--ranks", 2)
assert code == 0 and "in all" in text and "amortised-seed0" in text, text
assert "efficiency" in text and "MiB a rank" in text and "segments, at most" in text, text

# Before the data are there: the same plan from the manifest's counts; without a count there is none.
folder = scratch()
write_spots(folder / "spots", ".png")
suite = folder / "suite.json"
suite.write_text(json.dumps(spots_suite("spots")))


def planned(text):
    """What does not depend on the machine: encoders with their steps and sizes, kinds of units with their numbers."""
    return re.findall(r"^(?:[\w-]+-seed0|features at .*?|learned-\w+|sensitivity) +\d+ +\d+", text, re.MULTILINE)


code, text = run("plan", suite, "--data", folder)
assert code == 0 and len(planned(text)) >= 4, text
shutil.rmtree(folder / "spots")
assert run("plan", suite, "--data", folder)[0] == 2
code, without = run("plan", suite, "--data", folder, "--without-data")
assert code == 0 and planned(without) == planned(text), (without, text)
manifest = json.loads((folder / "spots.json").read_text())
del manifest["splits"][1]["count"]
(folder / "spots.json").write_text(json.dumps(manifest))
code, text = run("check", suite, "--without-data")
assert code == 0 and "uncounted test" in text and " 0 " not in text, text
code, text = run("plan", suite, "--without-data")
assert code == 2 and "tasks[0].data" in text and "whose manifest counts its splits" in text, text
other = json.loads(suite.read_text())  # with a task that is counted the others are left out, and named
other["data"].append({"name": "caltech101-sample", "size": 64})
other["tasks"].append({"name": "counted", "data": "caltech101-sample"})
(folder / "other.json").write_text(json.dumps(other))
code, text = run("plan", folder / "other.json", "--without-data")
assert code == 0 and "Not in it: spots, whose data sets' manifests do not count their splits" in text, text

# What `plan` says of too many ranks works: pretrain on few, then sweep on all.
few = ("--set", "encoder_defaults.pretraining.global_batch=2", "--set", "encoder_defaults.pretraining.steps=2", "--set", "repeats=1",
       "--set", 'arms=["corners"]', "--output", folder / "few")
code, text = run("run", TINY, *few, "--stage", "pretrain", ranks=3)
assert code == 2 and "each of 3 ranks needs a sample" in text, text
assert run("run", TINY, *few, "--stage", "pretrain", ranks=2)[0] == 0
code, text = run("run", TINY, *few, "--stage", "sweep", ranks=3)
assert code == 0 and "VALID" in text, text

# An error that comes first among a task's metrics is measured too.
write_table(folder)
by_error = spots_suite("table") | {"tasks": [{"name": "corners", "kind": "keypoints", "data": "table", "targets": BOX, "nme_points": [0, 1],
                                              "metrics": ["nme", "r2"]}], "arms": ["learned-joint"]}
(folder / "by-error.json").write_text(json.dumps(by_error))
code, text = run("plan", folder / "by-error.json", "--data", folder)
assert code == 0 and "learned-joint" in text, text

# Many more ranks than units: the schedule says so, the batch is too small for them, and programs read the same.
code, text = run("plan", TINY, "--ranks", 4096)
assert code == 0 and "ranks get none at all" in text and "pretrain on no more ranks" in text, text
code, text = run("plan", TINY, "--ranks", 4096, "--json")
plan = json.loads(text)
assert code == 0 and plan["ranks"] == 4096 and plan["most_pretraining_ranks"] == 32, text
assert plan["sweep"]["ranks_without"] == 4096 - plan["sweep"]["units"] and plan["sweep"]["efficiency"] < 0.01, text
assert plan["memory_per_rank_MiB"] > 50 and plan["sweep"]["segments"] >= plan["sweep"]["units"], text
assert 0 < plan["sweep"]["tail_s"] <= plan["sweep"]["seconds"] and 1 <= plan["sweep"]["segments_per_rank"] <= 2, text
assert plan["sweep"]["claim_latency_s"] > 0 and plan["measured_points"] == 0, text
print("ok")
