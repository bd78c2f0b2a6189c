"""`report` in every format and over several runs, `compare` and `watch`, from the outside."""
import csv
import shutil
import subprocess

import h5py

from support import ENVIRONMENT, PROGRAM, TINY, jobs, run, scratch, start

folder = scratch()
one, two = folder / "one", folder / "two"
small = ["--set", "encoder_defaults.pretraining.steps=10"]

# A run is watched from its files alone while it goes on, and the watch ends as the run does.
launched = start("run", TINY, "--output", one, *small, ranks=2)
while not (one / "log.jsonl").exists():
    assert launched.poll() is None, launched.communicate()[0]
watching = subprocess.Popen([PROGRAM, "watch", one, "--every", "0.2"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
assert launched.wait(timeout=250) == 0, launched.communicate()[0]
seen = watching.communicate(timeout=60)[0]
assert watching.returncode == 0, seen
assert "tiny on 2 ranks" in seen and "pretraining  2/2 (100 %) encoders" in seen, seen
assert "sweep " in seen and "finished, VALID" in seen.splitlines()[-2], seen
code, text = run("watch", folder, "--once")
assert code == 2 and "no log.jsonl" in text, text

# The same tables in every format.
files = {"--html": folder / "page.html", "--markdown": folder / "tables.md", "--latex": folder / "tables.tex",
         "--csv": folder / "csv", "--tensorboard": folder / "events"}
code, text = run("report", one, *(part for pair in files.items() for part in pair))
assert code == 0 and text.count("wrote ") == len(files), text
table = jobs(one)
learned = table[table["arm"] == "learned-projected"]["value"].mean()
assert f"{100 * learned:.1f}" in files["--html"].read_text() and "<b>VALID</b>" in files["--html"].read_text()
assert f"| learned-projected | 2 | " in files["--markdown"].read_text().replace("**", "")
assert "\\begin{tabular}" in files["--latex"].read_text()
with (files["--csv"] / "arms.csv").open() as file:
    rows = {row["arm"]: row for row in csv.DictReader(file)}
assert abs(float(rows["learned-projected"]["shapes (top1 %)"]) - 100 * learned) < 1e-9, rows
assert float(rows["learned-projected"]["shapes (top1 %) half width"]) >= 0
assert len(list(files["--tensorboard"].rglob("events.out.tfevents.*"))) > 4

# Two runs with other encoder seeds are one suite in two files.
code, text = run("run", TINY, "--output", two, *small, "--set", "encoder_seeds=[7]", ranks=2)
assert code == 0, text
code, text = run("report", one, two)
assert code == 0 and text.splitlines()[-1] == "VALID", text
assert "amortised         0" in text and "amortised         7" in text, text


def altered(change):
    copy = folder / "altered.h5"
    shutil.copy(one / "results.h5", copy)
    with h5py.File(copy, "r+") as file:
        change(file["jobs"])
    return copy


def worse(columns):
    values = columns["value"][()]
    values[columns["arm"].asstr()[()] == "learned-projected"] -= 0.05
    columns["value"][...] = values


def failed(columns):
    status, error = columns["status"].asstr()[()], columns["error"].asstr()[()]
    first = (columns["arm"].asstr()[()] == "learned-projected") & (columns["repeat"][()] == 0)
    status[first], error[first] = "failed", "no memory\nmore"
    columns["status"][...], columns["error"][...] = status, error


def invalid(columns):
    columns.file.attrs["valid"] = 0
    columns.file.attrs["invalid_because"] = "a checkpoint changed"


def other_split(columns):
    columns["split_hash"][...] = "0" * 64


# The same job with two values is no one table; a comparison finds what fell, and how far it may.
lower = altered(worse)
code, text = run("report", one, lower)
assert code == 2 and "learned-projected on shapes" in text and "invaria compare" in text, text
code, text = run("compare", one, one)
assert code == 0 and text.splitlines()[-1] == "no regression: no arm lost more than 1 points on a task", text
code, text = run("compare", one, lower)
assert code == 1 and "REGRESSION: learned-projected (amortised) on shapes: top1 is worse by 5.0 points" in text, text
assert text.count("REGRESSION") == 1, text
assert run("compare", one, lower, "--threshold", "6")[0] == 0
assert run("compare", lower, one)[0] == 0
code, text = run("compare", one, altered(failed))
assert code == 1 and "REGRESSION: learned-projected (amortised) on shapes: a job finished in A and did not in B: no memory" in text, text
assert text.count("REGRESSION") == 1 and "no regression" not in text, text
code, text = run("compare", one, altered(invalid))
assert code == 1 and "REGRESSION: A is VALID, B is INVALID: a checkpoint changed" in text and text.count("REGRESSION") == 1, text
code, text = run("compare", one, altered(other_split))
assert code == 2 and "split of shapes, repeat 0" in text, text
print("ok")
