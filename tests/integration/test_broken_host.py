"""A host that has run out of something, or takes no write: a login is refused with the reason or works, nothing is left,
and the next login on the repaired host works. The host is broken for the listener under test alone."""
import contextlib
import json
import os
import pathlib
import re
import subprocess

import host
import installation
import pytest
import traces
from sshd import environment, wait_for_line

INSIDE = "echo inside-$((40+2))"
MARK = "inside-42"


def login(agent):
    return host.run("su", "-", agent.name, "-c", INSIDE, env=environment())


class Outcome:
    """One login on a broken host, and what the listener logged of it."""

    def __init__(self, work, agent, mounts, monitor=host.MONITOR):
        before = traces.Snapshot()
        records = len(installation.audit_lines(agent.name))
        with installation.Listener(work, program=monitor, mounts=mounts) as listener:
            self.done = login(agent)
            self.left = traces.wait_for_none(before)
            self.log = listener.read_log()
            self.alive = listener.process.poll() is None
            root = pathlib.Path(f"/proc/{listener.process.pid}/root")
            self.sessions = os.listdir(root / str(host.SESSIONS)[1:])
            # The listener serves on when it has what it needs again: seen from the next test's first login.
        self.seen = self.done.stdout + self.done.stderr
        self.worked = MARK in self.seen
        self.records = installation.audit_lines(agent.name)[records:]

    def check(self):
        assert self.alive and self.left == [] and self.sessions == [], (self.left, self.sessions, self.log)
        if self.worked:
            assert self.done.returncode == 0
        else:
            assert self.done.returncode != 0
            assert "agentsh" in self.seen or "Permission denied" in self.seen or "session" in self.seen, self.seen

    def refused(self, reason):
        self.check()
        assert not self.worked, "the login went on"
        assert re.search(reason, self.log), self.log


def next_login_works(agent):
    done = login(agent)
    assert MARK in done.stdout, done.stderr


class TestFull:
    @pytest.mark.parametrize("files", range(1, 6))
    def test_no_room_for_files_in_run(self, work, agent, files):
        """The session's directory, its lock, its files, its socket: each in turn is the one too many."""
        outcome = Outcome(work, agent, f"mount -t tmpfs -o mode=711,nr_inodes={files} none {host.SESSIONS}")
        outcome.refused("No space left on device")
        next_login_works(agent)

    def test_no_room_for_bytes_in_run(self, work, agent):
        outcome = Outcome(work, agent, f"mount -t tmpfs -o mode=711,size=4k none {host.SESSIONS}")
        outcome.refused("No space left on device")
        next_login_works(agent)

    @pytest.mark.parametrize("place", ["etc", "seccomp"])
    def test_no_room_for_caches(self, work, agent, place):
        """A cache that cannot be kept is no reason to refuse, but what comes of it must be whole."""
        outcome = Outcome(work, agent, f"mount -t tmpfs -o mode=700,size=4k,nr_inodes=2 none {host.RUNTIME}/{place}")
        outcome.check()
        if not outcome.worked:
            assert "No space left on device" in outcome.log
        next_login_works(agent)

    def test_no_room_for_the_record(self, work, agent):
        """The file cannot be made: nobody gets in unrecorded."""
        outcome = Outcome(work, agent, f"mount -t tmpfs -o mode=700,nr_inodes=1 none {host.LOGS}")
        outcome.refused("audit log")
        next_login_works(agent)

    def test_record_that_is_cut(self, work, agent):
        """The disk fills up during the session: the loss is logged, and later records are whole again."""
        full = (f"mount -t tmpfs -o mode=700,size=8k none {host.LOGS}; "
                f"head -c 8100 /dev/zero | tr '\\0' x > {host.AUDIT}; echo >> {host.AUDIT}; chmod 600 {host.AUDIT}")
        with installation.Listener(work, mounts=full) as listener:
            assert MARK in login(agent).stdout
            assert host.wait_until(lambda: "was not recorded" in listener.read_log()), listener.read_log()
            enter = ["nsenter", "-t", str(listener.process.pid), "-m"]
            host.run(*enter, "mount", "-o", "remount,size=64k", host.LOGS, check=True)
            assert MARK in login(agent).stdout
            ended = len(re.findall("ended: closed", listener.read_log()))
            assert host.wait_until(lambda: len(re.findall("ended: closed", listener.read_log())) >= ended)
            text = host.run(*enter, "cat", host.AUDIT, check=True).stdout
        lines = text.splitlines()
        assert text.endswith("\n") and json.loads(lines[-1])["account"] == agent.name
        assert len(lines) == 3 and lines[1].startswith("{")

    def test_home_is_full(self, work, agent):
        """The agent's own trouble: it gets in, and sees it."""
        home = host.HOMES / agent.name
        mounts = (f"mount -t tmpfs -o mode=700,uid={agent.uid},gid={agent.gid},size=64k none {home}; "
                  f"cat /dev/zero > {home}/fill 2>/dev/null || true")
        with installation.Listener(work, mounts=mounts):
            done = host.run("su", "-", agent.name, "-c", INSIDE + "; echo more > more", env=environment())
        assert MARK in done.stdout and "No space left on device" in done.stderr
        next_login_works(agent)


def cgroup_mounts():
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split(" - ")[1].split()[0] in ("cgroup", "cgroup2")]


def account_file(agent, name):
    """Of the account's directory, which is there while it has a session."""
    return next((path for mount in cgroup_mounts()
                 for path in pathlib.Path(mount).glob(f"**/account-{agent.name}/{name}")), None)


class TestCgroups:
    def test_read_only(self, work, agent):
        mounts = "\n".join(f"mount -o remount,bind,ro {path}" for path in cgroup_mounts())
        outcome = Outcome(work, agent, mounts)
        outcome.refused("cgroup.*([Rr]ead-only|writ)")
        next_login_works(agent)

    @pytest.mark.parametrize("names", [["pids.max"], ["memory.max", "memory.limit_in_bytes"]])
    def test_file_takes_no_write(self, work, agent, names):
        """A limit whose file refuses the value is not gone without."""
        # A session of a systemd unit has no cgroup of its account above it; one of a listener has.
        with installation.Listener(work) if installation.systemd() else contextlib.nullcontext():
            process = subprocess.Popen(["su", "-", agent.name, "-c", "echo up; sleep 60"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
            first = wait_for_line(process)
        try:
            assert first == b"up\n"
            path = next(filter(None, (account_file(agent, name) for name in names)), None)
            assert path is not None
            agent.policy({"limits": {"tasks": "77", "memory": "333M"}})
            with installation.Listener(work, mounts=f"mount --bind /dev/full {path}") as listener:
                done = login(agent)
                log = listener.read_log()
            assert MARK not in done.stdout and done.returncode != 0
            assert re.search("cgroup.*" + re.escape(path.name), log), log
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        agent.policy()
        assert host.wait_until(lambda: not agent.processes())
        next_login_works(agent)


class TestDescriptors:
    @pytest.mark.parametrize("number", [8, 10, 12, 14, 18, 24])
    def test_too_many_open_files(self, work, agent, number):
        """EMFILE at ever another place of the set-up."""
        outcome = Outcome(work, agent, f"ulimit -Sn {number}")
        outcome.check()
        assert outcome.worked or "Too many open files" in outcome.log or "Too many open files" in outcome.seen
        next_login_works(agent)

    def test_enough(self, work, agent):
        outcome = Outcome(work, agent, "ulimit -Sn 64")
        assert outcome.worked, outcome.seen


def pids_hierarchy():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, rest = line.split(" - ")
        if rest.split()[0] == "cgroup" and "pids" in rest.split()[2].split(","):
            return pathlib.Path(fields.split()[4])
        if rest.split()[0] == "cgroup2" and "pids" in (pathlib.Path(fields.split()[4]) /
                                                       "cgroup.subtree_control").read_text().split():
            return pathlib.Path(fields.split()[4])
    return None


class TestProcesses:
    @pytest.fixture
    def narrow(self):
        """A cgroup for the listener, which may have few processes."""
        base = pids_hierarchy()
        if base is None:
            pytest.skip("no hierarchy with pids")
        group = base / "agtest-narrow"
        group.mkdir()
        yield group
        assert host.wait_until(lambda: not (group / "cgroup.procs").read_text(), 5)
        group.rmdir()

    @pytest.mark.parametrize("number", [1, 2])
    def test_no_more_processes(self, work, agent, narrow, number):
        """1: no monitor can be forked. 2: no builder; but on v2 that is born into its session's cgroup."""
        mounts = f"echo $$ > {narrow}/cgroup.procs; echo {number} > {narrow}/pids.max"
        outcome = Outcome(work, agent, mounts)
        if number == 2 and host.cgroup_is_v2():
            outcome.check()
            assert outcome.worked, outcome.seen
        else:
            outcome.refused("cannot fork a monitor" if number == 1 else "cannot make the jail.*temporarily unavailable")
        next_login_works(agent)


class TestMemory:
    @pytest.mark.parametrize("kilobytes", [12000, 16000, 20000])
    def test_no_more_memory(self, work, agent, kilobytes):
        """ENOMEM for the monitor, which has less address space than it wants."""
        outcome = Outcome(work, agent, f"ulimit -Sv {kilobytes}")
        outcome.check()
        next_login_works(agent)
