"""Damaged pictures, checkpoints, segments: `run` says which file, what is wrong and how to mend it, and then goes on."""
import json
import os
import signal
import time

import h5py

from support import TINY, assert_same_numbers, events, ranks_of, run, scratch, spots_suite, start, write_spots

folder = scratch()


def says(output, code, *pieces):
    """`run` at two ranks refuses with this code and message, and without a word of the program's own insides."""
    found, message = run("run", TINY, "--output", output, *LONGER, ranks=2, timeout=60)
    assert found == code, (found, message)
    for piece in pieces:
        assert piece in message, f"{piece!r} is not in: {message}"
    for trace in ("terminate called", "internal error", "Signal:", "Traceback"):
        assert trace not in message, message


# -- Pictures: two classes of twelve to train on and of four to judge by, three of the pictures damaged.
data = folder / "data" / "spots"
write_spots(data, ".jpg")
whole = (data / "train/blue/03.jpg").read_bytes()
(data / "train/blue/03.jpg").write_bytes(whole[:len(whole) // 2])
(data / "train/blue/07.jpg").write_text("a note, not a picture\n")
(data / "train/red/05.jpg").write_bytes(b"")
DAMAGED = ["train/blue/03.jpg", "train/blue/07.jpg", "train/red/05.jpg"]

spots = folder / "spots-suite.json"
spots.write_text(json.dumps(spots_suite("spots")))

for command in (["check", spots, "--decode"], ["run", spots, "--output", folder / "refused"]):
    code, message = run(*command, "--data", data.parent, ranks=2 if command[0] == "run" else 0)
    assert code == 2, (code, message)
    for name in DAMAGED:
        assert name in message, f"{name} is not in: {message}"
    assert "3 corrupt pictures" in message and "leave-out" in message, message
assert not (folder / "refused/results.h5").exists()

output = folder / "left-out"
LEAVE_OUT = ("--set", "data[0].on_corrupt=leave-out")
code, message = run("check", spots, "--decode", "--data", data.parent, *LEAVE_OUT)
assert code == 0, message
code, message = run("run", spots, "--output", output, "--data", data.parent, *LEAVE_OUT, ranks=2)
assert code == 0 and "VALID" in message.splitlines(), message
with h5py.File(output / "results.h5") as file:
    listed = file["data/spots"].attrs["files_left_out"]
    assert json.loads(listed) == DAMAGED, listed

# -- A run that was stopped in its first pretraining, and what it looks like undisturbed.
LONGER = ("--set", "encoders[0].pretraining.steps=150")
reference = folder / "reference"
assert run("run", TINY, "--output", reference, *LONGER, ranks=2)[0] == 0
output = folder / "run"
state = output / "checkpoints/amortised-seed0/state.safetensors"
process = start("run", TINY, "--output", output, *LONGER, ranks=2)
deadline = time.monotonic() + 60
while not state.exists():
    assert time.monotonic() < deadline and process.poll() is None, process.stdout.read()
    time.sleep(0.01)
for rank in ranks_of(process):
    os.kill(rank, signal.SIGTERM)
process.communicate(timeout=60)
assert process.returncode == 75 and state.exists()


def mended(path):
    """Delete the file that the message named, go on, and end as if nothing had happened."""
    path.unlink()
    code, message = run("run", TINY, "--output", output, *LONGER, ranks=2)
    assert code == 0, message
    assert_same_numbers(reference, output)


def altered(path, share):
    """The file with one byte changed."""
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 1
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


# -- The training state: cut off, or one byte of its weights changed.
sound = state.read_bytes()
cut(state)
says(output, 2, str(state), "expected a range inside", f"Delete {state} and start again")
state.write_bytes(sound)
altered(state, 0.9)
says(output, 2, str(state), "hash", f"Delete {state} and start again")
mended(state)
assert not [event for event in events(output) if event["event"] == "pretrain_resumed"]

# -- A finished encoder, in the same two ways.
encoder = output / "checkpoints/amortised-seed0/encoder.safetensors"
sound = encoder.read_bytes()
cut(encoder)
says(output, 2, str(encoder), f"Delete {encoder} and start again")
encoder.write_bytes(sound)
altered(encoder, 1.0)
says(output, 2, str(encoder), "hash", f"Delete {encoder} and start again")
mended(encoder)

# -- A segment that holds finished jobs.
for path in sorted((output / "segments").glob("*.h5")):
    with h5py.File(path) as file:
        if "jobs" in file:
            break
sound = path.read_bytes()
cut(path)
says(output, 3, str(path), "truncated", "Delete this file and start again")
path.write_bytes(sound)
altered(path, 0.5)
says(output, 3, str(path), "altered", "Delete this file and start again")
mended(path)
code, message = run("verify", output)
assert code == 0 and message.splitlines()[-1] == "VALID", message
print("damaged pictures, checkpoints and segments are named, and a run goes on without them")
