"""Each step of a session's set-up fails once: refused, nothing left, the reason names the step."""
import functools

import host
import installation
import pytest
import traces
from sshd import Client, environment

INSIDE = "echo inside-$((40+2))"
MARK = "inside-42"


@functools.lru_cache(None)
def step_names():
    program = host.FAULTS_BUILD / "agentsh-monitor"
    return installation.steps(program) if program.exists() else []


@pytest.fixture(scope="module")
def listener(work, installed, faults_monitor):
    with installation.Listener(work, program=faults_monitor) as running:
        yield running


def test_there_are_steps(faults_monitor):
    assert len(step_names()) > 30


@pytest.mark.parametrize("step", step_names())
def test_step_fails(listener, agent, step):
    before = traces.Snapshot()
    listener.restart(AGENTSH_FAULT=step)
    done = host.run("su", "-", agent.name, "-c", INSIDE, env=environment())
    seen = done.stdout + done.stderr
    assert MARK not in seen, "the login went on"
    assert done.returncode != 0
    assert step in seen, f"what the user saw does not name the step: {seen!r}"
    assert step in listener.read_log()
    assert traces.wait_for_none(before) == []


@pytest.mark.parametrize("step", step_names()[::8])
def test_step_fails_by_ssh(listener, agent, sshd, step):
    before = traces.Snapshot()
    listener.restart(AGENTSH_FAULT=step)
    done = Client(sshd, agent).run(INSIDE, timeout=20)
    assert MARK not in done.stdout and done.returncode != 0
    assert step in done.stdout + done.stderr
    assert traces.wait_for_none(before) == []


def test_cgroup_that_stays_is_swept(listener, agent):
    """A session ends well but for its cgroup: that is left to the sweep, and the record is written once."""
    before, records = traces.Snapshot(), len(installation.audit_lines(agent.name))
    listener.restart(AGENTSH_FAULT="cgroup removal")
    assert MARK in host.run("su", "-", agent.name, "-c", INSIDE, env=environment()).stdout
    assert traces.wait_for_none(before) == []
    assert [record["why"] for record in installation.audit_lines(agent.name)[records:]] == ["closed"]


def test_cgroup_of_a_refused_login_is_swept(listener, agent):
    """A login was refused and its cgroup stayed: there was no session to be recorded."""
    before, records = traces.Snapshot(), len(installation.audit_lines(agent.name))
    listener.restart(AGENTSH_FAULT="attach socket,cgroup removal")
    assert host.run("su", "-", agent.name, "-c", INSIDE, env=environment()).returncode != 0
    assert traces.wait_for_none(before) == []
    assert len(installation.audit_lines(agent.name)) == records


def test_no_fault_no_refusal(listener, agent):
    listener.restart()
    assert MARK in host.run("su", "-", agent.name, "-c", INSIDE, env=environment()).stdout
