"""A rank that hangs: it is named, with what the others wait in, and all stop resumable.

The rank is stopped by SIGSTOP, in pretraining and in the sweep, rank 0 and another one.
"""
import os
import signal
import socket
import time

from support import TINY, assert_same_numbers, events, ranks_of, run, scratch, start

folder = scratch()
HOST = socket.gethostname()
TIMEOUT_S = 2
SUITE = ("--set", "encoder_defaults.pretraining.steps=100", "--set", "repeats=1", "--set", 'arms=["learned-projected", "corners"]')
reference = folder / "reference"
assert run("run", TINY, "--output", reference, *SUITE, ranks=2)[0] == 0


def stop_rank(output, rank, when):
    """Start a run, stop one of its ranks at the event `when`, and wait for the end: what was printed, and seconds."""
    process = start("run", TINY, "--output", output, *SUITE, "--watchdog", TIMEOUT_S, ranks=2)
    log = output / "log.jsonl"
    deadline = time.monotonic() + 60
    while not (log.exists() and when in log.read_text()):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.01)
    # mpirun starts them in order; a rank knows its number.
    pids = {int(open(f"/proc/{pid}/environ").read().split("OMPI_COMM_WORLD_RANK=")[1].split("\0")[0]): pid
            for pid in ranks_of(process)}
    os.kill(pids[rank], signal.SIGSTOP)
    begun = time.monotonic()
    text, _ = process.communicate(timeout=60)
    took = time.monotonic() - begun
    while any(os.path.exists(f"/proc/{pid}") for pid in pids.values()):
        assert time.monotonic() - begun < took + 10, f"of {pids} some are left"
        time.sleep(0.05)
    return process.returncode, text, took


seconds = []
for rank, when in ((1, '"step":1,'), (0, '"step":1,'), (1, "sweep_begin")):
    output = folder / f"{rank}-{len(when)}"
    code, text, took = stop_rank(output, rank, when)
    assert code == 75, (code, text)
    assert f"rank {rank} on {HOST} has not been heard of" in text, text
    assert when == "sweep_begin" or f"rank {1 - rank} on {HOST} waits in " in text, text
    assert "the same command continues" in text, text
    last = events(output)[-1]
    assert last["event"] == "run_end" and last["end"] == "stopped" and f"rank {rank} on" in last["because"], last
    assert not (output / "results.h5").exists()
    assert TIMEOUT_S / 2 < took < TIMEOUT_S + 15, took  # it was last heard of before it was stopped
    seconds.append(round(took, 1))
    assert run("run", TINY, "--output", output, *SUITE, ranks=2)[0] == 0
    assert_same_numbers(reference, output)

# Who sleeps no longer than that goes on.
process = start("run", TINY, "--output", folder / "slept", *SUITE, "--watchdog", 20, ranks=2)
while not (folder / "slept/log.jsonl").exists():
    time.sleep(0.01)
pids = ranks_of(process)
os.kill(pids[1], signal.SIGSTOP)
time.sleep(1)
os.kill(pids[1], signal.SIGCONT)
text, _ = process.communicate(timeout=120)
assert process.returncode == 0, text
assert_same_numbers(reference, folder / "slept")
# Nor is a job that was suspended as a whole late, whatever its ranks waited in.
process = start("run", TINY, "--output", folder / "suspended", *SUITE, "--watchdog", TIMEOUT_S, ranks=2)
log, deadline = folder / "suspended/log.jsonl", time.monotonic() + 60
while not (log.exists() and '"step":1,' in log.read_text()):
    assert time.monotonic() < deadline and process.poll() is None, process.communicate()
    time.sleep(0.01)
pids = ranks_of(process)
for number, seconds_before in ((signal.SIGSTOP, 0), (signal.SIGCONT, 2 * TIMEOUT_S)):
    time.sleep(seconds_before)
    for pid in pids:
        os.kill(pid, number)
text, _ = process.communicate(timeout=120)
assert process.returncode == 0, text
assert_same_numbers(reference, folder / "suspended")
print(f"ended {seconds} s after the rank was stopped, at a time-out of {TIMEOUT_S} s")
