"""docs/results.md, a file that a run wrote and the reader agree: every group, column, attribute, dimension, unit and phrase.

Run: python test_results_document.py path/to/report_rewrite path/to/invaria [--print]
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

SOURCE = Path(__file__).resolve().parents[2]
HDF5_OWN = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "units", "long_name"}
REWRITE, PROGRAM = map(Path, sys.argv[1:3])
ENVIRONMENT = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}


def invaria(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=250)
    assert done.returncode == 0, (done.stdout, done.stderr)


def general(name, axes):
    """A path with the run's own names replaced by what they are."""
    name = re.sub(r"^/(encoders|data)/[^/]+", r"/\1/<name>", name)
    return "/jobs/i_<axis>" if name in {f"/jobs/i_{axis}" for axis in axes} else \
        "/invariance/measurements/i_<axis>" if name in {f"/invariance/measurements/i_{axis}" for axis in axes} else name


def kind_of(dataset):
    return "text" if h5py.check_string_dtype(dataset.dtype) else "integer" if dataset.dtype.kind == "i" else "number"


def kind_of_attribute(value):
    if not isinstance(value, str):
        return "integer" if np.issubdtype(type(value), np.integer) else "number"
    return "JSON" if value[:1] in ("{", "[") and json.loads(value) is not None else "text"


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def found_in(file):
    """What the file has: columns as path -> (over, type, units, phrase), attributes as path -> type."""
    axes = list(file["axis"].asstr()[()])
    columns, attributes = {}, {}

    def visit(name, item):
        path = "/" + name if name else "/"
        if isinstance(item, h5py.Dataset):
            over = [dimension[0].name.split("/")[-1] if len(dimension) else "" for dimension in item.dims]
            phrase = text(item.attrs.get("long_name", ""))
            for axis in axes:
                phrase = re.sub(rf"(on the axis) {axis}$", r"\1 <axis>", phrase)
            scale = general(path, axes).split("/")[-1]
            columns[general(path, axes)] = (", ".join(over) or scale, kind_of(item), text(item.attrs.get("units", "")), phrase)
        names = [key for key in item.attrs if key not in HDF5_OWN]
        for key in names:
            attributes[f"{general(path, axes)}@{key}".replace("/@", "@")] = kind_of_attribute(item.attrs[key])
    visit("", file)
    file.visititems(visit)
    return columns, attributes


def documented():
    columns, attributes, group = {}, {}, None
    for line in (SOURCE / "docs/results.md").read_text().splitlines():
        if heading := re.match(r"#+ .*`(/[^`]*)`", line):
            group = heading[1].rstrip("/")
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        if len(cells) == 5:
            columns[f"{group}/{cells[0]}"] = tuple(cell.replace("`", "") for cell in cells[1:])
        else:
            attributes[f"{group}@{cells[0]}"] = cells[1]
    return columns, attributes


def differences(there, here):
    return [f"{key}: documented {here.get(key)}, in the file {there.get(key)}" for key in sorted(there.keys() | here.keys())
            if there.get(key) != here.get(key)]


def same(a, b):
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")


def assert_same_files(one, other):
    with h5py.File(one) as a, h5py.File(other) as b:
        names = []
        a.visit(names.append)
        for name in ["/", *names]:
            assert name in b, f"the reader does not know {name}"
            if isinstance(a[name], h5py.Dataset):
                assert same(a[name][()], b[name][()]), f"{name} changed"
            for key in a[name].attrs:
                if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    assert same(a[name].attrs[key], b[name].attrs[key]), f"attribute {key} of {name} changed"


with tempfile.TemporaryDirectory() as scratch:
    run = Path(scratch) / "run"
    small = {"sensitivity": {"data": "synthetic-shapes", "images": 16}, "repeats": 1,
             "encoder_defaults.pretraining.steps": 4,
             "encoder_defaults.pretraining.monitor": {"every": 2, "data": "synthetic-shapes", "split": "test"}}
    overrides = [part for key, value in small.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    invaria("run", SOURCE / "tests/app/tiny.json", "--output", run, *overrides)
    invaria("measure", run, "--set", "data=synthetic-shapes", "--set", "images=20", "--set", "strengths=2")
    with h5py.File(run / "results.h5") as file:
        columns, attributes = found_in(file)
        commit = subprocess.run(["git", "-C", SOURCE, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
        assert file.attrs["git_commit"] in (commit or "unknown", "unknown"), (file.attrs["git_commit"], commit)
        assert file.attrs["compiler"] and "-O" in file.attrs["flags"], dict(file.attrs)
        libraries = json.loads(file.attrs["libraries"])
        assert {"LibTorch", "MPI", "HDF5", "libpng", "libarchive", "NLopt"} <= libraries.keys() and all(libraries.values())
    if "--print" in sys.argv:
        for path, cells in columns.items():
            print(f"| `{path.split('/')[-1]}` | {cells[0]} | {cells[1]} | {cells[2]} | {cells[3]} |   {path}")
        for path, kind in attributes.items():
            print(f"| `{path.split('@')[-1]}` | {kind} | |   {path}")
        sys.exit()

    wrong = differences(columns, documented()[0]) + differences(attributes, documented()[1])
    assert not wrong, "\n".join(wrong)

    copy = Path(scratch) / "copy.h5"
    subprocess.run([REWRITE, run / "results.h5", copy], check=True)
    assert_same_files(run / "results.h5", copy)
    assert_same_files(copy, run / "results.h5")

    # Schema 1 lacks what came with schema 2, and is read; what either schema must have is missed by name.
    def altered(change):
        path = Path(scratch) / "altered.h5"
        path.write_bytes((run / "results.h5").read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return subprocess.run([REWRITE, path, copy], capture_output=True, text=True)

    def make_old(file):
        file.attrs["schema"] = np.int64(1)
        for name in ("compiler", "flags", "slurm"):
            del file.attrs[name]
        for name in ("cpu_energy_J", "gpu_energy_J"):
            del file[f"stages/{name}"]
        for name in ("value_low", "value_high", "halves"):
            del file[f"jobs/{name}"]
    done = altered(make_old)
    assert done.returncode == 0, done.stderr
    with h5py.File(copy) as file:
        assert file.attrs["compiler"] == "" and np.isnan(file["stages/cpu_energy_J"][()]).all()
        assert same(file["jobs/value"][()], h5py.File(run / "results.h5")["jobs/value"][()])
    for column in ("jobs/value", "stages/seconds", "trajectories/loss", "tasks/draws/task"):
        done = altered(lambda file: file.__delitem__(column))
        assert done.returncode == 1 and column.split("/")[-1] in done.stderr, (column, done)
    done = altered(lambda file: file.attrs.__delitem__("compiler"))
    assert done.returncode == 1 and "compiler" in done.stderr, done
print("ok")
