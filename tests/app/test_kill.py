"""SIGKILL of a rank, of mpirun, or of all, at random moments; started again until done: nothing lost, nothing repeated, equal numbers.

Usage: test_kill.py PROGRAM [KILLS]
"""
import os
import random
import signal
import subprocess
import sys
import time

from support import TINY, assert_same_numbers, run, scratch, start
import h5py

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


done, rounds = 0, 0
while done < kills:
    output = folder / f"killed-{rounds}"
    rounds += 1
    seen = set()
    while True:
        process = start("run", TINY, "--output", output, ranks=2)
        try:
            process.wait(timeout=rng.uniform(0.5, 1.1 * duration))
            assert process.returncode == 0, process.stdout.read()
            break
        except subprocess.TimeoutExpired:
            kill(process, rng.choice(["rank", "mpirun", "all"]))
            done += 1
            if (output / "segments").exists():
                now = {job for job, n in finished_segments(output).items() if n}
                assert seen <= now, "finished jobs were lost"
                seen = now
        if done >= kills:
            assert run("run", TINY, "--output", output, ranks=2)[0] == 0
            break
    assert max(finished_segments(output).values()) == 1, "a finished job was repeated"
    assert_same_numbers(reference, output)
print(f"{done} kills in {rounds} runs: nothing lost, nothing repeated, equal numbers")
