"""What the end-to-end tests share: the program under mpirun, a small suite, results as tables."""
import atexit
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

PROGRAM = Path(sys.argv[1]).resolve()
SOURCE = Path(__file__).resolve().parent.parent.parent
TINY = SOURCE / "tests/app/tiny.json"
SKIPPED = 77  # the exit code that CTest shows as skipped
# What may differ between two runs of the same suite.
TIMES_AND_PLACES = {"seconds", "samples_per_s", "rank", "host"}
ENVIRONMENT = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}


def command(*arguments, ranks=0, limit_s=240):
    """The command line of the program, under mpirun if `ranks` > 0."""
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "--timeout", str(limit_s), "-n", str(ranks)] if ranks else []
    return [*launcher, str(PROGRAM), *map(str, arguments)]


def run(*arguments, ranks=0, timeout=300, environment=None):
    """Run the program to its end; its exit code and what it printed, both streams together."""
    limit_s = 4 * timeout // 5  # mpirun ends its ranks itself
    done = subprocess.run(command(*arguments, ranks=ranks, limit_s=limit_s), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, env=ENVIRONMENT | (environment or {}))
    return done.returncode, done.stdout


def start(*arguments, ranks=0, limit_s=240):
    """Start the program in a process group of its own, and do not wait."""
    return subprocess.Popen(command(*arguments, ranks=ranks, limit_s=limit_s), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=ENVIRONMENT, start_new_session=True)


def ranks_of(launcher):
    """Process ids of the ranks under a started mpirun."""
    children = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in children]


def kill(process, rng):
    """SIGKILL a rank, mpirun or all of a started run, as `rng` chooses; return when none of them is left."""
    children = ranks_of(process)
    whom = rng.choice(["rank", "mpirun", "all"])
    victims = {"rank": [rng.choice(children)] if children else [], "mpirun": [process.pid],
               "all": [*children, process.pid]}[whom]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait(timeout=60)
    # Ranks of a killed mpirun end by themselves; wait, since two runs must not share a directory.
    for child in children:
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{child}") and open(f"/proc/{child}/stat").read().split()[2] != "Z" and time.monotonic() < deadline:
            time.sleep(0.05)
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            time.sleep(0.2)


def scratch():
    """A folder that goes with the test."""
    folder = Path(tempfile.mkdtemp(prefix="invaria-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def write_spots(data, suffix):
    """Two classes of pictures that their colour tells apart, twelve each to train on and four to judge by."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for label, colour in (("blue", 2), ("red", 0)):
            (data / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 60, (24, 24, 3), dtype=np.uint8)
                pixels[:, :, colour] += 180
                Image.fromarray(pixels).save(data / split / label / f"{number:02}{suffix}")
    splits = [{"name": "train", "path": "train", "count": 24}, {"name": "test", "path": "test", "count": 8}]
    (data.parent / f"{data.name}.json").write_text(json.dumps(
        {"name": data.name, "kind": "image-folder", "classes": 2, "splits": splits}))


def spots_suite(name):
    """The tiny suite on what write_spots() wrote, in two steps and one repeat."""
    suite = json.loads(TINY.read_text())
    suite["data"] = [{"name": name, "size": 24}]
    suite["encoder_defaults"]["pretraining"] |= {"data": name, "steps": 2, "global_batch": 8}
    return suite | {"tasks": [{"name": name, "data": name}], "repeats": 1}


def assert_whole(output):
    """Every file is complete under its name, and nothing else is left."""
    for path in output.rglob("*"):
        assert not path.name.endswith(".tmp"), path
        data = path.read_bytes() if path.is_file() else b""
        if path.parent.name == "segments":
            assert hashlib.sha256(data[:-64]).hexdigest().encode() == data[-64:], path
        elif path.suffix == ".safetensors":
            length = int.from_bytes(data[:8], "little")
            header = json.loads(data[8:8 + length])
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            assert 8 + length + max(ends) == len(data), path
        elif path.suffix == ".json":
            json.loads(data)


def skip(reason):
    """Leave as a test that could not run, visibly."""
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def jobs(output):
    """/jobs as a table."""
    with h5py.File(Path(output) / "results.h5") as file:
        return pd.DataFrame({name: column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]
                             for name, column in file["jobs"].items()})


def finished_segments(output):
    """Job id -> how often a segment says that it is finished, but for segments that another replaces."""
    of_segment, replaced = {}, set()
    for path in (output / "segments").glob("*.h5"):
        if path.name.startswith("."):
            continue
        with h5py.File(path) as file:
            of_segment[path.name] = [job for job, status in zip(file["jobs/job_id"].asstr()[()], file["jobs/status"].asstr()[()])
                                     if status == "finished"] if "jobs" in file else []
            replaced |= set(file["replaces"].asstr()[()]) if "replaces" in file else set()
    return Counter(job for name, finished in of_segment.items() if name not in replaced for job in finished)


def events(output):
    return [json.loads(line) for line in (Path(output) / "log.jsonl").read_text().splitlines()]


def numbers(output):
    """Every array of the results that the suite determines, beside /jobs: name -> array."""
    found = {}
    with h5py.File(Path(output) / "results.h5") as file:
        for group in ("summary", "trajectories", "sensitivity"):
            if group in file:
                datasets = [file[group]] if isinstance(file[group], h5py.Dataset) else file[group].values()
                found |= {dataset.name: dataset[()] for dataset in datasets if dataset.name != "/trajectories/seconds"}
        for name, encoder in file["encoders"].items():
            found |= {f"/encoders/{name}/pretraining/{column}": encoder[f"pretraining/{column}"][()]
                      for column in ("step", "loss", "top1", "lr", "corner")}
    return found


def assert_same_numbers(one, other, but=()):
    """Every column but times, places and those named, and every array, is equal to the bit."""
    a, b = jobs(one), jobs(other)
    assert list(a.columns) == list(b.columns) and len(a) == len(b), (len(a), len(b))
    for name in a.columns:
        if name not in (*TIMES_AND_PLACES, *but):
            x, y = a[name].to_numpy(), b[name].to_numpy()
            same = (x == y) | (pd.isna(x) & pd.isna(y))
            assert np.all(same), f"{name} differs in {np.sum(~same)} of {len(x)} rows"
    a, b = numbers(one), numbers(other)
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    assert "/summary/mean" in a and "/trajectories/loss" in a, a.keys()
    for name in a:
        assert np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f"), f"{name} differs"


def units(output, which):
    return [event["unit"] for event in events(output) if event["event"] == which]


BOX = ["target_left_x", "target_top_y", "target_right_x", "target_bottom_y"]


def write_table(folder):
    """A data set `table` in a folder: bright rectangles on a dark ground, their boxes, and whether they are wide or red."""
    draw = np.random.default_rng(0)
    rows = ["file,split,target_left_x,target_top_y,target_right_x,target_bottom_y,target_is_wide,target_is_red"]
    (folder / "table").mkdir()
    for split, count in (("train", 80), ("test", 40)):
        for n in range(count):
            left, top = draw.integers(0, 12, 2)
            width, height = draw.integers(4, 20, 2)
            pixels = draw.integers(0, 40, (32, 32, 3), dtype=np.uint8)
            red = int(draw.integers(0, 2))
            pixels[top:top + height, left:left + width] += np.array([200, 0 if red else 200, 0], dtype=np.uint8)
            name = f"{split}-{n:02}.png"
            Image.fromarray(pixels).save(folder / "table" / name)
            rows.append(f"{name},{split},{left},{top},{left + width},{top + height},{int(width > height)},{red}")
    (folder / "table/index.csv").write_text("\n".join(rows) + "\n")
    (folder / "table.json").write_text(json.dumps(
        {"name": "table", "kind": "table", "splits": [{"name": "train"}, {"name": "test"}]}))
