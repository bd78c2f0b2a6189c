"""Regression on real pictures from a table, checked and run: joints of people with the shipped manifest, landmarks of
faces with a table and a manifest of one's own, whose r2 is gone when the table's numbers are dealt out at random."""
import json
import os
import random
from pathlib import Path

import pandas as pd

from support import TINY, jobs, run, scratch, skip

DATA = Path(os.environ.get("INVARIA_TEST_DATA", "/nowhere"))
WORK = scratch()
for needed in ("lspet", "face_keypoints"):
    if not (DATA / needed).is_dir():
        skip(f"INVARIA_TEST_DATA={DATA} has no {needed}")


def write_suite(dataset):
    suite = json.loads(TINY.read_text())
    suite |= {"name": dataset, "data": [{"name": dataset, "size": 32}], "repeats": 1, "sensitivity": {"data": ""},
              "arms": ["learned-projected", "corners"],
              "tasks": [{"name": "points", "kind": "regression", "data": dataset, "metrics": ["r2", "r2_flat"]}]}
    suite["encoder_defaults"]["pretraining"] |= {"data": dataset, "steps": 10, "view_size": 32}
    # Few steps blur where things are; random filters keep it.
    suite["encoders"] = [suite["encoders"][0], {"name": "random", "pretraining": {"steps": 0, "model": {"width": 32}}}]
    suite["downstream"] = {"readout": {"l2": [0.001, 0.01, 0.1, 1.0]}}
    (WORK / f"{dataset}.suite.json").write_text(json.dumps(suite))
    return WORK / f"{dataset}.suite.json"


def run_suite(dataset, folder, holds):
    """Check and run a suite on the data set; each metric's test value with the random encoder."""
    suite = write_suite(dataset)
    code, text = run("check", suite, "--data", folder, "--decode")
    assert code == 0 and f"{dataset}: {holds}" in text, text
    code, text = run("run", suite, "--data", folder, "--output", WORK / f"out-{dataset}", ranks=2)
    assert code == 0 and text.rstrip().endswith("VALID"), text
    rows = jobs(WORK / f"out-{dataset}")
    assert (rows.status == "finished").all() and rows.value.notna().all(), rows
    return rows[rows.encoder == "random"].set_index("metric").value


def write_faces(name, deal):
    """The faces with one table of the people's split and the points in both of the original ones."""
    folder = WORK / name
    folder.mkdir()
    (folder / "data").symlink_to(DATA / "face_keypoints" / "data")
    points = pd.concat([pd.read_csv(DATA / f"face_keypoints/data/{part}_frames_keypoints.csv", index_col=0)
                        .rename(index=lambda file, part=part: f"data/{part}/{file}") for part in ("training", "test")])
    points = points.loc[deal(list(points.index))].set_axis(points.index)
    split = pd.read_csv(DATA / "face_keypoints/identity_split.csv", index_col="file")[["split"]]
    split.join(points).to_csv(folder / "index.csv", index_label="file")
    targets = [{"column": str(n), "unit": "pixels-y" if n % 2 else "pixels-x"} for n in range(136)]
    manifest = {"name": name, "kind": "table", "targets": targets,
                "splits": [{"name": part} for part in ("train", "test")]}
    (WORK / f"{name}.json").write_text(json.dumps(manifest))


joints = run_suite("lspet", DATA, "603 train, 185 test samples, 28 targets")
print("lspet", dict(joints))

FACES = "1349 train, 575 test samples, 136 targets"
write_faces("faces", lambda files: files)
write_faces("dealt", lambda files: random.Random(0).sample(files, len(files)))
landmarks = run_suite("faces", WORK, FACES)
chance = run_suite("dealt", WORK, FACES)
print("faces", dict(landmarks), "dealt", dict(chance))
assert landmarks.r2 > 0.03, landmarks
assert chance.r2 < 0.02, chance
