"""Each step of a session's set-up fails once: refused, nothing left, the reason names the step. And the tests' teeth:
a step that is left out is noticed."""
import functools

import host
import installation
import pytest
import probes
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
    # Shared propagation, as systemd has it: a jail that leaves it on is seen at once.
    with installation.Listener(work, program=faults_monitor, mounts="mount --make-rshared /") as running:
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


def test_no_fault_no_refusal(listener, agent):
    listener.restart()
    assert MARK in host.run("su", "-", agent.name, "-c", INSIDE, env=environment()).stdout


# Steps whose absence changes nothing that can be seen from inside, each with the reason.
INVISIBLE = {
    "proof": "only looks at what the steps before it did",
    "policy": "only refuses combinations that no valid policy of this version has",
    "bind to monitor": "seen from outside: the kill matrix",
    "audit log": "only checks that the log can be written",
    "session slot": "seen by a second session: test_refused",
    "state file": "seen by agentshctl, not from inside",
    "subordinate ids": "fake_root only",
    "leave terminal": "the listener has no terminal",
    "scheduling": "the listener's are the defaults",
    "oom score": "needs a listener with another score: test_su",
    "login uid": "the listener has none",
    "groups": "the listener has none",
    "signals": "the listener's are the defaults",
    "preparation": "only looks at what the start of the monitor did",
    "self-test": "only looks at what the steps before it did",
    "session keyring": "the seccomp filter closes every way to a keyring as well",
}


@pytest.mark.parametrize("step", [name for name in step_names() if name not in INVISIBLE])
def test_step_is_missed(listener, agent, step):
    """Left out, the step makes the login fail or a probe object: no protection is untested."""
    listener.restart(AGENTSH_OMIT=step)
    facts = probes.collect(agent, expect_success=False)
    assert facts is None or probes.violations(facts, agent) != [], f"nobody noticed that {step!r} was left out"
