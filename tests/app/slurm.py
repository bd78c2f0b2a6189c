"""A one-node Slurm for a test: the one that is reachable, or a private one as plain processes in the test's folder."""
import atexit
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from support import ENVIRONMENT, skip

DAEMONS = ("munged", "slurmctld", "slurmd")


def answers(environment):
    """Whether a controller is up."""
    done = subprocess.run(["timeout", "5", "scontrol", "ping"], env=environment, capture_output=True, text=True)
    return "is UP" in done.stdout


def wait_for(what, condition):
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            skip(f"a private Slurm did not come up: {what}")
        time.sleep(0.05)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def configuration(folder):
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = free_ports(2)
    return f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,bf_interval=1
MailProg=/bin/true
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={max(2, os.cpu_count())} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def stop(processes):
    """End what this test started, the node first."""
    for process in reversed(processes):
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def slurm(folder):
    """The environment in which srun and sbatch work; skips the test if there is no Slurm and none can be made."""
    missing = [tool for tool in ("srun", "sbatch", "scontrol", "sinfo") if shutil.which(tool) is None]
    if missing:
        skip(f"no Slurm here: no {missing[0]}")
    if answers(ENVIRONMENT):
        return ENVIRONMENT
    missing = [daemon for daemon in DAEMONS if shutil.which(daemon) is None]
    if missing or os.geteuid() != 0:
        skip("no Slurm is reachable, and a private one needs " + (f"{missing[0]}" if missing else "root"))
    folder = Path(folder)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    (folder / "slurm.conf").write_text(configuration(folder))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    environment = ENVIRONMENT | {"SLURM_CONF": str(folder / "slurm.conf")}

    processes = []
    atexit.register(stop, processes)

    def daemon(*command):
        with open(folder / f"{command[0]}.out", "w") as out:
            processes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT))

    daemon("munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.sock",
           f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed")
    wait_for("munged", (folder / "munge.sock").exists)
    daemon("slurmctld", "-D")
    wait_for("slurmctld", lambda: answers(environment))
    daemon("slurmd", "-D")
    wait_for("slurmd", lambda: subprocess.run(["timeout", "5", "sinfo", "-h", "-o", "%T"], env=environment, text=True,
                                              capture_output=True).stdout.strip() in ("idle", "mixed", "allocated"))
    return environment
