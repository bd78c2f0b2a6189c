"""Under srun: exit codes that all ranks agree on, a signal that srun passes on, and worlds that are not what Slurm says."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

import h5py

from slurm import slurm
from support import PROGRAM, TINY, assert_same_numbers, command, run, scratch

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


def is_rank(pid, output, rank):
    """Whether a process is that rank of a run."""
    try:
        environ = open(f"/proc/{pid}/environ").read().split("\0")
        return (os.readlink(f"/proc/{pid}/exe") == str(PROGRAM) and f"SLURM_PROCID={rank}" in environ
                and str(output) in open(f"/proc/{pid}/cmdline").read())
    except OSError:
        return False  # it has ended meanwhile


# 0, with the numbers that mpirun gives.
reference = folder / "reference"
assert run("run", TINY, "--output", reference, ranks=2)[0] == 0
text = end(start("run", TINY, "--output", folder / "whole"), 0)
assert "2 ranks" in text, text
assert_same_numbers(reference, folder / "whole")
with h5py.File(folder / "whole/results.h5") as file:
    job = json.loads(file.attrs["slurm"])
    assert job["job_id"].isdigit() and job["job_partition"], job

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

# A rank that hangs: srun ends with 75 too, so that a batch script queues again.
output = folder / "hangs"
process = start("run", TINY, "--output", output, "--watchdog", 2, "--set", "encoder_defaults.pretraining.steps=400")
wait_until(lambda: has_begun(output), "pretraining did not begin")
pids = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if is_rank(pid, output, 1)]
assert len(pids) == 1, pids
os.kill(int(pids[0]), signal.SIGSTOP)
text, _ = process.communicate(timeout=60)
assert process.returncode == 75 and "rank 1 on " in text and "has not been heard of" in text, (process.returncode, text)

# A step that got less than Slurm says, and a program that nobody started in as many tasks as the job has.
program = [str(PROGRAM), "run", str(TINY), "--output", str(folder / "no")]
done = subprocess.run(["sbatch", "--wait", "--overcommit", "-n", "2", "--output=batch.txt", f"--wrap={shlex.join(program)}"],
                      env=environment, cwd=folder, timeout=60)
text = (folder / "batch.txt").read_text()
assert done.returncode == 3 and not (folder / "no").exists(), (done.returncode, text)
assert "Slurm counts 2 tasks here and MPI sees 1 rank: start the program with `srun --mpi=pmix`" in text, text
# Under mpirun the world is as large as it was told, and whom Slurm counts besides is said.
done = subprocess.run(["sbatch", "--wait", "--overcommit", "-n", "2", "--output=mpirun.txt",
                       f"--wrap=OMPI_MCA_plm=isolated OMPI_MCA_ras=^slurm {shlex.join(command('run', folder / 'none.json', '--output', folder / 'no', ranks=1))}"],
                      env=environment, cwd=folder, timeout=60)
text = (folder / "mpirun.txt").read_text()
assert "warning: Slurm counts 2 tasks in this job and mpirun started 1" in text, text
for variable, value, expected in (("CPUS_PER_TASK", 999, "Slurm counts 999 CPUs a task and a rank may run on"),
                                  ("GPUS_ON_NODE", 999, "Slurm gives the job 999 GPUs")):
    (folder / "step").write_text(f"#!/bin/sh\nSLURM_{variable}={value} exec {shlex.join(program)}\n")
    (folder / "step").chmod(0o755)
    done = subprocess.run(["srun", "--mpi=pmix", "--overcommit", "-n", "2", str(folder / "step")], env=environment, text=True,
                          timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 3 and done.stdout.count(expected) == 1 and not (folder / "no").exists(), done.stdout
print("ok")
