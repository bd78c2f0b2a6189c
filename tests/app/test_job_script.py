"""scripts/slurm/submit and its batch script without a Slurm: commands that answer as Slurm's would stand in for them."""
import json
import os
import re
import subprocess

from support import PROGRAM, SOURCE, TINY, scratch

WORK = scratch()
FAKES = WORK / "fakes"
FAKES.mkdir()
ENVIRONMENT = os.environ | {"PATH": f"{FAKES}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_JOB_NUM_NODES": "1"}


def fake(name, text):
    (FAKES / name).write_text(f"#!/bin/sh\n{text}\n")
    (FAKES / name).chmod(0o755)


def submit(*options):
    words = [SOURCE / "scripts/slurm/submit", TINY, "--nodes", "1", "--ranks-per-node", "2", "--program", PROGRAM, "--output", WORK / "out",
             *options]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    return done.returncode, done.stdout + done.stderr


def site_has(limit="infinite", requeue="(null)"):
    fake("sinfo", f'echo "main*|4|16000|(null)|{limit}"')
    fake("scontrol", f'[ "$1" = requeue ] && touch {WORK}/requeued; echo "RequeueExit             = {requeue}"')


def job(ended_with, restarts=0):
    """How the batch script that was submitted last ends, after a program that ended like that."""
    fake("srun", f"exit {ended_with}")
    fake("squeue", "echo RUNNING")
    script = next((WORK / "out/slurm").glob("pretrain*.sh"))
    done = subprocess.run(["bash", script], capture_output=True, text=True, env=ENVIRONMENT | {"SLURM_RESTART_COUNT": str(restarts)},
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


fake("sbatch", "echo 7")

# Limits, as sbatch takes them; a partition without one.
for limit, option, line in (("infinite", "UNLIMITED", "--time=UNLIMITED"), ("infinite", "0", "--time=UNLIMITED"),
                            ("infinite", "2-0", "--time=2-00:00:00"), ("1:00:00", "30", "--time=0-00:30:00")):
    site_has(limit)
    code, text = submit("--dry-run", "--time", option)
    assert code == 0 and f"#SBATCH {line}\n" in text, (option, text)
site_has("1:00:00")
code, text = submit("--dry-run", "--time", "UNLIMITED")
assert code == 2 and "--time UNLIMITED: partition (default) allows 0-01:00:00" in text, text

# Jobs for data that are not here: sized where that is asked for, refused else.
missing = ("--set", 'data[0].name="cub200"', "--set", 'task_defaults={}', "--set", 'tasks=[{"name":"birds","data":"cub200"}]', "--set",
           'encoder_defaults.pretraining.data="cub200"', "--set", 'sensitivity.data=""')
site_has()
code, text = submit("--dry-run", *missing)
assert code == 2 and 'found no data for "cub200"' in text, text
code, text = submit("--dry-run", "--without-data", *missing)
assert code == 0 and text.count("#SBATCH --ntasks=2") == 2, text

# Names with blanks reach sbatch in one piece.
code, text = submit("--dry-run", "--output", WORK / 'a "b" c')
assert code == 0 and f'#SBATCH --output="{WORK}/a \\"b\\" c/slurm/pretrain-%j.out"\n' in text, text
assert f"#SBATCH --chdir={os.getcwd()}\n" in text, text

# Half a chain is not left behind.
fake("sbatch", 'case "$*" in *sweep.sh) echo "Invalid job array specification" >&2; exit 1 ;; esac; echo 7')
fake("scancel", f'echo "$*" > {WORK}/cancelled')
code, text = submit("--array", "2000")
assert code == 2 and "Invalid job array specification" in text and (WORK / "cancelled").read_text() == "7\n", text
fake("sbatch", "echo 7")

# How jobs end where the site's RequeueExit lists the program's own codes: a job is queued again where it was stopped, and not for ever.
for listed, options, ended_with, restarts, expected, told in (
        ("85", (), 75, 0, 85, "queueing again by exit code 85"),
        ("85", ("--restarts", "3"), 75, 3, 75, "given up after 3 restarts"),
        ("75,85", (), 75, 0, 75, "queueing again by exit code 75"),
        ("75,85", ("--restarts", "3"), 75, 3, 79, "given up after 3 restarts"),
        ("1-4,75,79", (), 3, 0, 80, "with exit code 80, for after 3 this site queues a job again"),
        ("(null)", (), 1, 0, 1, "--stage sweep does what can be done without them"),
        ("(null)", (), 0, 0, 0, "the program ended with 0")):
    site_has(requeue=listed)
    code, text = submit(*options)
    assert code == 0, text
    code, text = job(ended_with, restarts)
    assert code == expected and told in text, (listed, ended_with, code, text)
    assert not (WORK / "requeued").exists()
site_has()
assert submit()[0] == 0
code, text = job(75)
assert code == 75 and (WORK / "requeued").exists() and "saved, queueing again" in text, text
assert re.search(r"^spare=79 ", next((WORK / "out/slurm").glob("pretrain*.sh")).read_text(), re.MULTILINE)

# What fails before the program begins ends the job too: here the site's modules.
fake("bash", 'case "$*" in *"module load"*) shift; exec /bin/bash -c "module() { :; }; $*" ;; *) exec /bin/bash "$@" ;; esac')
(WORK / "site.json").write_text(json.dumps({"modules": ["openmpi"]}))
site_has(requeue="75,127")
code, text = submit("--site", WORK / "site.json")
assert code == 0, text
(FAKES / "bash").unlink()
code, text = job(0)
assert code == 79 and "module" in text and not list((WORK / "out/slurm").glob("going-on-*")), (code, text)
print("ok")
