"""What an administrator and systemd do while sessions are open, and how they end."""
import os
import signal
import subprocess

import host
import lab
import pytest
from sshd import environment


@pytest.fixture(params=["ssh", "su"])
def session(request, agent, client):
    with lab.Session(agent, client if request.param == "ssh" else None) as found:
        yield found


class TestStaysAlive:
    """Nothing of this touches a session, nor its limits."""

    @pytest.mark.parametrize("words", [pytest.param(["daemon-reload"], marks=pytest.mark.quick), ["daemon-reexec"],
                                       pytest.param(["restart", "ssh.service"], marks=pytest.mark.quick),
                                       ["reload", "ssh.service"], ["restart", "agentsh.socket"],
                                       ["restart", "systemd-logind.service"], ["restart", "systemd-journald.service"]],
                             ids=" ".join)
    def test_systemctl(self, session, client, words):
        cgroup = session.cgroup()
        limits = {name: (cgroup / name).read_text() for name in ("memory.max", "pids.max", "cpu.max")}
        done = lab.systemctl(*words)
        assert done.returncode == 0, done.stderr
        assert session.answers()
        assert {name: (cgroup / name).read_text() for name in limits} == limits
        assert lab.show(session.unit, "ActiveState") == "active"
        assert client.run("echo in").stdout == "in\n", "and the next login works"

    def test_install_again(self, session):
        done = host.run("./install.sh", "--no-deps", cwd=host.TOP, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        assert session.answers()

    def test_stopped_listener_refuses_new_ones_only(self, session, agent):
        lab.systemctl("stop", "agentsh.socket", check=True)
        try:
            assert session.answers()
            done = host.run("su", "-", agent.name, "-c", "echo in", env=environment())
            assert done.returncode != 0 and "in\n" not in done.stdout
        finally:
            lab.systemctl("start", "agentsh.socket", check=True)
        assert host.run("su", "-", agent.name, "-c", "echo in", env=environment()).stdout == "in\n"


CHILDREN = ("setsid sleep 1001 </dev/null >/dev/null 2>&1 & nohup sleep 1002 </dev/null >/dev/null 2>&1 & "
            "sh -c 'trap \"\" HUP INT TERM; while :; do sleep 1; done' </dev/null >/dev/null 2>&1 & ")


@pytest.fixture(params=["ssh", "su"])
def stubborn(request, agent, client):
    """A session with children that do not want to end."""
    with lab.Session(agent, client if request.param == "ssh" else None, CHILDREN + lab.Session.SCRIPT) as found:
        yield found


def ended(session):
    try:
        session.process.wait(30)
    except subprocess.TimeoutExpired:
        return False
    return True


class TestEnds:
    def check(self, session, agent):
        assert ended(session), "the client still runs"
        left = lab.nothing_left(10)
        assert not left, left
        assert not [p for p in agent.processes() if "sleep" in p.command]
        assert host.run("su", "-", agent.name, "-c", "echo in", env=environment()).stdout == "in\n"

    def test_stop(self, stubborn, agent):
        lab.systemctl("stop", stubborn.unit, check=True)
        self.check(stubborn, agent)

    @pytest.mark.quick
    def test_kill_monitor(self, stubborn, agent):
        os.kill(stubborn.monitor(), signal.SIGKILL)
        self.check(stubborn, agent)

    def test_kill_whole_unit(self, stubborn, agent):
        lab.systemctl("kill", "--signal=KILL", stubborn.unit, check=True)
        self.check(stubborn, agent)

    def test_stop_slice(self, stubborn, agent):
        lab.systemctl("stop", "agentsh.slice", check=True)
        self.check(stubborn, agent)

    def test_agentshctl_kill(self, stubborn, agent):
        done = host.run(host.CTL, "kill", "--account", agent.name)
        assert done.returncode == 0, done.stderr
        self.check(stubborn, agent)

    def test_client_killed(self, stubborn, agent):
        stubborn.process.kill()
        self.check(stubborn, agent)

    def test_frozen_monitor_can_be_stopped(self, stubborn, agent):
        os.kill(stubborn.monitor(), signal.SIGSTOP)
        lab.systemctl("stop", stubborn.unit, timeout=60, check=True)
        self.check(stubborn, agent)

    def test_no_unit_stays_failed(self, agent, client):
        with lab.Session(agent, client) as session:
            os.kill(session.monitor(), signal.SIGKILL)
            assert ended(session)
        assert host.wait_until(lambda: not lab.units(), 15)
        failed = lab.systemctl("list-units", "--failed", "--no-legend", "--plain").stdout
        assert "agentsh" not in failed
