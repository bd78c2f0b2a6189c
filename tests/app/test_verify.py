"""`verify` finds one altered number, one altered hash, one altered byte, wherever it is."""
import shutil

import h5py
import numpy as np

from support import TINY, run, scratch

folder = scratch()
original = folder / "run"
SENSITIVITY = ("--set", 'sensitivity={"data": "synthetic-shapes", "images": 16}')
assert run("run", TINY, "--output", original, *SENSITIVITY, ranks=2)[0] == 0
code, text = run("verify", original)
assert code == 0 and text.splitlines()[-1] == "VALID", text


def is_invalid(alter, named):
    altered = folder / "altered"
    shutil.rmtree(altered, ignore_errors=True)
    shutil.copytree(original, altered)
    alter(altered)
    code, text = run("verify", altered)
    assert code == 1 and text.splitlines()[-1].startswith("INVALID: "), (code, text)
    assert named in text, text


def alter_number(name, where=0, change=lambda value: value + 0.01):
    """Change the first number of a data set at or after a position, NaNs passed over."""
    def alter(output):
        with h5py.File(output / "results.h5", "r+") as file:
            numbers = file[name][()]
            index = np.flatnonzero(np.isfinite(numbers))[where]
            numbers.flat[index] = change(numbers.flat[index])
            file[name][...] = numbers
    return alter


def set_text(name, text):
    def alter(output):
        with h5py.File(output / "results.h5", "r+") as file:
            file[name][1] = text
    return alter


def set_attribute(group, name, value):
    def alter(output):
        with h5py.File(output / "results.h5", "r+") as file:
            file[group].attrs[name] = value
    return alter


# Jobs, and what follows from them.
is_invalid(alter_number("jobs/value", 1), "recomputed")
is_invalid(alter_number("jobs/i_spatial", 1), "invariance is")
is_invalid(set_text("jobs/job_id", "0" * 64), "job id")
is_invalid(set_text("jobs/split_hash", "0" * 64), "split hash")
is_invalid(set_text("jobs/encoder_hash_after", "0" * 64), "hash")
with h5py.File(original / "results.h5") as file:
    summaries = [name for name, column in file["summary"].items()
                 if column.dtype == float and np.isfinite(column[()]).any()]
assert {"mean", "standard_deviation"} <= set(summaries), summaries
for name in summaries:
    is_invalid(alter_number(f"summary/{name}"), "summary: ")

# What cannot be computed again is compared with the segments and checkpoints that it came from.
for name in ("invariance", "loss"):
    is_invalid(alter_number(f"trajectories/{name}", 5), "trajectory, point ")
is_invalid(alter_number("sensitivity", 3), "sensitivity: ")
is_invalid(alter_number("encoders/amortised/pretraining/loss", 7), "pretraining/loss")
is_invalid(set_attribute("encoders/fixed-default", "parameters", 1), "parameters is 1")
is_invalid(set_attribute("encoders/fixed-default", "checkpoint_hash", "0" * 64), "the results say " + "0" * 64)
is_invalid(set_attribute("data/synthetic-shapes", "checksum", "0" * 64), "data set synthetic-shapes")


def flip_byte(pattern, share):
    def alter(output):
        path = sorted(output.glob(pattern))[0]
        data = bytearray(path.read_bytes())
        data[int(share * (len(data) - 1))] ^= 1
        path.write_bytes(data)
    return alter


# A checkpoint's length, its header, its numbers, its last byte.
ENCODER = "checkpoints/amortised*/encoder.safetensors"
header_bytes = int.from_bytes(next(original.glob(ENCODER)).read_bytes()[:8], "little")
size = next(original.glob(ENCODER)).stat().st_size
for at in (0, 8, 8 + header_bytes // 2, 8 + header_bytes - 1, size // 2, size - 1):
    is_invalid(flip_byte(ENCODER, at / (size - 1)), "encoder.safetensors")
is_invalid(flip_byte("segments/*.h5", 0.5), "broken segment")

# A run's directory is whole or INVALID; of a results file taken out of it verify says what it could not look at.
is_invalid(lambda output: shutil.rmtree(output / "checkpoints"), "is not there")
is_invalid(lambda output: shutil.rmtree(output / "segments"), "has not all segments")
alone = folder / "alone"
alone.mkdir()
shutil.copy(original / "results.h5", alone)
code, text = run("verify", alone / "results.h5")
assert code == 0 and text.count("not checked: ") >= 2, text
assert text.splitlines()[-1] == "VALID as far as it was checked", text
assert "not checked: trajectories, sensitivity and pretraining logs" in text, text
print("ok")
