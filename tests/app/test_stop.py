"""Stopping on request and going on, exit codes through mpirun, and equal numbers afterwards."""
import os
import signal
import time

from support import TINY, assert_same_numbers, events, jobs, ranks_of, run, scratch, start

folder = scratch()
reference = folder / "reference"
code, text = run("run", TINY, "--output", reference, ranks=2)
assert code == 0, text

# A time limit: stopped with 75, as often as it takes, then finished with equal numbers.
output = folder / "stop-after"
codes = []
while not codes or codes[-1] == 75:
    # Longer each time: on a busy machine a short run does not get past its start.
    codes.append(run("run", TINY, "--output", output, "--stop-after", 0.5 * (1 + len(codes)), ranks=2)[0])
    assert len(codes) < 30, codes
assert codes[-1] == 0 and len(codes) > 1, codes
assert_same_numbers(reference, output)

# Signals to every rank, during pretraining; then on to the end, with the numbers of a run that nobody disturbed.
LONGER = ("--set", "encoders[0].pretraining.steps=400")
longer = folder / "longer"
code, text = run("run", TINY, "--output", longer, *LONGER, ranks=2)
assert code == 0, text
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    output = folder / number.name
    process = start("run", TINY, "--output", output, *LONGER, ranks=2)
    deadline = time.monotonic() + 60
    while not (output / "log.jsonl").exists() or "pretrain_begin" not in (output / "log.jsonl").read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    for rank in ranks_of(process):
        os.kill(rank, number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 75, (number, process.returncode, text)
    assert "the same command continues" in text
    assert events(output)[-1]["end"] == "stopped"
    assert run("run", TINY, "--output", output, *LONGER, ranks=2)[0] == 0
    assert "pretrain_resumed" in [event["event"] for event in events(output)], number
    assert_same_numbers(longer, output)

# Other rank counts continue the same directory.
output = folder / "other-ranks"
assert run("run", TINY, "--output", output, "--stop-after", 1.0, ranks=2)[0] in (0, 75)
assert run("run", TINY, "--output", output, ranks=1)[0] == 0
assert len(jobs(output)) == len(jobs(reference))

# Exit codes through mpirun: all ranks agree before they leave.
code, text = run("run", TINY, "--output", folder / "no", "--set", "repeat=1", ranks=2)
assert code == 2 and 'did you mean "repeats"?' in text, text
code, text = run("run", TINY, "--output", "/proc/no/such", ranks=2)
assert code == 3 and "/proc/no" in text, text
# A learning rate that no loss survives: the encoder fails, its jobs are blocked, the others finish.
output = folder / "failing"
code, text = run("run", TINY, "--output", output, "--set", "encoders[1].pretraining.schedule.learning_rate=1e38",
                 "--set", 'encoders[1].pretraining.optimizer={"algorithm":"sgd"}', ranks=2)
assert code == 1, (code, text)
assert set(jobs(output)["status"]) == {"finished", "blocked"} and "INVALID" in text, text
print("ok")
