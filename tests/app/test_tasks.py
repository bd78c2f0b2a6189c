"""Every kind of task under every protocol, from the outside: few-shot episodes, boxes, keypoints, attributes, shares of
train; the transfer protocol at one and two ranks, the paper's with its own metrics."""
import json

import numpy as np
import pandas as pd

from support import BOX, TINY, jobs, run, scratch, write_table

WORK = scratch()


def write_suite(name, **changes):
    suite = json.loads(TINY.read_text())
    # Without a step an encoder does not depend on the number of ranks.
    suite["encoder_defaults"]["pretraining"] |= {"steps": 0}
    suite |= {"name": name, "data": [{"name": "synthetic-shapes", "size": 32}, {"name": "table", "size": 32}],
              "repeats": 1} | changes
    (WORK / f"{name}.json").write_text(json.dumps(suite))
    return WORK / f"{name}.json"


write_table(WORK)
FEW_SHOT = {"ways": 3, "shots": 2, "queries": 4, "episodes": 60, "validation_episodes": 30, "learned_episodes": 2,
            "novel_classes": 6}
TASKS = [
    {"name": "episodes", "kind": "few-shot", "data": "synthetic-shapes", "few_shot": FEW_SHOT},
    {"name": "box", "kind": "box", "data": "table", "targets": BOX},
    {"name": "corners", "kind": "keypoints", "data": "table", "targets": BOX, "nme_points": [0, 1]},
    {"name": "attributes", "kind": "multi-label", "data": "table", "targets": ["target_is_*"]},
    {"name": "shapes-10", "data": "synthetic-shapes", "train_fraction": 0.1, "metrics": ["top1", "top5"]},
]

suite = write_suite("transfer", tasks=TASKS, arms=["learned-projected", "learned-episode", "corners", "grid"],
                    downstream={"protocol": "transfer", "grid_per_axis": 2, "projected": {"steps": 2}, "readout": {"max_passes": 50},
                                "batch_norm": {"images": 64, "batch": 32}, "bootstrap": 200})
code, text = run("check", suite, "--data", WORK)
assert code == 0, text
code, text = run("plan", suite, "--data", WORK)
assert code == 0 and "learned-episode" in text, text
for ranks in (1, 2):
    code, text = run("run", suite, "--data", WORK, "--output", WORK / f"out-{ranks}", ranks=ranks)
    assert code == 0 and text.rstrip().endswith("VALID"), text
# Episodes, resamples and fits know nothing of ranks.
table = jobs(WORK / "out-2")
for name in ("job_id", "value", "value_low", "value_high", "validation_value", "readout_l2", "i_spatial", "split_hash"):
    pd.testing.assert_series_equal(jobs(WORK / "out-1")[name], table[name], check_exact=True)
assert (table["status"] == "finished").all() and (table["protocol"] == "transfer").all()
assert (table["value_low"] <= table["value"]).all() and (table["value"] <= table["value_high"]).all()
assert (table["value_low"] < table["value_high"]).mean() > 0.9
metrics = table.groupby("task")["metric"].unique().map(sorted).to_dict()
assert metrics == {"episodes": ["top1"], "box": ["box_iou", "r2"], "corners": ["nme", "r2", "r2_flat"],
                   "attributes": ["map"], "shapes-10": ["top1", "top5"]}, metrics
assert (table.loc[table["task"] == "episodes", "shots"] == 2).all()
assert (table.loc[table["task"] != "episodes", "shots"] == 0).all()
learned = table[table["arm"] == "learned-episode"]
assert set(learned["task"]) == {"episodes"} and learned["i_spatial"].between(0, 1).all()
# Of an error the least is best.
for (task, metric, repeat), rows in table[table["arm"].str.startswith("grid-")].groupby(["task", "metric", "repeat"]):
    value, validation = (rows[rows["arm"].str.match(r"grid-\d")][name] for name in ("value", "validation_value"))
    best = min if metric == "nme" else max
    rows = table[(table["task"] == task) & (table["metric"] == metric) & (table["repeat"] == repeat)].set_index("arm")
    assert rows.loc["oracle", "value"] == best(value) and rows.loc["grid-best", "validation_value"] == best(validation)
code, text = run("report", WORK / "out-2")
assert code == 0 and "95 % intervals over test samples" in text, text
code, text = run("verify", WORK / "out-2", "--data", WORK)
assert code == 0, text

# The paper's choices, one by one: its metric leads, running statistics, the last epoch, no penalty, no validation set.
suite = write_suite("paper", tasks=TASKS[2:3], arms=["learned-joint", "learned-projected", "grid"],
                    downstream={"protocol": "paper", "grid_per_axis": 2, "joint": {"epochs": 3}, "projected": {"steps": 2}})
code, text = run("run", suite, "--data", WORK, "--output", WORK / "out-paper")
assert code == 0, text
table = jobs(WORK / "out-paper")
assert table["validation_value"].isna().all() and table["value"].notna().all()
table = table[table["arm"] == "learned-joint"]
assert (table["protocol"] == "paper").all() and (table["bn_statistics"] == "running").all()
assert (table["readout_l2"] == 0).all()
# The readout that was learned with i is the one that is judged: of any protocol with these settings it is beside the fresh one.
assert set(table["metric"]) == {"r2", "r2_flat", "nme"}
suite = write_suite("alike", tasks=[TASKS[2] | {"metrics": ["r2_flat", "nme", "r2"], "validation_fraction": 0}], arms=["learned-joint", "learned-projected"],
                    downstream={"readout": {"solver": "descent"}, "projected": {"choice": "loss", "steps": 2}, "joint": {"epochs": 3, "keep": "last"},
                                "bn_statistics": "running"})
code, text = run("run", suite, "--data", WORK, "--output", WORK / "out-alike")
assert "all jobs finished" in text and "validation value not finite" in text, text  # which only the paper goes without
alike = jobs(WORK / "out-alike")
alike = alike[alike["arm"] == "learned-joint"].set_index("metric")["value"]
assert len(alike) == 6, alike
for metric, value in table.set_index("metric")["value"].items():
    assert value == alike[metric + "_joint_readout"] != alike[metric], (metric, value, alike)

# What cannot be judged is refused with its path, before anything is trained.
for name, task, wanted in (
        ("shared", TASKS[0] | {"few_shot": FEW_SHOT | {"novel_classes": 0}}, "tasks[0].test"),
        ("three", TASKS[1] | {"targets": BOX[:3]}, "tasks[0].targets"),
        ("no-bits", TASKS[3] | {"targets": BOX[:1]}, "each 0 or 1")):
    suite = write_suite(name, tasks=[task], arms=["corners"])
    code, text = run("run", suite, "--data", WORK, "--output", WORK / f"out-{name}")
    assert code == 2 and wanted in text, (name, text)
    assert not list((WORK / f"out-{name}").glob("checkpoints/*/*")), "something was trained"
print("ok")
