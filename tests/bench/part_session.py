"""A session through PAM to the first byte of a program in it, and to its end, beside peers."""
import os
import pwd
import shutil
import statistics
import subprocess

import lab as labs
from rounds import Contender, Row, measure

TIMER, FLOOR, ONE_BYTE = (str(labs.TOOLS / name) for name in ("timer", "floor", "one_byte"))
SHELL = "/usr/local/bin/agentsh"

# Every namespace, read-only system, new /proc, /dev, /tmp, /run and home, no capability: what a careful user types.
BWRAP = """--unshare-all --die-with-parent --new-session --hostname jail --cap-drop ALL
 --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64
 --ro-bind /etc /etc --proc /proc --dev /dev --tmpfs /tmp --tmpfs /var/tmp --tmpfs /run --tmpfs /home
 --dir /home/agent --chdir /home/agent --clearenv --setenv HOME /home/agent --setenv PATH /usr/bin:/bin
 --seccomp 9""".split()


def timed(*argv):
    """One run of the clock: seconds by what they lead to."""
    done = subprocess.run([TIMER, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=60)
    if done.returncode != 0:
        raise labs.LabError(f"timer {' '.join(map(str, argv))}: {done.stderr}")
    opened, first, ended, closed = (float(word) / 1e6 for word in done.stdout.split())
    return {"opened": opened, "first": first, "ended": ended, "closed": closed, "closing": closed - ended}


def session_mounts():
    """The mountinfo of a session, from inside."""
    done = subprocess.run(["su", "-", labs.AGENT, "-c", "cat /proc/self/mountinfo"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise labs.LabError(f"su to {labs.AGENT}: {done.stdout}{done.stderr}")
    return [line.split() for line in done.stdout.splitlines()]


TEMPORARY = ("tmp", "var/tmp", "dev/shm", "run")
ROOT = ("dev", "dev/pts", "dev/shm", "proc", "tmp", "run", "var", "var/tmp", "var/empty", "home", f"home/{labs.AGENT}",
        "etc")


def special_mount(kind, path):
    """The plan's line for a mount of its own file system or over /proc; None for what is bound from the host."""
    if kind == "proc":
        return "p proc" if path == "proc" else f"b {path} {path}"
    if path.startswith("proc/"):
        return f"b {path} var/empty" if os.path.isdir("/" + path) else f"b {path} /dev/null"
    if kind == "devpts":
        return "v dev/pts"
    return f"t {path}" if path in TEMPORARY or path.startswith("home/") else None


def bound_mount(path, bound):
    """Lines that bind the host's `path`; below another bind the place is there already."""
    lines = [f"b {path} /{path}"]
    if not any(path.startswith(above + "/") for above in bound):
        lines.insert(0, f"{'d' if os.path.isdir('/' + path) else 'f'} {path}")
        if os.path.dirname(path) not in ("", *ROOT):
            lines.insert(0, f"d {os.path.dirname(path)}")
    return lines


def floor_plan(mountinfo):
    """The session's mounts as floor.c takes them, and how many they are."""
    system, special, bound = [], [], []
    for fields in sorted(mountinfo, key=lambda fields: fields[4].count("/")):
        path, kind = fields[4].strip("/"), fields[fields.index("-") + 1]
        if path == "" or path.startswith("usr/"):  # the root itself, and what comes with /usr
            continue
        line = special_mount(kind, path)
        if line is not None:
            special.append(line)
        else:
            system += bound_mount(path, bound)
            bound.append(path)
    links = [f"l {name} usr/{name}" for name in ("bin", "sbin", "lib", "lib64") if os.path.islink("/" + name)]
    special.sort(key=lambda line: line != "p proc")  # before what covers parts of it
    return "\n".join([*(f"d {path}" for path in ROOT), *links, *system, "r .", *special, ""]), len(mountinfo)


def bwrap_contenders(lab, uid):
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        print("  bwrap is not installed (apt-get install bubblewrap): its lines are left out")
        return []
    given = [f"9={lab.filter()}", bwrap, "bwrap", *BWRAP]
    return [Contender("bwrap", "bwrap, same namespaces and filter", lambda: timed("exec", uid, *given, ONE_BYTE)),
            Contender("bwrap bash", "the same, bash -c", lambda: timed("exec", uid, *given, "/bin/bash", "-c", "echo ."))]


def agent_contender(lab, name, what, shell, command):
    def run():
        lab.set_policy(shell)
        return timed("pam", "su", labs.AGENT, SHELL, "agentsh", "-c", command)
    return Contender(name, what, run)


def contenders(lab):
    uid = pwd.getpwnam(labs.AGENT).pw_uid
    plan, count = floor_plan(session_mounts())
    (lab.directory / "plan").write_text(plan)
    floor = [FLOOR, "floor", lab.filter(), lab.directory / "plan"]
    return [
        agent_contender(lab, "agentsh", "PAM session, one byte from a static program", ONE_BYTE, "."),
        agent_contender(lab, "agentsh bash", "PAM session, bash -c", "/bin/bash", "echo ."),
        Contender("plain", "PAM session of a plain account", lambda: timed("pam", "su", labs.PLAIN, ONE_BYTE, "sh")),
        Contender("plain bash", "the same, bash -c",
                  lambda: timed("pam", "su", labs.PLAIN, "/bin/bash", "bash", "-c", "echo .")),
        Contender("floor", f"floor.c: same namespaces, the same {count} mounts and filter",
                  lambda: timed("exec", uid, *floor, ONE_BYTE, "sh")),
        Contender("floor bash", "the same, bash -c",
                  lambda: timed("exec", uid, *floor, "/bin/bash", "bash", "-c", "echo .")),
        *bwrap_contenders(lab, uid),
    ]


class Report:
    """Rows out of the contenders' rounds. `suffix` tells the runs through bash from those without."""

    def __init__(self, everyone):
        self.by_name = {contender.name: contender for contender in everyone}
        self.rows = []

    def has(self, name):
        return name in self.by_name

    def values(self, name, metric):
        return self.by_name[name].values(metric)

    def add(self, label, name, value, against=None, aim=None, metric="first"):
        if against is not None and not self.has(against):
            return
        reference = self.values(against, metric) if against else None
        self.rows.append(Row(label, self.by_name[name].what, value, "s", reference, against, aim))

    def add_peers(self, suffix):
        for name in ("plain", "floor", "bwrap", "agentsh"):
            if self.has(name + suffix):
                against = None if name in ("plain", "floor") else "floor" + suffix
                self.add(f"{name}{suffix}: first byte", name + suffix, self.values(name + suffix, "first"), against)

    def add_aims(self, suffix):
        """The whole login, then without what PAM's other modules take before ours is asked."""
        name = "agentsh" + suffix
        whole = self.values(name, "first")
        others = statistics.median(self.values("plain" + suffix, "opened"))
        own = [first - others for first in whole]
        for label, value in ((f"{name}: first byte", whole), (f"{name}: the same less plain PAM", own)):
            self.add(label, name, value, "bwrap" + suffix, ("<=", 1.0))
            self.add(label, name, value, "floor" + suffix, ("<=", 1.5))


def report(everyone):
    table = Report(everyone)
    for suffix in ("", " bash"):
        table.add_peers(suffix)
    for suffix in ("", " bash"):
        table.add_aims(suffix)
    table.add("plain: open_session alone", "plain", table.values("plain", "opened"))
    table.add("agentsh: open_session alone", "agentsh", table.values("agentsh", "opened"))
    table.add("plain: open to closed", "plain", table.values("plain", "closed"), "bwrap", metric="ended")
    table.add("agentsh: open to closed", "agentsh", table.values("agentsh", "closed"), "bwrap", metric="ended")
    table.add("agentsh: close_session alone", "agentsh", table.values("agentsh", "closing"))
    return table.rows


def run(lab, rounds, progress):
    session_mounts()  # the first login compiles and keeps the filter
    everyone = contenders(lab)
    measure(everyone, rounds, progress=progress)
    lab.set_policy("/bin/bash")
    return report(everyone)
