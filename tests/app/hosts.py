"""Two hosts on one machine: namespaces with a name, a network and a /dev/shm of their own, joined by one link."""
import atexit
import os
import shutil
import subprocess

from support import ENVIRONMENT, skip

NAMES = ("alpha", "beta")
TOOLS = ("unshare", "nsenter", "ip", "mpirun")


class TwoHosts:
    """mpirun on the first one, its ranks on both; skips the test where namespaces cannot be made."""

    def __init__(self, folder):
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing or os.geteuid() != 0:
            skip("hosts of namespaces need " + (missing[0] if missing else "root"))
        self.hosts = {}
        atexit.register(self.stop)
        for name in NAMES:
            self.hosts[name] = subprocess.Popen(
                ["unshare", "--net", "--uts", "--mount", "sh", "-c",
                 f"hostname {name} && mount -t tmpfs tmpfs /dev/shm && ip link set lo up && echo ready && exec sleep infinity"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if self.hosts[name].stdout.readline() != "ready\n":
                skip(f"no namespaces here: {self.hosts[name].stderr.read().strip()}")
        links = [f"inv{process.pid}" for process in self.hosts.values()]
        self.make("ip", "link", "add", links[0], "type", "veth", "peer", "name", links[1])
        for link, (name, process) in zip(links, self.hosts.items()):
            self.make("ip", "link", "set", link, "netns", str(process.pid))
            self.make(*self.on(name), "ip", "addr", "add", f"{self.address(name)}/24", "dev", link)
            self.make(*self.on(name), "ip", "link", "set", link, "up")
        # What ssh is between real hosts.
        self.agent = folder / "agent"
        cases = "".join(f"{self.address(name)}) pid={process.pid} ;;\n" for name, process in self.hosts.items())
        self.agent.write_text(f'#!/bin/sh\nhost=$1\nshift\ncase $host in\n{cases}esac\n'
                              'exec nsenter --target $pid --net --uts --mount sh -c "$*"\n')
        self.agent.chmod(0o755)

    def make(self, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            skip(f"no link between namespaces here: {' '.join(command)}: {done.stderr.strip()}")

    def address(self, name):
        return f"10.77.0.{NAMES.index(name) + 1}"

    def on(self, name):
        return ["nsenter", "--target", str(self.hosts[name].pid), "--net", "--uts", "--mount"]

    def mpirun(self, *command, ranks_per_host=2):
        """The command line that starts a program on both."""
        where = ",".join(f"{self.address(name)}:{ranks_per_host}" for name in NAMES)
        return [*self.on(NAMES[0]), "mpirun", "--timeout", "240", "--bind-to", "none", "--oversubscribe", "--mca", "plm_rsh_agent", str(self.agent),
                "--mca", "btl", "tcp,self,vader", "--mca", "btl_tcp_if_include", "10.77.0.0/24", "--mca", "oob_tcp_if_include",
                "10.77.0.0/24", "--host", where, "-x", "OMP_NUM_THREADS", "-n", str(ranks_per_host * len(NAMES)),
                *map(str, command)]

    def start(self, *command):
        return subprocess.Popen(self.mpirun(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)

    def run(self, *command, timeout=300):
        done = subprocess.run(self.mpirun(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=ENVIRONMENT, timeout=timeout)
        return done.returncode, done.stdout

    def processes(self, name, program):
        """Process ids of a program on a host, by rank."""
        found = {}
        uts = os.readlink(f"/proc/{self.hosts[name].pid}/ns/uts")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/uts") != uts or os.readlink(f"/proc/{pid}/exe") != str(program):
                    continue
                environ = open(f"/proc/{pid}/environ").read()
                found[int(environ.split("OMPI_COMM_WORLD_RANK=")[1].split("\0")[0])] = int(pid)
            except OSError:
                continue  # it has ended meanwhile
        return found

    @staticmethod
    def windows(pid):
        """Memory that a process shares with the others of its host: (device, inode) of each MPI window -> bytes."""
        found = {}
        for line in open(f"/proc/{pid}/maps"):
            addresses, _, _, device, inode, *name = line.split()
            if name and name[0].startswith("/dev/shm/osc_sm"):
                first, last = (int(address, 16) for address in addresses.split("-"))
                found[device, inode] = last - first
        return found

    def stop(self):
        for process in self.hosts.values():
            process.kill()
            process.wait()
