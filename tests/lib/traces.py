"""What sessions leave on the host: mounts, cgroups, runtime files, processes, namespaces. Used before and after."""
import os
import pathlib
import pwd
import re

import accounts
import host

SESSION_ID = re.compile(r"^[0-9a-f]{16}$")
FIRST_SUBUID = 100_000
NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "user", "cgroup")


def cgroup_dirs():
    """Directories of sessions and accounts below any "agentsh" cgroup, on every hierarchy."""
    found = set()
    for base, dirs, _ in os.walk("/sys/fs/cgroup"):
        parts = base.split("/")
        if any(p.startswith("agentsh") for p in parts) and "account-agentsh-unit-test" not in parts:
            if parts[-1] not in ("agentsh", "agentsh.slice", "monitor") and not parts[-1].startswith("agentsh@"):
                found.add(base)
        dirs[:] = [d for d in dirs if d != "process_api"]
    return found


def mounts():
    """Mounts of the host's namespace that speak of agentsh or of a test account."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {" ".join(line.split()[3:]) for line in lines if re.search(r"agentsh|agtest|nsfs", line)}


def runtime_entries():
    try:
        return {name for name in os.listdir(host.SESSIONS)}
    except FileNotFoundError:
        return set()


def test_uids():
    """Uids of the accounts that the tests made."""
    prefixes = (accounts.AGENT_PREFIX, accounts.PLAIN_PREFIX)
    return {entry.pw_uid for entry in pwd.getpwall() if entry.pw_name.startswith(prefixes)}


def ours_processes():
    """Processes that can be a test's: root's, the accounts', and those of subordinate uids."""
    known = test_uids() | {0}
    return [p for p in host.processes() if p.uids & known or min(p.uids) >= FIRST_SUBUID]


def agent_processes(uids):
    """Processes of the agents, of their subordinate uids' inits, and monitors that serve a session."""
    found = set()
    for process in ours_processes():
        ours = bool(process.uids & uids)
        init = process.exe.startswith(str(host.INIT)) or process.name == "agentsh-init"
        monitor = process.name == "agentsh-monitor" and "--listen" not in process.command
        child_monitor = process.name == "agentsh-monitor" and is_session_monitor(process)
        if ours or init or monitor or child_monitor:
            found.add((process.pid, process.name, process.uid))
    return found


def is_session_monitor(process):
    """A monitor that the listener forked: its parent is a monitor too, or it was orphaned while serving."""
    try:
        parent = host.Process(process.ppid)
    except (OSError, KeyError):
        return False
    return parent.name == "agentsh-monitor"


def foreign_namespaces():
    """Namespaces, other than the host's, that a process of ours holds."""
    own = {(kind, host.namespace("self", kind)) for kind in NAMESPACES}
    found = set()
    for process in ours_processes():
        if not process.name.startswith("agentsh"):
            continue
        for kind in NAMESPACES:
            try:
                inode = host.namespace(process.pid, kind)
            except OSError:
                continue
            if (kind, inode) not in own:
                found.add((kind, inode))
    return found


class Snapshot:
    """All traces now. `since(before)` names what is new."""

    KINDS = ("mounts", "cgroups", "runtime", "processes", "namespaces")

    def __init__(self, uids=()):
        uids = set(uids)
        self.mounts = mounts()
        self.cgroups = cgroup_dirs()
        self.runtime = runtime_entries()
        self.processes = agent_processes(uids)
        self.namespaces = foreign_namespaces()

    def since(self, before):
        new = []
        for kind in self.KINDS:
            new += [f"{kind}: {item}" for item in sorted(getattr(self, kind) - getattr(before, kind), key=str)]
        return new


def wait_for_none(before, uids=(), seconds=host.GONE_SECONDS + host.SLACK_SECONDS):
    """[] as soon as nothing is left that `before` did not have, else what is left after the time."""
    left = []

    def none_left():
        left[:] = Snapshot(uids).since(before)
        return not left

    host.wait_until(none_left, seconds)
    return left
