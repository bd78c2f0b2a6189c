"""SIGKILL of a rank, of mpirun, or of all, at random moments; started again until done: nothing lost, nothing repeated, equal numbers.

Usage: test_kill.py PROGRAM [KILLS]
"""
import os
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np

from support import TINY, assert_same_numbers, events, jobs, run, scratch, start, units

kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
rng = random.Random(1)
folder = scratch()
reference = folder / "reference"
began = time.monotonic()
code, text = run("run", TINY, "--output", reference, ranks=2)
assert code == 0, text
duration = time.monotonic() - began


def kill(process, whom):
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    victims = {"rank": [int(rng.choice(children))] if children else [], "mpirun": [process.pid],
               "all": [*map(int, children), process.pid]}[whom]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait(timeout=60)
    # Ranks of a killed mpirun end by themselves; wait, since two runs must not share a directory.
    for child in map(int, children):
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{child}") and open(f"/proc/{child}/stat").read().split()[2] != "Z" and time.monotonic() < deadline:
            time.sleep(0.05)
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            time.sleep(0.2)


def wait_for_moment(process, output):
    """Wait for the end, or for a random moment (TimeoutExpired): of the whole run, or soon after new rows are on disk."""
    if rng.random() < 0.5:
        process.wait(timeout=rng.uniform(0.5, 1.1 * duration))
        return
    before = len(list(output.glob("segments/*.h5")))
    while process.poll() is None and len(list(output.glob("segments/*.h5"))) == before:
        time.sleep(0.01)
    process.wait(timeout=rng.uniform(0, 0.3))


def finished_segments(output):
    """Job id -> how often a segment says that it is finished."""
    count = {}
    for path in (output / "segments").glob("*.h5"):
        if path.name.startswith("."):
            continue
        with h5py.File(path) as file:
            for job, status in zip(file["jobs/job_id"].asstr()[()], file["jobs/status"].asstr()[()]) if "jobs" in file else []:
                count[job] = count.get(job, 0) + (status == "finished")
    return count


def unit_of(job):
    """The unit that a row of /jobs comes from, as log.jsonl names it."""
    encoder = f"{job.encoder}-seed{job.encoder_seed}"
    if job.arm.startswith("learned-"):
        return f"{encoder} {job.arm} {job.task} repeat {job.repeat}"
    at = "" if np.isnan(job.i_spatial) else f" at {job.i_spatial:g},{job.i_appearance:g}"
    return f"{encoder} features{at} {job.task} repeat 0,1"


jobs_of_unit = {}
for job in jobs(reference).itertuples():
    if job.arm not in ("grid-best", "oracle"):
        jobs_of_unit.setdefault(unit_of(job), set()).add(job.job_id)
assert sorted(jobs_of_unit) == sorted(units(reference, "unit_begin")), jobs_of_unit.keys()


def begun_since(output, n_events):
    """Units that began after that many events."""
    if not (output / "log.jsonl").exists():
        return set()
    return {event["unit"] for event in events(output)[n_events:] if event["event"] == "unit_begin"}


done, rounds, spared = 0, 0, 0
while done < kills:
    output = folder / f"killed-{rounds}"
    rounds += 1
    seen, on_disk, n_events = set(), set(), 0

    def check_not_begun_again():
        again = begun_since(output, n_events) & on_disk
        assert not again, f"on disk already, and begun again: {again}"

    while True:
        process = start("run", TINY, "--output", output, ranks=2)
        try:
            wait_for_moment(process, output)
            assert process.returncode == 0, process.stdout.read()
            check_not_begun_again()
            break
        except subprocess.TimeoutExpired:
            kill(process, rng.choice(["rank", "mpirun", "all"]))
            done += 1
            check_not_begun_again()
            if (output / "segments").exists():
                now = {job for job, n in finished_segments(output).items() if n}
                assert seen <= now, "finished jobs were lost"
                seen = now
                on_disk = {unit for unit, ids in jobs_of_unit.items() if ids <= now}
                spared += len(on_disk)
            n_events = len(events(output)) if (output / "log.jsonl").exists() else 0
        if done >= kills:
            assert run("run", TINY, "--output", output, ranks=2)[0] == 0
            check_not_begun_again()
            break
    assert max(finished_segments(output).values()) == 1, "a finished job was repeated"
    assert_same_numbers(reference, output)
assert spared, "no kill left a finished unit behind: nothing was tried"
print(f"{done} kills in {rounds} runs, {spared} finished units spared: nothing lost, nothing repeated, equal numbers")
