"""A Slurm cluster of one node for tests, in a private folder, with ports of its own.

``python tests/slurm/cluster.py COMMAND`` runs a command, such as bash, beside such a cluster.

It needs Debian's packages slurm-wlm and munge, and no rights. There is no accounting database, and
memory is watched once a second rather than limited by control groups.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
PACKAGES = "slurm-wlm and munge (Debian, Ubuntu: apt-get install slurm-wlm munge)"
CPUS = 4
"""More than the machine may have: the jobs are small."""
MEMORY_MB = 16_000
SBIN = "/usr/sbin:/sbin"
CANNOT_BE_USED = 77
"""Exit status where Slurm is missing, or does not run a job."""


def missing():
    """Programs that are not installed."""
    path = f"{os.environ['PATH']}:{SBIN}"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class Cluster:
    """Daemons of one node; `environment` has what a client needs.

    Parameters
    ----------
    folder : Path
        Absolute and short, since sockets are in it.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.node = socket.gethostname().partition(".")[0]
        self.config = self.folder / "slurm.conf"
        wrappers = self.folder / "bin"
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.config),
            "PATH": f"{wrappers}:{os.environ['PATH']}:{SBIN}",
        }

    def __enter__(self):
        for name in ("munge", "state", "spool", "log", "bin"):
            (self.folder / name).mkdir()
        self._write_wrapper()
        self._write_configuration()
        try:
            self._start_munge()
            self._start("slurmctld", "-i")
            self.start_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        with contextlib.suppress(subprocess.SubprocessError):
            self.run("scancel", "--user", getpass.getuser())
        for name in ("slurmd", "slurmctld", "munge/munged"):
            self._stop(self.folder / f"{name}.pid", signal.SIGTERM)

    def run(self, *words):
        """Run a client's command; returns its output."""
        result = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return result.stdout

    def start_node(self):
        """Start the daemon of the node, and wait until the node takes jobs."""
        self._start("slurmd", "-N", self.node)
        self._wait(
            lambda: self.run("sinfo", "-hp", "debug", "-o", "%t").strip() in ("idle", "mix"), "node"
        )

    def kill_node(self):
        """Kill the daemon and the jobs of the node, as if it had lost its power."""
        self._stop(self.folder / "slurmd.pid", signal.SIGKILL)
        for pid in _processes_with(f"SLURM_CONF={self.config}"):
            with contextlib.suppress(OSError):
                if "slurmstepd" in _command_of(pid) or _is_in_a_job(pid):
                    os.kill(pid, signal.SIGKILL)

    def jobs(self):
        """Identifiers of running jobs and tasks of arrays."""
        return self.run("squeue", "-h", "-r", "-t", "R", "-o", "%i").split()

    def hurry(self, process):
        """Let the first job that is requeued start at once, and not after two minutes.

        Parameters
        ----------
        process : subprocess.Popen
            Looks for such a job as long as it runs.
        """
        while process.poll() is None:
            for job in self.run("squeue", "-h", "-r", "-t", "PD", "-o", "%i").split():
                with contextlib.suppress(subprocess.SubprocessError):
                    self.run("scontrol", "update", f"JobId={job}", "StartTime=now")
                    return
            time.sleep(1)

    def _write_wrapper(self):
        # A step of a job loses SLURM_CONF before it calls srun.
        wrapper = self.folder / "bin" / "srun"
        srun = shutil.which("srun", path=f"{os.environ['PATH']}:{SBIN}")
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.config} exec {srun} "$@"\n')
        wrapper.chmod(0o755)

    def _write_configuration(self):
        controller, node = _free_ports(2)
        user, folder = getpass.getuser(), self.folder
        self.config.write_text(
            f"""ClusterName=test
SlurmctldHost={self.node}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=30
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,sched_interval=5,bf_interval=2
NodeName={self.node} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MB} Gres=gpu:1 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""
        )
        (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")

    def _start_munge(self):
        place = self.folder / "munge"
        for folder in (self.folder, place):
            folder.chmod(0o755)  # munge wants a socket that everybody can reach
        key = place / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        options = {
            "key-file": key,
            "socket": place / "socket",
            "pid-file": place / "munged.pid",
            "log-file": place / "log",
            "seed-file": place / "seed",
        }
        words = [f"--{name}={path}" for name, path in options.items()]
        old = os.umask(0o077)
        try:
            self.run("munged", *words)
        finally:
            os.umask(old)
        self._wait((place / "socket").exists, "munge")

    def _start(self, name, *words):
        self.run(name, *words)
        self._wait((self.folder / f"{name}.pid").exists, name)

    def _stop(self, pid_file, number):
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            os.kill(pid, number)
            self._wait(lambda: not _lives(pid), pid_file.stem)
            pid_file.unlink(missing_ok=True)

    def _wait(self, is_so, what, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.SubprocessError):
                if is_so():
                    return
            time.sleep(0.1)
        logs = [
            path.read_text(errors="replace")[-2000:]
            for path in self.folder.rglob("*log*")
            if path.is_file()
        ]
        raise TimeoutError(f"{what} is not ready after {seconds} s\n" + "\n".join(logs))


def _free_ports(number):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _lives(pid):
    """Whether a process exists and is no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _processes_with(setting):
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if setting.encode() in (place / "environ").read_bytes().split(b"\0"):
                yield int(place.name)


def _command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _is_in_a_job(pid):
    return b"SLURM_JOB_ID=" in Path(f"/proc/{pid}/environ").read_bytes()


def main():
    """Run a command beside a cluster."""
    if names := missing():
        print(f"error: {', '.join(names)} cannot be found; install {PACKAGES}", file=sys.stderr)
        return CANNOT_BE_USED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and end the daemons
    # Sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(Cluster(folder))
            cluster.run("srun", "-n1", "true")
        except (subprocess.SubprocessError, TimeoutError) as error:
            print(f"error: Slurm does not run a job here: {error}", file=sys.stderr)
            return CANNOT_BE_USED
        return subprocess.run(sys.argv[1:], env=cluster.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
