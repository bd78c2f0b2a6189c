"""Stopping on request and going on, exit codes through mpirun, and equal numbers afterwards."""
import os
import signal
import time

import numpy as np

from support import TINY, assert_same_numbers, events, jobs, numbers, ranks_of, run, scratch, start, units

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



def in_pretraining(output):
    """At least one checkpoint of the first encoder is written."""
    return (output / "checkpoints/amortised-seed0/state.safetensors").exists()


def in_sweep(output):
    """At least one unit is done."""
    return (output / "log.jsonl").exists() and "unit_end" in (output / "log.jsonl").read_text()


def stop_when(is_there, output, number, *options):
    """Start at two ranks, send all of them a signal when the run is there, and see them end with 75."""
    process = start("run", TINY, "--output", output, *options, ranks=2)
    deadline = time.monotonic() + 60
    while not is_there(output):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    for rank in ranks_of(process):
        os.kill(rank, number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 75, (number, process.returncode, text)
    assert "the same command continues" in text
    assert events(output)[-1]["end"] == "stopped"


def last(name, output):
    return [event for event in events(output) if event["event"] == name][-1]


# Signals to every rank, during pretraining; then on to the end, with the numbers of a run that nobody disturbed.
LONGER = ("--set", "encoders[0].pretraining.steps=160")
longer = folder / "longer"
code, text = run("run", TINY, "--output", longer, *LONGER, ranks=2)
assert code == 0, text
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    output = folder / number.name
    stop_when(in_pretraining, output, number, *LONGER)
    assert run("run", TINY, "--output", output, *LONGER, ranks=2)[0] == 0
    assert last("pretrain_resumed", output)["step"] > 0, number
    assert_same_numbers(longer, output)

# Another rank count continues a pretraining. Its sums are in another order, so that the next losses agree to rounding;
# what the encoder is worth on its tasks, a hundred steps later, agrees as two trainings do: here no value is off by
# more than 0.15, and on average by less than 0.06.
output = folder / "pretraining-at-one"
stop_when(in_pretraining, output, signal.SIGTERM, *LONGER)
assert run("run", TINY, "--output", output, *LONGER, ranks=1)[0] == 0
step = last("pretrain_resumed", output)["step"]
assert 0 < step < 160 and last("run_begin", output)["ranks"] == 1
name = "/encoders/amortised/pretraining/loss"
loss, undisturbed = numbers(output)[name], numbers(longer)[name]
assert np.array_equal(loss[:step], undisturbed[:step])
np.testing.assert_allclose(loss[step:step + 5], undisturbed[step:step + 5], rtol=1e-2)
one, two = jobs(output), jobs(longer)
assert list(one["job_id"]) == list(two["job_id"])
difference = (one["value"] - two["value"]).abs()
assert difference.max() < 0.15 and difference.mean() < 0.06, difference

# Another rank count continues a sweep, whose jobs run on one rank each: equal to the bit.
MORE = ("--set", "repeats=3")
more = folder / "more"
assert run("run", TINY, "--output", more, *MORE, ranks=2)[0] == 0
for ranks in (1, 3):
    output = folder / f"sweep-at-{ranks}"
    stop_when(in_sweep, output, signal.SIGTERM, *MORE)
    begun = set(units(output, "unit_end"))
    assert run("run", TINY, "--output", output, *MORE, ranks=ranks)[0] == 0
    sweep = last("sweep_begin", output)
    assert sweep["units"] > 0 and sweep["finished_before"] == len(begun) > 0, sweep
    assert_same_numbers(more, output)

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
