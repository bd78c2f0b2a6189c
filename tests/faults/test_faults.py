"""Errors and short counts of system calls, an output that vanishes, an address space that is too small.

What fails is named with its reason and the documented exit code; nothing is left half-written; without the fault the
same command goes on to the numbers of an undisturbed run.
"""
import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

from support import (ENVIRONMENT, PROGRAM, TINY, assert_same_numbers, assert_whole, command, run, scratch, skip, spots_suite,
                     write_spots)

compiler = shutil.which("cc") or shutil.which("gcc")
if compiler is None:
    skip("no C compiler here")
folder = scratch()
library = folder / "faults.so"
subprocess.run([compiler, "-shared", "-fPIC", "-o", library, Path(__file__).parent / "faults.c", "-ldl"], check=True)

# Small: two steps on pictures that lie in files, one repeat.
data = folder / "data" / "spots"
write_spots(data, ".png")
suite = folder / "suite.json"
suite.write_text(json.dumps(spots_suite("spots") | {"arms": ["corners"], "checkpoint_every_s": 0}))
RUN = ("run", suite, "--data", data.parent, "--output")
reference = folder / "reference"
assert run(*RUN, reference)[0] == 0


def faulty(fault, *arguments, ranks=0, rank=None):
    environment = {"LD_PRELOAD": str(library), "FAULT": fault} | ({"FAULT_RANK": str(rank)} if rank is not None else {})
    code, text = run(*arguments, ranks=ranks, environment=environment, timeout=60)
    for trace in ("internal error", "terminate called", "Signal:", "Traceback"):
        assert trace not in text, (fault, text)
    return code, text


n_faults = 0
EIO = "Input/output error"
for fault, code, pieces in (
        # Writing: each file by name. An event that the log loses costs the event.
        ("write:EIO:state.safetensors", 3, ("state.safetensors", EIO)),
        ("write:ENOSPC:encoder.safetensors", 3, ("encoder.safetensors", "No space left on device")),
        ("write:EIO:segments/", 3, ("segments/", EIO)),
        ("write:EIO:results.h5", 3, ("results.h5", EIO)),
        ("write:EIO:run.json", 3, ("run.json", EIO)),
        ("write:EIO:log.jsonl", 0, ()),
        ("fsync:EIO:segments/", 3, ("segments/", EIO)),
        ("fsync:EIO:state.safetensors", 3, ("state.safetensors", EIO)),
        ("rename:EIO:segments/", 3, ("segments/", EIO)),
        ("rename:EIO:results.h5", 3, ("results.h5", EIO)),
        ("rename:EIO:/encoder.safetensors", 3, ("encoder.safetensors", EIO)),
        # Reading: pictures, manifests, an encoder in the sweep.
        ("read:EIO:.png", 3, (".png", EIO)),
        ("read:EIO:spots.json", 3, ("spots.json", EIO)),
        ("read:EIO:suite.json", 3, ("suite.json", EIO)),
        ("read:EIO:.h5", 3, ("segments/", EIO)),
        ("read:EIO:encoder.safetensors", 3, ("encoder.safetensors", EIO)),
        # Calls that do less than they are asked, or are interrupted, are asked again.
        ("write:short:safetensors", 0, ()),
        ("write:short:.h5", 0, ()),
        ("read:short:.png", 0, ()),
        ("read:short:.json", 0, ()),
        ("read:short:.h5", 0, ()),
        ("read:short:encoder.safetensors", 0, ()),
        ("write:EINTR:.h5", 0, ()),
        ("write:EINTR:state.safetensors", 0, ()),
        ("read:EINTR:.png", 0, ()),
        ("read:EINTR:encoder.safetensors", 0, ()),
        ("fsync:EINTR:segments/", 0, ())):
    output = folder / f"fault-{n_faults}"
    n_faults += 1
    found, text = faulty(fault, *RUN, output)
    assert found == code, (fault, found, text)
    for piece in pieces:
        assert piece in text, (fault, piece, text)
    assert "Delete this file" not in text, (fault, text)  # it is as it should be
    assert_whole(output)
    assert (output / "results.h5").exists() == (code == 0), fault
    if code != 0:
        if (output / "log.jsonl").exists():  # else it failed before there was one
            found, text = run("watch", output, timeout=30)
            assert found == code and "ended with an error: " in text, (fault, found, text)
        found, text = run(*RUN, output)
        assert found == 0, (fault, text)
    assert_same_numbers(reference, output)

# On one rank of two: the others leave too, and the message says which one.
two = folder / "reference-2"
assert run(*RUN, two, ranks=2)[0] == 0
for fault, rank in (("write:EIO:segments/", 1), ("write:EIO:state.safetensors", 0), ("read:EIO:.png", 1)):
    output = folder / f"fault-{n_faults}"
    n_faults += 1
    code, text = faulty(fault, *RUN, output, ranks=2, rank=rank)
    assert code == 3 and f"(rank {rank} on " in text and EIO in text, (fault, code, text)
    found, text = run("watch", output, timeout=30)
    assert found == 3 and "ended with an error: " in text, (fault, found, text)
    assert_whole(output)
    assert run(*RUN, output, ranks=2)[0] == 0
    assert_same_numbers(two, output)

# A rank that is slow, not hung: its disk takes a quarter of a minute for a checkpoint. It is named, and all stop resumable.
output = folder / "slow"
code, text = faulty("fsync:sleep:state.safetensors", *RUN, output, "--watchdog", 2, ranks=2, rank=0)
n_faults += 1
assert code == 75 and "rank 0 on " in text and "the same command continues" in text, (code, text)
assert list(output.rglob("*.tmp")), "the watchdog spared a checkpoint half-written"
assert run(*RUN, output, ranks=2)[0] == 0
assert_same_numbers(two, output)
assert_whole(output)

# The output directory goes while the run is at work.
output = folder / "vanished"
process = subprocess.Popen([*command("run", TINY, "--output", output, "--set", "encoder_defaults.pretraining.steps=2000")],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)
while not (output / "log.jsonl").exists() or "pretrain_step" not in (output / "log.jsonl").read_text():
    assert process.poll() is None, process.communicate()
    time.sleep(0.02)
shutil.rmtree(output)
text, _ = process.communicate(timeout=60)
assert process.returncode == 3 and str(output) in text and "No such file or directory" in text, (process.returncode, text)
assert not output.exists(), list(output.rglob("*"))

# An address space in which the program starts and a large encoder finds no room.
process = subprocess.Popen(command("run", TINY, "--output", folder / "roomy", "--set", "encoder_defaults.pretraining.steps=2000"),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
while not (folder / "roomy/log.jsonl").exists() or "pretrain_step" not in (folder / "roomy/log.jsonl").read_text():
    time.sleep(0.02)
peak_kB = int(next(line for line in open(f"/proc/{process.pid}/status") if line.startswith("VmPeak")).split()[1])
process.kill()
process.wait()
limit = (peak_kB + 200 * 1024) * 1024
output = folder / "narrow"
done = subprocess.run(command("run", TINY, "--output", output, "--set", "encoder_defaults.pretraining.model.width=256"),
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT, timeout=120,
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
assert done.returncode == 3 and "out of memory" in done.stdout and "invaria plan" in done.stdout, (done.returncode, done.stdout)
assert_whole(output)
print(f"{n_faults} faults of calls, a vanished output and a small address space: named, nothing half-written, resumable")
