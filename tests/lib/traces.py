"""What sessions leave on the host: mounts, cgroups, runtime files, processes, namespaces. Used before and after."""
import contextlib
import os
import pathlib
import pwd
import re

import accounts
import host
import installation

SESSION_ID = re.compile(r"^[0-9a-f]{16}$")
# Subordinate ranges, and the uids of jails around virtual machines.
FIRST_SUBUID, LAST_SUBUID = 100_000, 1 << 31
OUR_ACCOUNTS = (f"account-{accounts.AGENT_PREFIX}", f"account-{accounts.PLAIN_PREFIX}")
OF_NO_SESSION = ("agentsh", "agentsh.slice", "agentsh.socket", "monitor")
NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "user", "cgroup")


def cgroup_dirs():
    """Directories of sessions and accounts below any "agentsh" cgroup, on every hierarchy."""
    found = set()
    for base, dirs, _ in os.walk("/sys/fs/cgroup"):
        parts = base.split("/")
        foreign = any(p.startswith("account-") and not p.startswith(OUR_ACCOUNTS) for p in parts)
        if any(p.startswith("agentsh") for p in parts) and not foreign:
            if parts[-1] not in OF_NO_SESSION and not parts[-1].startswith("agentsh@"):
                found.add(base)
        dirs[:] = [d for d in dirs if d != "process_api"]
    return found


def remove_left_over():
    """Cgroups of an earlier run that was killed. A busy one stays, and fails the run's last check."""
    for path in sorted(cgroup_dirs(), key=len, reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(path)


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
    """The accounts' processes, those of subordinate uids, and the monitors of sessions."""
    everything, known = host.processes(), test_uids()
    found = [p for p in everything if p.uids & known or FIRST_SUBUID <= min(p.uids) < LAST_SUBUID]
    return found + installation.monitors(everything)


def agent_processes(ours):
    """A monitor that is just being started, or reaped, is no trace: it is waited for."""
    return {(p.pid, p.name, p.uid) for p in ours if not p.name.startswith("sshd") or p.uid != 0}


def foreign_namespaces(ours):
    """Namespaces, other than the host's, that one of these processes holds."""
    own = {(kind, host.namespace("self", kind)) for kind in NAMESPACES}
    found = set()
    for process in ours:
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

    def __init__(self):
        self.mounts = mounts()
        self.cgroups = cgroup_dirs()
        self.runtime = runtime_entries()
        ours = ours_processes()
        self.processes = agent_processes(ours)
        self.namespaces = foreign_namespaces(ours)

    def since(self, before):
        new = []
        for kind in self.KINDS:
            new += [f"{kind}: {item}" for item in sorted(getattr(self, kind) - getattr(before, kind), key=str)]
        return new


def wait_for_none(before, seconds=host.GONE_SECONDS + host.SLACK_SECONDS):
    """[] as soon as nothing is left that `before` did not have, else what is left after the time."""
    left = []

    def none_left():
        left[:] = Snapshot().since(before)
        return not left

    host.wait_until(none_left, seconds)
    return left
