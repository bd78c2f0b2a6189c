"""Two hosts with two ranks each, messages over TCP between them: the numbers of one host, and what fails on one of them."""
import json
import os
import signal
import time

from hosts import TwoHosts
from support import PROGRAM, SOURCE, TINY, assert_same_numbers, events, jobs, run, scratch, units

folder = scratch()
hosts = TwoHosts(folder)
SUITE = ("--set", "encoder_defaults.pretraining.steps=12", "--set", "repeats=1", "--set", "encoder_defaults.pretraining.model.width=2",
         "--set", 'arms=["learned-projected", "corners"]')
SHAPES = json.loads((SOURCE / "datasets/synthetic-shapes.json").read_text())
DECODED_BYTES = sum(split["count"] for split in SHAPES["splits"]) * 32 * 32 * 3
reference = folder / "reference"
assert run("run", TINY, "--output", reference, *SUITE, ranks=4)[0] == 0

# The same sums over messages as in shared memory; pictures decoded once a host; units claimed across hosts.
output = folder / "run"
code, text = hosts.run(PROGRAM, "run", TINY, "--output", output, *SUITE)
assert code == 0 and "4 ranks" in text, text
assert_same_numbers(reference, output)
assert set(jobs(output)["host"]) == {"alpha", "beta"}, set(jobs(output)["host"])
begun = units(output, "unit_begin")
assert sorted(begun) == sorted(units(reference, "unit_begin")) and len(begun) == len(set(begun)), begun
by_rank = {event["rank"] for event in events(output) if event["event"] == "unit_begin"}
assert by_rank == {0, 1, 2, 3}, by_rank
assert run("verify", output)[0] == 0

# What a claim takes there.
code, text = hosts.run(PROGRAM, "plan", TINY, *SUITE, "--json")
sweep = json.loads(next(line for line in text.splitlines() if line.startswith("{")))["sweep"]
assert code == 0 and 1e-6 < sweep["claim_service_s"] < 0.01 and 1e-5 < sweep["claim_latency_s"] < 0.1, text
print(f"a claim over TCP: {1e6 * sweep['claim_service_s']:.0f} us of service, {1e6 * sweep['claim_latency_s']:.0f} us of latency")

# A rank of the other host hangs, then all processes of that host die: resumable both times.
output = folder / "broken"
for how, expected in (("hang", 75), ("die", None)):
    process = hosts.start(PROGRAM, "run", TINY, "--output", output, *SUITE, "--watchdog", "2")
    deadline = time.monotonic() + 60
    begun = len(events(output)) if output.exists() else 0
    while not (output / "log.jsonl").exists() or not any(
            event["event"] == "pretrain_begin" for event in events(output)[begun:]):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    pids = hosts.processes("beta", PROGRAM)
    assert set(pids) == {2, 3}, pids
    # The decoded pictures lie once on each host, not once a rank.
    windows = [hosts.windows(pid) for _, pid in sorted((hosts.processes("alpha", PROGRAM) | pids).items())]
    assert windows[0] == windows[1] and windows[2] == windows[3] and not windows[0].keys() & windows[2].keys(), windows
    assert sum(windows[0].values()) == sum(windows[2].values()) >= DECODED_BYTES, (windows, DECODED_BYTES)
    if how == "hang":
        os.kill(pids[3], signal.SIGSTOP)
    else:
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == expected or expected is None and process.returncode != 0, (process.returncode, text)
    assert how != "hang" or "rank 3 on beta has not been heard of" in text, text
    assert not hosts.processes("beta", PROGRAM) and not hosts.processes("alpha", PROGRAM)
code, text = hosts.run(PROGRAM, "run", TINY, "--output", output, *SUITE)
assert code == 0, text
assert_same_numbers(reference, output)
print("ok")
