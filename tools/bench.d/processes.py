"""Starting, measuring and ending the processes of a run."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Cores:
    """Which cores the proxy under test has, and which the load and the origin: one that wanders, or shares its core with them, costs
    more, and never the same. None: the kernel chooses."""

    proxy = load = None

    @classmethod
    def split(cls):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            cls.proxy, cls.load = {cores[-1]}, set(cores[:-1])


def prepare_child(cores):
    def prepare():
        # Whatever happens to the bench, nothing that it started outlives it.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cores:
            os.sched_setaffinity(0, cores)
    return prepare


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child that listens on a loopback port; ended by its pid."""

    def __init__(self, name, command, port, log_path, cores=None):
        self.name, self.port, self.log_path = name, port, log_path
        self.pinned = cores is not None
        with open(log_path, "wb") as log:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True, preexec_fn=prepare_child(cores))
        self.pid = self._child.pid

    def wait_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                raise RuntimeError(f"{self.name} has ended with {self._child.returncode}:\n{self.log_tail()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.name} does not listen after {seconds} s:\n{self.log_tail()}")

    def alive(self):
        return self._child.poll() is None

    def log_tail(self, lines=15):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def cpu_seconds(self):
        """User and system time of all threads, ended ones too: utime + stime of /proc/PID/stat, in nanoseconds."""
        return time.clock_gettime(((~self.pid) << 3) | 2)

    def memory_mib(self):
        """Resident memory: all of it, and the part that belongs to this process alone."""
        with open(f"/proc/{self.pid}/status") as status:
            found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status.read(), re.M))
        return {"rss": int(found["VmRSS"]) / 1024, "anon": int(found["RssAnon"]) / 1024}

    def guest_memory_mib(self):
        """What guests have touched of their linear memories: V8 puts each in front of gigabytes of guard pages."""
        regions = []
        with open(f"/proc/{self.pid}/smaps") as smaps:
            for line in smaps:
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4})", line)
                if head:
                    regions.append([int(head[1], 16), int(head[2], 16), head[3], 0])
                elif line.startswith("Rss:"):
                    regions[-1][3] = int(line.split()[1])
        kib = 0
        for this, after in zip(regions, regions[1:]):
            guarded = after[2].startswith("---") and after[0] == this[1] and after[1] - after[0] > 1 << 30
            if guarded and this[2].startswith("rw-"):
                kib += this[3]
        return kib / 1024

    def stop(self):
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(2)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()


class Fleet:
    """All processes of a run; leaving the block ends them, last started first."""

    def __init__(self):
        self._processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self._processes:
            self._processes.pop().stop()

    def start(self, name, command, port, log_path, cores=None):
        process = Process(name, command, port, log_path, cores)
        self._processes.append(process)
        return process.wait_ready()

    def stop(self, process):
        self._processes.remove(process)
        process.stop()


def command_version(command, pattern):
    """The version that a program prints about itself, or None where there is no such program."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "?"


def machine():
    with open("/proc/cpuinfo") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    return {"cpu": model[1] if model else os.uname().machine, "cores": os.cpu_count(), "kernel": os.uname().release}
