"""Under Slurm: exit codes that all ranks agree on, a signal through srun, and the batch script with its requeue."""
import os
import re
import shutil
import signal
import subprocess
import time

from slurm import slurm
from support import PROGRAM, SOURCE, TINY, assert_same_numbers, events, run, scratch, units

folder = scratch()
(folder / "slurm").mkdir()
environment = slurm(folder / "slurm")

# Each task notes its own exit code: srun's is only the largest. The signal is for the program.
NOTE_CODE = 'trap "" USR1; "$@"; code=$?; echo $code > "$CODES/$SLURM_PROCID"; exit $code'


def start(*arguments):
    codes = folder / "codes"
    shutil.rmtree(codes, ignore_errors=True)
    codes.mkdir()
    command = ["srun", "--mpi=pmix", "-n", "2", "--overcommit", "bash", "-c", NOTE_CODE, "bash", str(PROGRAM)]
    return subprocess.Popen([*command, *map(str, arguments)], env=environment | {"CODES": str(codes)}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def end(process, code):
    """Wait for the step; srun and both ranks have ended with `code`. Returns what they printed."""
    text, _ = process.communicate(timeout=60)
    found = [(folder / "codes" / str(rank)).read_text().strip() for rank in range(2)]
    assert process.returncode == code and found == [str(code)] * 2, (process.returncode, found, text)
    return text


def wait_until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def has_begun(output):
    log = output / "log.jsonl"
    return log.exists() and "pretrain_begin" in log.read_text()


# 0, with the numbers that mpirun gives.
reference = folder / "reference"
assert run("run", TINY, "--output", reference, ranks=2)[0] == 0
text = end(start("run", TINY, "--output", folder / "whole"), 0)
assert "2 ranks" in text, text
assert_same_numbers(reference, folder / "whole")

# 2: a wrong suite is said once, not by each rank.
text = end(start("run", TINY, "--output", folder / "wrong", "--set", "repeat=1"), 2)
assert text.count('did you mean "repeats"?') == 1, text

# 75 on a time limit, and on a signal that srun passes on; then on to the end.
end(start("run", TINY, "--output", folder / "limit", "--stop-after", 0.01), 75)
output = folder / "signal"
process = start("run", TINY, "--output", output)
wait_until(lambda: has_begun(output), "pretraining did not begin")
process.send_signal(signal.SIGUSR1)
end(process, 75)
end(start("run", TINY, "--output", output), 0)
assert_same_numbers(reference, output)

# The batch script from a checkout: told that its time runs out it stops, queues itself again and finishes.
checkout = folder / "checkout"
(checkout / "build/release").mkdir(parents=True)
(checkout / "build/release/invaria").symlink_to(PROGRAM)
(checkout / "suites").mkdir()
# Long enough to be signalled in time on a fast machine.
(checkout / "suites/tiny.json").write_text(TINY.read_text().replace('"steps": 60', '"steps": 150'))
batch = ["sbatch", "--overcommit", "--output=job.txt", str(SOURCE / "scripts/slurm/run.sbatch")]
done = subprocess.run([*batch, "suites/tiny.json"], cwd=checkout, env=environment, capture_output=True, text=True)
assert done.returncode == 0, done.stderr
job = re.search(r"\d+", done.stdout).group()
output = checkout / "results/tiny"
wait_until(lambda: has_begun(output), "the batch job did not begin")
subprocess.run(["scancel", "--batch", "--signal=USR1", job], env=environment, check=True)
text_of_job = checkout / "job.txt"
# A queue may hold a job back for two minutes before it starts again.
deadline = time.monotonic() + 200
queue = ["scontrol", "show", "job", job]
while "the program ended with 0" not in (text := text_of_job.read_text()):
    assert time.monotonic() < deadline, text + subprocess.check_output(queue, env=environment, text=True)
    time.sleep(0.1)
assert "start 1: suites/tiny.json" in text and "stopped and saved, queueing again" in text, text
assert "start 2: suites/tiny.json" in text, text
assert [event["end"] for event in events(output) if event["event"] == "run_end"] == ["stopped", "finished"]
assert len(units(output, "unit_begin")) == len(set(units(output, "unit_begin")))
assert run("verify", output)[0] == 0
print("ok")
