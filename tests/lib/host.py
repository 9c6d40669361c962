"""The machine under test: where things are, how to run a program, what processes there are. No agentsh in it."""
import functools
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("AGENTSH_BUILD", TOP / "build")).resolve()
FAULTS_BUILD = pathlib.Path(os.environ.get("AGENTSH_FAULTS_BUILD", BUILD / "faults")).resolve()

PREFIX = pathlib.Path("/usr/local")
SHELL = PREFIX / "bin/agentsh"
MONITOR = PREFIX / "lib/agentsh/agentsh-monitor"
INIT = PREFIX / "lib/agentsh/agentsh-init"
PROBE = PREFIX / "lib/agentsh/agentsh-probe"
CTL = PREFIX / "sbin/agentshctl"
CONFIG = pathlib.Path("/etc/agentsh")
RUNTIME = pathlib.Path("/run/agentsh")
SESSIONS = RUNTIME / "sessions"
CONTROL = RUNTIME / "control"
HOMES = pathlib.Path("/var/lib/agentsh/homes")
UNITS = pathlib.Path("/etc/systemd/system")
LOGS = pathlib.Path("/var/log/agentsh")
AUDIT = LOGS / "sessions.jsonl"

# "Within two seconds nothing is left", plus what a loaded two-core machine needs to run the test itself.
GONE_SECONDS = 2.0
SLACK_SECONDS = 1.5


# Every time limit of a test is multiplied with this; 1 is a machine that runs at its own speed (tests/lab/guest/run).
PATIENCE = float(os.environ.get("AGENTSH_TEST_PATIENCE", "1"))


def run(*argv, timeout=60, check=False, text=True, **kwargs):
    """subprocess.run with captured output, a time limit and an stdin that never blocks."""
    if "input" not in kwargs:
        kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    if text:
        kwargs.setdefault("errors", "replace")
    done = subprocess.run([str(a) for a in argv], timeout=timeout, text=text, check=False, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(condition, seconds=GONE_SECONDS + SLACK_SECONDS, step=0.03):
    """The first true value of condition() within the time, else its last one."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(step)


def have(program):
    return shutil.which(program) is not None


def must_run():
    return os.environ.get("AGENTSH_MUST_RUN") == "1" or os.environ.get("CI") == "true"


def cgroup_is_v2():
    """Whether cgroup v2 is all there is."""
    return run("stat", "-f", "-c", "%T", "/sys/fs/cgroup").stdout == "cgroup2fs\n"


def user_exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class Process:
    """One process as /proc shows it now; `command` and `exe` when they are asked for, "" when it is gone by then."""

    STATUS = re.compile(r"Name:\t(.*?)\n.*?State:\t(.).*?\nPPid:\t(\d+)\n.*?\nUid:\t([\d\t]+)\n"
                        r"(?:.*?\nNSpid:\t([\d\t]+)\n)?", re.DOTALL)

    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            found = self.STATUS.match(status.read())
        if found is None:
            raise ProcessLookupError(pid)
        self.name, self.state, ppid, uids, pids = found.groups()
        uids = [int(uid) for uid in uids.split()]
        self.ppid, self.uid, self.uids = int(ppid), uids[1], set(uids)
        self.depth = len((pids or "0").split())

    @functools.cached_property
    def command(self):
        try:
            words = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            return ""
        return words.decode(errors="replace").strip()

    @functools.cached_property
    def exe(self):
        try:
            return os.readlink(f"/proc/{self.pid}/exe")
        except OSError:
            return ""

    def __repr__(self):
        return f"{self.pid}({self.name} uid={self.uid} {self.command[:60]!r})"


def processes():
    """Every live process (zombies left out)."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                process = Process(int(entry))
            except (OSError, ValueError):
                continue
            if process.state not in "ZX":
                found.append(process)
    return found


def processes_here(everything=None):
    """Those of this pid namespace proper: what runs in containers, and inside sessions, is left out."""
    depth = Process(os.getpid()).depth
    return [p for p in (processes() if everything is None else everything) if p.depth == depth]


def processes_of(*uids):
    return [p for p in processes() if p.uids & set(uids)]


def descendants(pid):
    """Live processes below pid."""
    everything = processes()
    wanted, found = {pid}, []
    while True:
        more = [p for p in everything if p.ppid in wanted and p.pid not in wanted]
        if not more:
            return found
        found += more
        wanted |= {p.pid for p in more}


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")
