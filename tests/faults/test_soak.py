"""Thousands of small jobs on four ranks for a while, killed at random: memory and open files of the ranks stay level, segment
files few, nothing is lost or repeated.

Usage: test_soak.py PROGRAM [MINUTES]
"""
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from support import TINY, events, finished_segments, jobs, kill, ranks_of, run, scratch, start

MINUTES = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
RANKS = 4
LONG_LIFE_S = 20.0
# Sixteen of a level become one of the next: 15 of each of three levels, 16 while they are merged, and their successor.
MOST_FILES = RANKS * (3 * 15 + 2) + 17
rng = random.Random(5)
folder = scratch()
text = json.loads(TINY.read_text().replace('"steps": 60', '"steps": 4'))
text |= {"downstream": {"grid_per_axis": 40, "bootstrap": 20, "projected": {"steps": 3}}, "arms": ["learned-projected", "grid"]}
SUITE = folder / "soak.json"
SUITE.write_text(json.dumps(text))


def measured(pid):
    """Resident MiB and open files of a process, or None if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return resident / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (OSError, StopIteration):
        return None


class Life:
    """What one process of mpirun and its ranks did between its start and its end."""

    def __init__(self, output):
        self.output = output
        self.process = start("run", SUITE, "--output", output, "--set", f"encoder_seeds=[{output.name}]", ranks=RANKS, limit_s=3600)
        self.begun = time.monotonic()
        self.samples = {}  # pid -> [(MiB, files)]
        self.most_files = 0

    def live(self, seconds):
        """Watch for so long, or until it ends; whether it ended."""
        while time.monotonic() - self.begun < seconds:
            if self.process.poll() is not None:
                return True
            self.most_files = max(self.most_files, len(list((self.output / "segments").glob("[0-9]*.h5"))))
            if self.is_sweeping():
                for pid in ranks_of(self.process):
                    if now := measured(pid):
                        self.samples.setdefault(pid, []).append(now)
            time.sleep(0.5)
        return False

    def is_sweeping(self):
        log = self.output / "log.jsonl"
        return log.exists() and "sweep_begin" in log.read_text()

    def growth(self):
        """MiB that the ranks' memory grew from a third of the life to its end, and files that they opened and kept; None if it was short."""
        grown = []
        for samples in self.samples.values():
            if len(samples) < 2 * LONG_LIFE_S:
                continue
            memory, files = np.array(samples).T
            third = len(samples) // 3
            grown.append((np.median(memory[-third:]) - np.median(memory[third:2 * third]),
                          np.median(files[-third:]) - np.median(files[third:2 * third])))
        return grown


def assert_done_once(output):
    counts = finished_segments(output)
    assert max(counts.values()) == 1, "a finished job was repeated"
    code, text = run("verify", output)
    assert code == 0, text
    table = jobs(output)
    assert set(counts) == set(table.loc[~table["arm"].isin(["grid-best", "oracle"]), "job_id"])
    return len(counts)


ends_at = time.monotonic() + 60 * MINUTES
kills, n_jobs, most_files, grown, runs = 0, 0, 0, [], 0
while time.monotonic() < ends_at:
    output = folder / str(runs)
    runs += 1
    seen = set()
    finished = False
    while not finished:
        life = Life(output)
        # Past the end of the time the run is left to finish.
        left = ends_at - time.monotonic()
        # Some lives are cut short early, others long enough to tell how memory goes.
        longest = rng.choice((20.0, 60.0, 300.0))
        finished = life.live(rng.uniform(0.1, 1.0) * min(longest, 20 * MINUTES) if left > 0 else 3600)
        if finished:
            assert life.process.returncode == 0, life.process.stdout.read()
        else:
            kill(life.process, rng)
            kills += 1
        if (output / "segments").exists():
            now = set(finished_segments(output))
            assert seen <= now, "finished jobs were lost"
            seen = now
        grown += life.growth()
        most_files = max(most_files, life.most_files)
    n_jobs += assert_done_once(output)
assert kills >= MINUTES / 4, f"only {kills} kills"
assert grown, "no life was long enough to tell whether memory grows"
memory, files = np.array(grown).T
print(f"{n_jobs} jobs in {runs} runs, {kills} kills, {len(grown)} ranks watched for {LONG_LIFE_S:.0f} s and more: memory grew by "
      f"{np.median(memory):.2f} MiB in the median and {memory.max():.2f} at most, open files by {files.max():.0f}; at most {most_files} segment files")
assert most_files <= MOST_FILES, most_files
assert files.max() <= 0, files
assert memory.max() < 8.0, memory
