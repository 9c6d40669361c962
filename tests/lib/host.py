"""The machine under test: where things are, how to run a program, what processes there are. No agentsh in it."""
import os
import pathlib
import pwd
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


def user_exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class Process:
    """One process as /proc shows it now; fields are read once, at construction."""

    def __init__(self, pid):
        self.pid = pid
        base = pathlib.Path("/proc") / str(pid)
        status = dict(line.split(":\t", 1) for line in (base / "status").read_text().splitlines() if ":\t" in line)
        self.name = status["Name"]
        self.ppid = int(status["PPid"])
        self.uid = int(status["Uid"].split()[1])
        self.uids = {int(u) for u in status["Uid"].split()}
        self.state = status["State"][0]
        self.depth = len(status.get("NSpid", "0").split())
        self.command = (base / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        try:
            self.exe = os.readlink(base / "exe")
        except OSError:
            self.exe = ""

    def __repr__(self):
        return f"{self.pid}({self.name} uid={self.uid} {self.command[:60]!r})"


def processes():
    """Every live process (zombies left out)."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                process = Process(int(entry))
            except (OSError, KeyError, ValueError):
                continue
            if process.state not in "ZX":
                found.append(process)
    return found


def processes_here():
    """Those of this pid namespace proper: what runs in containers, and inside sessions, is left out."""
    depth = Process(os.getpid()).depth
    return [p for p in processes() if p.depth == depth]


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
