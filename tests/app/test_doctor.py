"""`doctor`: each line as ok, and as the warning or error that the machine, or a lie about it, provokes, with its mend."""
import os
import shutil
import subprocess
from pathlib import Path

from support import run, scratch, skip

folder = scratch()


def line(text, what):
    """The first line about `what`: its health, and itself with the mend below it."""
    lines = text.splitlines()
    at = next(n for n, found in enumerate(lines) if found[9:].startswith(what + " "))
    mend = lines[at + 1] if at + 1 < len(lines) and lines[at + 1].lstrip().startswith("-> ") else ""
    return lines[at].split()[0], lines[at] + mend


def doctor(what, health, *pieces, arguments=(), ranks=0, environment=None):
    """Provoked so, the line about `what` has this health and holds the pieces; the exit code is 3 for an error."""
    code, text = run("doctor", *arguments, ranks=ranks, environment=environment)
    found, words = line(text, what)
    assert found == health and code == (3 if health == "error" else 0), (code, text)
    for piece in pieces:
        assert piece in words, f"{piece!r} is not in {words!r}"
    assert health == "ok" or "-> " in words, f"no mend: {words}"


# A machine as it is: nothing stops a run, and each version is named.
code, text = run("doctor", "--output", folder)
assert code == 0 and "error" not in text.split(), text
for what in ("host", "MPI world", "MPI threads", "CUDA", "cuDNN", "NCCL", "HDF5", "LibTorch", "fsync", "locking"):
    assert line(text, what)[0] == "ok", text

# The launcher: more ranks asked for than this world has.
doctor("MPI world", "error", "1 rank, the launcher started 4", "--mpi=pmix", environment={"OMPI_COMM_WORLD_SIZE": "4"})
doctor("MPI world", "error", "1 rank, the launcher started 2",
       environment={"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"})
doctor("MPI world", "ok", "1 rank", environment={"SLURM_NTASKS": "2"})  # inside an allocation, not started by srun
doctor("MPI world", "ok", "2 ranks on 1 node", ranks=2)

# Threads.
doctor("threads", "warning", "oversubscribed", "start fewer ranks", "unset OMP_NUM_THREADS", ranks=os.cpu_count() + 1)
doctor("threads", "ok", environment={"OMP_NUM_THREADS": str(os.cpu_count())})
if os.cpu_count() > 1:
    doctor("threads", "warning", "cores left idle", environment={"OMP_NUM_THREADS": "1"})

# Output.
(folder / "file").write_text("in the way")
doctor("output", "error", "cannot write", "another --output", arguments=("--output", "/proc/1"))
doctor("output", "error", "cannot write", arguments=("--output", folder / "file"))
doctor("fsync", "ok", str(folder), arguments=("--output", folder / "not/yet/there"))

# Data: found, missing with the manifest's way to get it, there but not what the manifest says.
doctor("data           not", "ok", "not here: ", "cifar10")
doctor("data           not", "ok", "not here: ", "cifar10", arguments=("--data", folder))
(folder / "data/cifar-10-batches-bin").mkdir(parents=True)
doctor("data           cifar10:", "warning", "data_batch_1.bin", arguments=("--data", folder / "data"))

# What this machine has not, by a preloaded library that says otherwise.
compiler = shutil.which("cc") or shutil.which("gcc")
if compiler is None:
    skip("no C compiler for the lines of doctor that only a lie can provoke; all others are as they should be")
library = folder / "lies.so"
subprocess.run([compiler, "-shared", "-fPIC", "-o", library, Path(__file__).parent / "lies.c", "-ldl"], check=True)
for lie, what, health, *pieces in [
        ("nothing", "fsync", "ok"),
        ("fsync", "fsync", "error", "another --output"),
        ("flock", "locking", "warning", "No locks available", "never start two runs"),
        ("statvfs", "space", "warning", "0.0 GiB free", "make room"),
        ("MPI_Query_thread", "MPI threads", "error", "level 1", "MPI built with thread support"),
        ("cudaRuntimeGetVersion", "CUDA", "error", "9.1 at run time, built with", "LD_LIBRARY_PATH"),
        ("cudnnGetVersion", "cuDNN", "error", "1.2.3 at run time, built with", "LD_LIBRARY_PATH"),
        ("ncclGetVersion", "NCCL", "error", "1.2.3 at run time, built with", "LD_LIBRARY_PATH"),
        ("H5get_libversion", "HDF5", "error", "1.2.3 at run time, built with", "LD_LIBRARY_PATH"),
        ("old driver", "GPU driver", "error", "speaks CUDA 12.4", "update the driver"),
        ("no usable GPU", "GPU", "warning", "a driver but no usable GPU", "nvidia-smi")]:
    doctor(what, health, *pieces, environment={"LD_PRELOAD": str(library), "LIE": lie})
print("ok")
