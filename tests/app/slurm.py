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
TOOLS = ("srun", "sbatch", "scontrol", "sinfo")


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


def configuration(folder, more):
    host = socket.gethostname().split(".")[0]
    memory_MiB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10 // 2**20
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
NodeName={host} NodeAddr=127.0.0.1 CPUs={max(2, os.cpu_count())} RealMemory={memory_MiB} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
{more}
"""


class PrivateSlurm:
    """A Slurm of one node in a folder: plain processes on loopback ports, ended with the test."""

    def __init__(self, folder, more=""):
        missing = [tool for tool in (*TOOLS, *DAEMONS) if shutil.which(tool) is None]
        if missing or os.geteuid() != 0:
            skip("a private Slurm needs " + (missing[0] if missing else "root"))
        self.folder = Path(folder)
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o400)
        (self.folder / "slurm.conf").write_text(configuration(self.folder, more))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self.environment = ENVIRONMENT | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.processes = {}
        atexit.register(self.stop)
        self.start("munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.sock",
                   f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed")
        wait_for("munged", (self.folder / "munge.sock").exists)
        self.start("slurmctld", "-D")
        wait_for("slurmctld", lambda: answers(self.environment))
        self.start_node()

    def start(self, *command):
        with open(self.folder / f"{command[0]}.out", "a") as out:
            self.processes[command[0]] = subprocess.Popen(command, env=self.environment, stdout=out, stderr=subprocess.STDOUT)

    def start_node(self):
        self.start("slurmd", "-D")
        wait_for("slurmd", lambda: self.node_state() in ("idle", "mixed", "allocated", "completing"))

    def node_state(self):
        return self.ask("sinfo", "-h", "--partition=main", "-o", "%T").strip()

    def ask(self, *command):
        """What a command of Slurm prints; empty if it does not answer."""
        return subprocess.run(["timeout", "10", *map(str, command)], env=self.environment, text=True,
                              capture_output=True).stdout

    def stop(self):
        """End what this test started, the node first."""
        self.ask("scancel", "--user=root", "--signal=KILL", "--full")
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def slurm(folder):
    """The environment in which srun and sbatch work; skips the test if there is no Slurm and none can be made."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"no Slurm here: no {missing[0]}")
    return ENVIRONMENT if answers(ENVIRONMENT) else PrivateSlurm(folder).environment
