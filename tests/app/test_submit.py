"""scripts/slurm/submit on a Slurm of one node: sizes, scripts, chains, arrays, signals, requeues, and what breaks.

With the argument `whole` also what takes minutes: scancel, a real time limit, a node that is lost, one that is drained.
"""
import json
import re
import socket
import subprocess
import sys
import time

import h5py

from slurm import PrivateSlurm
from support import ENVIRONMENT, PROGRAM, SOURCE, TINY, assert_same_numbers, events, run, scratch, units

folder = scratch()
# Queueing again by exit code, as sites with RequeueExit offer; and a node that is given up soon when it does not answer.
# A second node that is only named tells of GPUs; a partition whose jobs give way to another's has a grace time.
HOST = socket.gethostname().split(".")[0]
cluster = PrivateSlurm(folder / "slurm", f"""RequeueExit=85
SlurmdTimeout=10
KillWait=20
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=spare Nodes={HOST} PriorityTier=1 GraceTime=30 PreemptMode=REQUEUE State=UP
PartitionName=urgent Nodes={HOST} PriorityTier=10 PreemptMode=OFF State=UP
GresTypes=gpu
NodeName=named NodeAddr=127.0.0.1 Port=1 CPUs=8 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=accelerated Nodes=named State=UP""")
SUITE = folder / "tiny.json"
SUITE.write_text(json.dumps(json.loads(TINY.read_text().replace('"steps": 60', '"steps": 200')) | {"repeats": 1}))
site = folder / "site.json"


def submit(output, *options, nodes=1, suite=SUITE, **of_site):
    """Run the script; its exit code and what it printed."""
    site.write_text(json.dumps(of_site))
    command = [SOURCE / "scripts/slurm/submit", suite, "--nodes", nodes, "--output", output, "--program", PROGRAM, "--site", site,
               *options]
    done = subprocess.run([*map(str, command)], env=cluster.environment, text=True, stdout=subprocess.PIPE, cwd=folder,
                          stderr=subprocess.STDOUT, timeout=120)
    return done.returncode, done.stdout


def submitted(output, *options, **of_site):
    """Submit; the jobs' ids by name."""
    code, text = submit(output, *options, **of_site)
    assert code == 0, text
    return dict(re.findall(r"^(\w+): job (\d+)", text, re.MULTILINE))


def state(job):
    return ",".join(sorted(set(re.findall(r"JobState=(\w+)", cluster.ask("scontrol", "show", "job", job)))))


def wait_for(job, wanted, timeout=120):
    deadline = time.monotonic() + timeout
    while (found := state(job)) != wanted:
        assert time.monotonic() < deadline and (found not in ("FAILED", "CANCELLED", "TIMEOUT") or found == wanted), (
            wanted, cluster.ask("scontrol", "show", "job", job), *(path.read_text() for path in folder.glob("*/slurm/*.out")))
        time.sleep(0.2)


def wait_until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, (what, cluster.ask("squeue", "-o", "%i %j %T %r"))
        time.sleep(0.05)


def has_begun(output):
    log = output / "log.jsonl"
    return log.exists() and '"step":1,' in log.read_text()


def printed(output, name):
    return "".join(path.read_text() for path in sorted((output / "slurm").glob(f"{name}-*.out")))


def watched(output):
    """`invaria watch` on a run that need not have begun; it prints into a file."""
    with open(folder / f"{output.name}.watch", "w") as file:
        return subprocess.Popen([PROGRAM, "watch", output, "--every", "0.5"], stdout=file, env=ENVIRONMENT)


def seen(watching, output, code=0):
    """What a watch saw, which has ended as the run did."""
    assert watching.wait(timeout=30) == code
    return (folder / f"{output.name}.watch").read_text()


def signalled(output, signal, *options, **of_site):
    """Submit, signal the batch script of pretraining once it has begun; the jobs' ids, and a watch of it all."""
    ids = submitted(output, *options, **of_site)
    watching = watched(output)
    wait_until(lambda: has_begun(output), "pretraining did not begin")
    cluster.ask("scancel", "--batch", f"--signal={signal}", ids["pretrain"])
    return ids, watching


def assert_done_once(output):
    """No unit was done twice, and the run is valid by its files."""
    assert len(units(output, "unit_end")) == len(set(units(output, "unit_end")))
    code, text = run("verify", output)
    assert code == 0, text


one, two = folder / "reference-1", folder / "reference-2"
assert run("run", SUITE, "--output", one, ranks=1)[0] == 0
assert run("run", SUITE, "--output", two, ranks=2)[0] == 0

# What cannot be is said before anything is written.
for options, of_site, why in (
        ((), {"partitoin": "gpu"}, 'unknown key "partitoin", did you mean "partition"?'),
        ((), {"modules": "openmpi"}, 'modules is "openmpi", expected a list of texts'),
        (("--partition", "gpu"), {}, "partition gpu: sinfo knows none of that name"),
        (("--time", "soon"), {}, "--time soon: expected minutes"),
        (("--ranks-per-node", 9999), {}, "do not fit a node"),
        (("--set", "repeat=1"), {}, 'did you mean "repeats"?'),
        (("--array", 2, "--stage", "pretrain"), {}, "--array is of the sweep"),
        (("--without-data",), {}, "--without-data is of --dry-run"),
        (("--nodes", 0), {}, "--nodes 0: expected 1 or more")):
    code, text = submit(folder / "none", *options, **of_site)
    assert code == 2 and why in text, (options, code, text)
code, text = submit(folder / "none", "--dry-run", "--time", "1:30:00", "--array", 5, nodes=2, account="physics",
                    container=["env", "A=b c"], options=["--qos=long"])
assert code == 0 and not (folder / "none").exists(), text
for line in ("#SBATCH --nodes=2", "#SBATCH --time=0-01:30:00", "#SBATCH --signal=B:USR1@120", "#SBATCH --account=physics",
             "#SBATCH --qos=long", "#SBATCH --array=1-5%2", "requeue=85   #", "--dependency=afterok:PRETRAIN --kill-on-invalid-dep=yes",
             "--dependency=afterok:PRETRAIN,afterany:SWEEP", "env 'A=b c' ", '--stage sweep --share "$SLURM_ARRAY_TASK_ID"/5'):
    assert line in text, (line, text)

# What a site file says, and what an option says over it; GPUs as the partition has them, a rank each.
# `module` is a function of the shell that started us.
cluster.environment["BASH_FUNC_module%%"] = f"() {{ echo \"$*\" >> {folder}/modules; [ \"${{SLURM_JOB_ID:-}}\" ] || echo \"$*\" >> {folder}/modules.plan; }}"
code, text = submit(folder / "none", "--dry-run", partition="accelerated", modules=["gcc/12", "openmpi"], mpi="pmi2", requeue="none")
assert code == 0, text
for line in ("module load gcc/12 openmpi", "srun --mpi=pmi2 ", "requeue=none ", "#SBATCH --partition=accelerated", "#SBATCH --gpus-per-node=2",
             "#SBATCH --ntasks-per-node=2", "#SBATCH --cpus-per-task=4", "--device cuda"):
    assert line in text, (line, text)
code, text = submit(folder / "none", "--dry-run", "--partition", "main", partition="accelerated")
assert code == 0 and "#SBATCH --partition=main" in text and "gpus" not in text, text

# Pretraining, told that its time is up; a sweep of two elements after it, one of them told likewise; a merge: one rank's numbers.
# The program is in a container that alone knows it by this name, and a module is loaded before.
output = folder / "array"
inside = ["sh", "-c", f'echo "$1 in the container" >&2; shift; exec {PROGRAM} "$@"', "--"]
ids, watching = signalled(output, "USR1", "--array", 2, "--ranks-per-node", 1, "--program", "/opt/inside/invaria", container=inside,
                modules=["openmpi/4"])
n_plans = (folder / "modules.plan").read_text().splitlines().count("load openmpi/4")
wait_until(lambda: any(event.get("share") == "1/2" and event["event"] == "unit_end" for event in events(output)), "no unit ended", 120)
cluster.ask("scancel", "--batch", "--signal=USR1", f"{ids['sweep']}_1")
wait_for(ids["merge"], "COMPLETED", 180)
assert "finished, VALID" in seen(watching, output)
assert not list((output / "slurm").glob("going-on-*")), list((output / "slurm").iterdir())
assert printed(output, "merge").count("/opt/inside/invaria in the container") == 1, printed(output, "merge")
# For the plan, and for each start: pretraining and an element twice, the other element and the merge once.
loads = (folder / "modules").read_text().splitlines().count("load openmpi/4")
assert n_plans >= 1 and loads == n_plans + 6, (loads, n_plans)
text = printed(output, "sweep")
assert "the time limit is near: stopping the ranks" in text and "start 2 on 1 ranks" in text, text
text = printed(output, "pretrain")
assert "the time limit is near: stopping the ranks" in text and "queueing again by exit code 85" in text, text
assert "start 2 on 1 ranks" in text and "ended with 0" in text, text
assert "share 1/2 in" in printed(output, "sweep") and "share 2/2 in" in printed(output, "sweep")
assert {event["share"] for event in events(output) if event["event"] == "sweep_begin" and "share" in event} == {"1/2", "2/2"}
assert_same_numbers(one, output)
assert_done_once(output)

# A chain of whole jobs, queued again by scontrol; TERM, as before pre-emption. A last one measures, as the suite says.
output = folder / "chain"
measure = {"data": "synthetic-shapes", "images": 8, "strengths": 2, "along_i": 0, "transformations": ["rotation"]}
ids, watching = signalled(output, "TERM", "--ranks-per-node", 2, "--set", f"measure={json.dumps(measure)}", requeue="scontrol")
wait_for(ids["measure"], "COMPLETED", 180)
text = seen(watching, output)
assert "no run has begun here" in text and "stopped; the same command continues" in text and "finished, VALID" in text, text
with h5py.File(output / "results.h5") as file:
    # The amortised encoder at its three corners, and the default one, by three similarities.
    assert len(file["invariance/measurements/encoder"]) == 3 * (3 + 1)
text = printed(output, "pretrain")
assert "told to end: stopping the ranks" in text and "saved, queueing again\n" in text and "start 2 on 2 ranks" in text, text
assert_same_numbers(two, output)
assert_done_once(output)

# A shipped suite that has no tasks: pretraining, a sweep of nothing, a measurement.
output = folder / "invariances"
ids = submitted(output, "--ranks-per-node", 2, "--set", "encoder_defaults.pretraining.steps=2", "--set", "encoder_defaults.pretraining.model.width=4",
                "--set", "measure.images=20", "--set", "measure.strengths=2", suite=SOURCE / "suites/vision-invariances-mini.json")
wait_for(ids["measure"], "COMPLETED", 180)
with h5py.File(output / "results.h5") as file:
    assert len(file["invariance/measurements/encoder"]) > 0

if {"whole", "preempt"} & set(sys.argv):
    # Pre-empted for good: a job of the urgent partition takes the node, and the run saves, waits and goes on.
    output = folder / "preempted"
    ids = submitted(output, "--ranks-per-node", 2, "--partition", "spare", requeue="scontrol")
    wait_until(lambda: has_begun(output), "pretraining did not begin")
    cluster.ask("srun", "--partition", "urgent", "--exclusive", "sleep", "3")
    wait_for(ids["sweep"], "COMPLETED", 300)
    text = printed(output, "pretrain")
    assert "start 2 on 2 ranks" in text, text
    assert_same_numbers(two, output)
    assert_done_once(output)
    print("pre-empted:", *[line for line in text.splitlines() if "told to end" in line or "saved" in line], sep="\n  ")

if "whole" in sys.argv:
    # No more restarts are allowed: the chain ends, and the same command continues.
    output = folder / "cap"
    ids, watching = signalled(output, "USR1", "--ranks-per-node", 2, "--restarts", 0)
    wait_for(ids["pretrain"], "FAILED")
    assert "stopped; the same command continues" in seen(watching, output, code=75)
    assert "given up after 0 restarts" in printed(output, "pretrain")
    wait_for(ids["sweep"], "CANCELLED")  # --kill-on-invalid-dep
    # scancel saves and is not queued again.
    ids = submitted(output, "--ranks-per-node", 2, "--stage", "pretrain", requeue="scontrol")
    wait_until(lambda: "start 1" in printed(output, "pretrain").split("given up")[1] and state(ids["pretrain"]) == "RUNNING", "no start")
    wait_until(lambda: events(output)[-1]["event"] == "pretrain_step", "no step")
    cluster.ask("scancel", ids["pretrain"])
    wait_until(lambda: "Slurm has this job as" in printed(output, "pretrain"), "the cancelled job did not save")
    wait_for(ids["pretrain"], "CANCELLED")
    # An element is cancelled: the last job does its share. Its units were begun, and are done once.
    ids = submitted(output, "--ranks-per-node", 1, "--array", 2, "--stage", "sweep")
    wait_for(ids["merge"], "FAILED")  # nothing is pretrained to its end
    assert "--stage pretrain first" in printed(output, "merge")
    ids = submitted(output, "--ranks-per-node", 2, "--array", 2)
    wait_for(ids["pretrain"], "COMPLETED")
    cluster.ask("scancel", f"{ids['sweep']}_2")
    wait_for(ids["merge"], "COMPLETED", 180)
    assert_same_numbers(two, output)
    assert_done_once(output)

    # Longer than its limit of a minute: queued again until it is finished.
    SUITE.write_text(SUITE.read_text().replace('"steps": 200', '"steps": 3000'))
    long = folder / "reference-long"
    assert run("run", SUITE, "--output", long, timeout=900)[0] == 0
    output = folder / "limit"
    ids = submitted(output, "--ranks-per-node", 1, "--time", 1)
    wait_for(ids["sweep"], "COMPLETED", 1800)
    text = printed(output, "pretrain")
    restarts = text.count("the time limit is near")
    assert restarts >= 1 and text.count("queueing again by exit code 85") == restarts, text
    assert_same_numbers(long, output)
    assert_done_once(output)
    print(f"finished after {restarts} restarts at the time limit")

    # The node's daemon is killed, and given up, and comes back: Slurm queues the job again.
    output = folder / "lost"
    ids = submitted(output, "--ranks-per-node", 1)
    wait_until(lambda: has_begun(output), "pretraining did not begin")
    cluster.processes["slurmd"].kill()
    cluster.processes["slurmd"].wait()
    wait_until(lambda: cluster.node_state().startswith("down"), "the node was not given up", 120)
    cluster.start_node()
    wait_for(ids["sweep"], "COMPLETED", 1200)
    assert "start 2 on 1 ranks" in printed(output, "pretrain"), printed(output, "pretrain")
    assert_same_numbers(long, output)
    assert_done_once(output)

    # A node that is drained finishes its job and takes no other until it is resumed.
    output = folder / "drained"
    ids = submitted(output, "--ranks-per-node", 1)
    wait_until(lambda: has_begun(output), "pretraining did not begin")
    cluster.ask("scontrol", "update", f"nodename={HOST}", "state=drain", "reason=test")
    wait_for(ids["pretrain"], "COMPLETED", 600)
    assert state(ids["sweep"]) == "PENDING"
    cluster.ask("scontrol", "update", f"nodename={HOST}", "state=resume")
    wait_for(ids["sweep"], "COMPLETED", 600)
    assert_same_numbers(long, output)
    assert_done_once(output)
print("ok")
