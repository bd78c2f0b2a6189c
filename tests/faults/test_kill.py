"""SIGKILL of a rank, of mpirun, or of all, at random moments; started again until done: nothing lost, nothing repeated, equal numbers.

Usage: test_kill.py PROGRAM [KILLS]
"""
import random
import subprocess
import sys
import time
from collections import Counter

import numpy as np

from support import TINY, assert_same_numbers, assert_whole, events, finished_segments, jobs, kill, run, scratch, start, units

kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
rng = random.Random(1)
folder = scratch()
reference = folder / "reference"
code, text = run("run", TINY, "--output", reference, ranks=2)
assert code == 0, text


# A stage has begun when log.jsonl has a line with this.
STAGES = {"pretraining": '"event":"pretrain_step"', "extraction": " features at ", "learning": " learned-projected ",
          "merge": '"stage":"sweep"'}


def wait_for_moment(process, output):
    """Wait for the end, or for a random moment (TimeoutExpired) of a random stage; the stage."""
    stage = rng.choice(list(STAGES))
    log = output / "log.jsonl"
    before = log.stat().st_size if log.exists() else 0
    while process.poll() is None:
        if log.exists():
            with log.open() as file:
                file.seek(before)
                if STAGES[stage] in file.read():
                    break
        time.sleep(0.002)
    try:
        process.wait(timeout=rng.uniform(0, 0.03 if stage == "merge" else 0.5))
    except subprocess.TimeoutExpired:
        return stage
    return None


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
killed_in = Counter()
while done < kills:
    output = folder / f"killed-{rounds}"
    rounds += 1
    seen, on_disk, n_events = set(), set(), 0

    def check_not_begun_again():
        again = begun_since(output, n_events) & on_disk
        assert not again, f"on disk already, and begun again: {again}"

    while True:
        process = start("run", TINY, "--output", output, ranks=2)
        stage = wait_for_moment(process, output)
        if stage is None:
            assert process.returncode == 0, process.stdout.read()
            check_not_begun_again()
            break
        kill(process, rng)
        done += 1
        killed_in[stage] += 1
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
    assert_whole(output)
assert spared, "no kill left a finished unit behind: nothing was tried"
assert all(killed_in[stage] for stage in STAGES if stage != "merge" or kills >= 100), killed_in
print(f"{done} kills in {rounds} runs ({', '.join(f'{stage} {killed_in[stage]}' for stage in STAGES)}), {spared} finished units spared: nothing lost, nothing repeated, equal numbers")
