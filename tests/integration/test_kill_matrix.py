"""Each process of the chain is killed in turn. Two seconds later no trace is left, and the next login works."""
import os
import signal
import subprocess

import host
import installation
import pytest
import traces
from sshd import Client, end, environment, wait_for_line
from tiers import BOTH

# Children that outlive what they can: a session of their own, nohup, double fork, stopped, deaf to signals.
SCRIPT = ("setsid sleep 1001 </dev/null >/dev/null 2>&1 & "
          "nohup sleep 1002 </dev/null >/dev/null 2>&1 & "
          "(setsid sh -c 'sleep 1003 </dev/null >/dev/null 2>&1 &' &) ; "
          "sh -c 'kill -STOP $$' & "
          "sh -c 'trap \"\" HUP INT TERM QUIT; while :; do sleep 1; done' </dev/null >/dev/null 2>&1 & "
          "sleep 0.2; echo up; sleep 1000")
CHILDREN = ("1001", "1002", "1003")


def pick(candidates, what):
    assert len(candidates) == 1, f"{what}: {candidates}"
    return candidates[0].pid


def session_monitor():
    return pick(installation.monitors(), "session monitor")


def session_init(agent):
    monitor = session_monitor()
    return pick([p for p in agent.processes() if p.name == "agentsh-init" and p.ppid == monitor], "agentsh-init")


def login_shell(agent):
    return pick([p for p in host.processes() if p.exe.startswith(str(host.SHELL)) and agent.uid in p.uids
                 and p.name != "agentsh-init"], "agentsh")


class Chain:
    """One session with all its processes named, by ssh or by su."""

    def __init__(self, agent, sshd=None, terminal=False):
        self.agent, self.sshd = agent, sshd
        if sshd is not None:
            flags = ["-tt"] if terminal else []
            self.process = Client(sshd, agent).popen(SCRIPT, flags=flags)
        else:
            self.process = subprocess.Popen(["su", "-", agent.name, "-c", SCRIPT], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                                            start_new_session=True)
        try:
            first = wait_for_line(self.process)
            assert b"up" in first, (first, self.process.stderr.read() if self.process.poll() is not None else "")
            assert host.wait_until(self.all_there), agent.processes()
        except AssertionError:
            self.end()
            raise

    def all_there(self):
        commands = " ".join(p.command for p in self.agent.processes())
        return all(child in commands for child in CHILDREN)

    def sshd_processes(self):
        below = host.descendants(self.sshd.process.pid)
        return [p for p in below if p.name.startswith("sshd") and self.agent.name in p.command]

    def find(self, role):
        if role == "client":
            return self.process.pid
        if role == "sshd monitor":
            return pick([p for p in self.sshd_processes() if p.uid == 0], role)
        if role == "sshd user process":
            return pick([p for p in self.sshd_processes() if p.uid == self.agent.uid], role)
        if role == "agentsh":
            return login_shell(self.agent)
        if role == "agentsh-monitor":
            return session_monitor()
        if role == "agentsh-init":
            return session_init(self.agent)
        if role == "listener":
            return installation.listener_pid()
        raise ValueError(role)

    def end(self):
        end(self.process, 0.1)


def left(before):
    return traces.wait_for_none(before)


def next_login_works(agent, sshd):
    done = host.run("su", "-", agent.name, "-c", "echo in", env=environment())
    assert done.stdout == "in\n", done.stderr
    if sshd is not None:
        assert Client(sshd, agent).run("echo in").stdout == "in\n"


SSH_ROLES = ["client", "sshd monitor", "sshd user process", "agentsh", "agentsh-monitor", "agentsh-init"]
SU_ROLES = ["client", "agentsh", "agentsh-monitor", "agentsh-init"]


# The kernel delivers no signal but KILL and STOP to a process 1 that has no handler for it.
@pytest.mark.parametrize("role, signal_name", [(role, "KILL") for role in SSH_ROLES] +
                         [(role, "SEGV") for role in SSH_ROLES if role != "agentsh-init"])
def test_ssh(agent, sshd, role, signal_name):
    before = traces.Snapshot()
    chain = Chain(agent, sshd)
    try:
        os.kill(chain.find(role), getattr(signal, f"SIG{signal_name}"))
        assert left(before) == []
    finally:
        chain.end()
    next_login_works(agent, sshd)


@pytest.mark.parametrize("role", SSH_ROLES)
def test_ssh_with_terminal(agent, sshd, role):
    before = traces.Snapshot()
    chain = Chain(agent, sshd, terminal=True)
    try:
        os.kill(chain.find(role), signal.SIGKILL)
        assert left(before) == []
    finally:
        chain.end()
    next_login_works(agent, sshd)


@BOTH
@pytest.mark.parametrize("role", SU_ROLES)
def test_su(agent, role):
    before = traces.Snapshot()
    chain = Chain(agent)
    try:
        os.kill(chain.find(role), signal.SIGKILL)
        assert left(before) == []
    finally:
        chain.end()
    next_login_works(agent, None)


@BOTH
def test_stopped_init(agent, sshd):
    """Process 1 does not answer and is not waited for: the client goes away, and so does everything else."""
    before = traces.Snapshot()
    chain = Chain(agent, sshd)
    try:
        os.kill(chain.find("agentsh-init"), signal.SIGSTOP)
    finally:
        chain.end()
    assert left(before) == []
    next_login_works(agent, None)


@BOTH
def test_stopped_login_shell(agent, sshd):
    """Only root can stop it. The isolation goes all the same; the shell ends when it is continued."""
    before = traces.Snapshot()
    chain = Chain(agent, sshd)
    shell = chain.find("agentsh")
    try:
        os.kill(shell, signal.SIGSTOP)
        chain.end()
        assert host.wait_until(lambda: [p.pid for p in agent.processes()] == [shell]), agent.processes()
    finally:
        os.kill(shell, signal.SIGCONT)
        chain.end()
    assert left(before) == []


class TestListener:
    def test_session_goes_on_and_ends_cleanly(self, agent, sshd):
        """The listener is not part of a session: without it the session goes on, and leaves nothing when it ends."""
        if installation.systemd():
            pytest.skip("systemd is the listener here")
        before = traces.Snapshot()
        chain = Chain(agent, sshd)
        try:
            os.kill(chain.find("listener"), signal.SIGKILL)
        finally:
            chain.end()
        assert left(before) == []
        installation.start_listener()
        next_login_works(agent, sshd)

    def test_listener_and_monitor(self, agent, sshd):
        """With both gone nobody could sweep: the next start of the listener does."""
        if installation.systemd():
            pytest.skip("systemd is the listener here")
        before = traces.Snapshot()
        chain = Chain(agent, sshd)
        try:
            monitor = chain.find("agentsh-monitor")
            os.kill(chain.find("listener"), signal.SIGKILL)
            os.kill(monitor, signal.SIGKILL)
            assert host.wait_until(lambda: not [p for p in agent.processes() if p.name == "sleep"])
            installation.start_listener()
            assert left(before) == []
        finally:
            chain.end()
        next_login_works(agent, sshd)

    def test_stop_and_start_leave_sessions_alone(self, control, agent):
        control.master()
        assert control.run("echo in").stdout == "in\n"
        installation.stop_listener()
        installation.start_listener()
        assert control.run("echo still in").stdout == "still in\n"


class TestEverythingAtOnce:
    def test_all_but_one(self, agent, sshd):
        """Every process of ours at the same moment, the listener left over to clear up."""
        before = traces.Snapshot()
        chain = Chain(agent, sshd)
        try:
            for pid in [chain.find(role) for role in ("sshd monitor", "agentsh", "agentsh-monitor", "agentsh-init")]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            assert left(before) == []
        finally:
            chain.end()
        next_login_works(agent, sshd)

    def test_monitor_stopped_does_not_block_others(self, agent, sshd, make_agent):
        """A monitor that hangs holds up its own session only."""
        second = make_agent()
        chain = Chain(agent, sshd)
        monitor = chain.find("agentsh-monitor")
        try:
            os.kill(monitor, signal.SIGSTOP)
            next_login_works(second, sshd)
        finally:
            os.kill(monitor, signal.SIGCONT)
            chain.end()

    @pytest.mark.parametrize("moment", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
    def test_su_killed_while_logging_in(self, agent, moment):
        import time
        before = traces.Snapshot()
        process = subprocess.Popen(["su", "-", agent.name, "-c", "sleep 1000"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        time.sleep(moment)
        process.kill()
        process.wait()
        assert left(before) == []
        next_login_works(agent, None)

    @pytest.mark.parametrize("moment", [0.0, 0.005, 0.01, 0.02, 0.04])
    def test_monitor_killed_while_logging_in(self, agent, moment):
        import time
        before = traces.Snapshot()
        process = subprocess.Popen(["su", "-", agent.name, "-c", "sleep 1000"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        host.wait_until(installation.monitors, 5, 0.001)
        time.sleep(moment)
        killed = [monitor.pid for monitor in installation.monitors()]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        try:
            # Killed between PAM's phases, it is replaced by another one: then the login goes on, inside.
            replaced = host.wait_until(lambda: process.poll() is not None
                                       or [m for m in installation.monitors() if m.pid not in killed], 10)
            assert replaced, "neither refused nor with a monitor of its own"
            if process.poll() is None and not host.wait_until(lambda: process.poll() is not None, 2):
                asleep = [p for p in agent.processes() if p.command.startswith("sleep")]
                assert all(host.namespace(p.pid, "pid") != host.namespace("self", "pid") for p in asleep)
        finally:
            process.kill()
            process.wait()
        assert left(before) == []
        next_login_works(agent, None)
