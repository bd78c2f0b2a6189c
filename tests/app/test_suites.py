"""The suites of suites/: settings of the large ones are right wherever their data are missing; their twins in small run,
shortened here, as they stand in the nightly tests (argument `whole`).

The twin for regression takes INVARIA_TEST_DATA where it runs whole; shortened, made pictures with targets stand in."""
import json
import os
import subprocess
import sys
import time

import h5py

from support import BOX, SOURCE, jobs, run, scratch, skip, write_table

SUITES = SOURCE / "suites"
WORK = scratch()
WHOLE = sys.argv[2:] == ["whole"]
LARGE = sorted(path for path in SUITES.glob("vision-*.json") if not path.stem.endswith("-mini"))
REFERENCE = sorted([*SUITES.glob("reference-*.json"), *SUITES.glob("study-*.json")])
SMALL = sorted(SUITES.glob("vision-*-mini.json"))
assert len(LARGE) >= 7 and all((SUITES / f"{path.stem}-mini.json").exists() for path in LARGE), LARGE
assert len(REFERENCE) == 8, REFERENCE


def shortened(suite):
    """The same suite in seconds: two steps of narrow networks, one repeat, small tasks."""
    pretraining = suite["encoder_defaults"]["pretraining"]
    pretraining |= {"steps": 2, "global_batch": 16, "view_size": 16}
    pretraining.setdefault("projection", {}).update(hidden=8, out=8)
    for model in [pretraining["model"], *(encoder.get("pretraining", {}).get("model", {}) for encoder in suite["encoders"])]:
        if "vit" in model:
            model["vit"] |= {"width": 16, "depth": 1, "heads": 2}
    if "vit" not in pretraining["model"]:
        pretraining["model"]["width"] = 4
    if "predictor" in pretraining:
        pretraining["predictor"]["hidden"] = 8
    if "queue" in pretraining.get("objective", {}):
        pretraining["objective"]["queue"] = 32
    suite["repeats"] = 1
    suite["data"] = [entry | {"size": 32} for entry in suite["data"]]
    downstream = suite.setdefault("downstream", {})
    downstream |= {"bootstrap": 10, "batch_norm": {"images": 40, "batch": 40}}
    if any(arm.startswith("learned-projected") for arm in suite.get("arms", [])):
        downstream["projected"] = {"steps": 2, "batch": 60}
    if "learned-joint" in suite.get("arms", []):
        downstream["joint"] = downstream.get("joint", {}) | {"epochs": 1, "batch": 64}
    if "grid" in suite.get("arms", []):
        downstream["grid_per_axis"] = 2
    for task in suite.get("tasks", []):
        if task.get("kind") == "known":
            task["known"] |= {"classes": 20, "train_per_class": 2, "validation_per_class": 1, "test_per_class": 1}
        if task.get("kind") == "few-shot":
            task["few_shot"] |= {"episodes": 20, "validation_episodes": 5}
            if "learned-episode" in suite["arms"]:
                task["few_shot"]["learned_episodes"] = 2
        if task.get("kind") in ("box", "keypoints"):
            task |= {"data": "table", "targets": BOX}
            if task["kind"] == "keypoints":
                task["nme_points"] = [0, 1]
    if any(task["data"] == "table" for task in suite.get("tasks", [])):
        suite["data"] = [entry for entry in suite["data"] if entry["name"] == "caltech101-sample"]
        suite["data"].append({"name": "table", "size": 32})
    if "sensitivity" in suite:
        suite["sensitivity"]["images"] = 20
    if "measure" in suite:
        suite["measure"] |= {"images": 20, "strengths": 2}
    return suite


# A large suite is wrong in nothing but that its data are not here, and asks nothing of them that their manifests do not promise.
for path in LARGE + REFERENCE:
    code, text = run("check", path, "--without-data")
    assert code == 0 and ": sound. " in text, text
    code, text = run("check", path)
    problems = text.strip().splitlines()
    assert code == 2 and f"{len(problems) - 1} problem" in problems[0], text
    assert all(line.startswith("data[") and "found no data for" in line for line in problems[1:]), text

data = os.environ.get("INVARIA_TEST_DATA")
write_table(WORK)
for path in SMALL:
    suite = json.loads(path.read_text())
    options = [option for folder in ([data] if data else []) + [WORK] for option in ("--data", folder)]
    if WHOLE and not data and path.stem == "vision-regression-mini":
        continue
    if not WHOLE:
        suite = shortened(suite)
    file, output = WORK / path.name, WORK / path.stem
    file.write_text(json.dumps(suite))
    begun = time.monotonic()
    code, text = run("run", file, "--output", output, *options, ranks=2, timeout=3600)
    assert code == 0 and "VALID" in text, (path.stem, text)
    if suite.get("tasks"):
        table = jobs(output)
        assert set(table["task"]) == {task["name"] for task in suite["tasks"]}, path.stem
        assert (table["status"] == "finished").all(), path.stem
    if "measure" in suite:
        code, text = run("measure", output, *options)
        assert code == 0, text
        with h5py.File(output / "results.h5") as results:
            assert "invariance" in results, list(results)
    if not suite.get("tasks"):
        for script in ("analyse", "figures"):
            done = subprocess.run([sys.executable, SOURCE / f"examples/{script}.py", output / "results.h5"], capture_output=True, text=True)
            assert done.returncode == 0 and "tasks" in done.stdout, (script, done)
    seconds = time.monotonic() - begun
    assert not WHOLE or seconds < 600, (path.stem, seconds)
    code, text = run("verify", output, *options)
    assert code == 0 and text.splitlines()[-1].startswith("VALID"), (path.stem, text)
    print(f"{path.stem} ok, {time.monotonic() - begun:.0f} s", flush=True)
if WHOLE:
    begun = time.monotonic()
    code, text = run("run", SUITES / "audio-quickstart.json", "--output", WORK / "audio-quickstart", ranks=2, timeout=3600)
    seconds = time.monotonic() - begun
    assert code == 0 and "VALID" in text, text
    assert seconds < 540, seconds
    print(f"audio-quickstart ok, {seconds:.0f} s", flush=True)
if WHOLE and not data:
    skip("INVARIA_TEST_DATA is not set: vision-regression-mini did not run")
