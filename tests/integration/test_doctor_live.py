"""agentshctl doctor --live: a real session, looked at from inside and outside; and its teeth."""
import functools
import json

import host
import installation
import pytest

KINDS = {
    "default": {},
    "chroot": {"account": {"tier": "chroot"}},
    "strict": {"kernel": {"seccomp": "strict"}},
    "strict chroot": {"account": {"tier": "chroot"}, "kernel": {"seccomp": "strict"}},
    "nested": {"kernel": {"nested": "yes"}},
    "fake_root": {"kernel": {"fake_root": "yes"}},
    "small": {"home": {"mode": "ephemeral", "size": "1M"}, "account": {"services": "login", "max_sessions": "1"},
              "limits": {"memory": "20M", "swap": "10M", "tasks": "33", "cpus": "0.5", "open_files": "64",
                         "file_size": "4K", "tmp": "1M"}},
}


def live(agent, status=0):
    done = host.run(host.CTL, "doctor", "--live", agent.name, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def bad(result):
    return [f"{one['property']}: expected {one['expected']}, found {one['found']}" for one in result["properties"]
            if not one["good"]]


@pytest.mark.parametrize("kind", KINDS)
def test_good(agent, kind):
    agent.policy(KINDS[kind])
    result = live(agent)
    assert result["good"] and result["reason"] is None and bad(result) == []
    groups = {one["group"] for one in result["properties"]}
    assert groups == {"outside", "limits", "identity", "namespaces", "mounts", "view", "attempts", "reach"}
    assert len(result["properties"]) > 250
    assert 0 < result["account_usec"] < result["answer_usec"] and 0 < result["open_usec"] < result["answer_usec"]
    assert result["tier"] == ("chroot" if "chroot" in kind else "jail")


def test_text(agent):
    done = host.run(host.CTL, "doctor", "--live", agent.name)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "ok   limits      memory: 1073741824" in lines
    assert lines[-2].endswith("is as its policy says.") and " ms " in lines[-1]


def test_where_the_host_s_own_probe_is_not_seen(agent):
    """It comes in over the standard input."""
    host.PROBE.chmod(0o700)
    try:
        assert bad(live(agent)) == []
    finally:
        host.PROBE.chmod(0o755)


class TestRefused:
    @pytest.mark.parametrize("settings,said", [
        ({"account": {"enabled": "no"}}, "the account phase of the PAM service su-l: Permission denied: agentsh: "),
        ({"account": {"services": "sshd", "expires": "2020-01-01"}}, "PAM service sshd"),
        ({"limits": {"memroy": "1G"}}, "memroy"),
    ], ids=["disabled", "expired", "invalid"])
    def test_by_policy(self, agent, settings, said):
        agent.policy(settings)
        result = live(agent, status=1)
        assert not result["good"] and said in result["reason"] and result["properties"] == []

    def test_without_listener(self, agent, installed):
        installation.stop_listener()
        try:
            assert "monitor" in live(agent, status=1)["reason"]
        finally:
            installation.start_listener()

    def test_broken_shell_inside(self, agent):
        agent.policy({"account": {"shell": "/usr/bin/false"}})
        assert "did not come to its end" in live(agent, status=1)["reason"]

    def test_no_agent(self, installed, plain):
        for name in (plain.name, "root", "nobody-of-that-name"):
            done = host.run(host.CTL, "doctor", "--live", name)
            assert done.returncode == 1 and done.stdout == "", done.stdout

    def test_usage(self, installed):
        for words in (["--live"], ["--live", "a", "b"], ["--nonsense"]):
            assert host.run(host.CTL, "doctor", *words).returncode == 2


@functools.lru_cache(None)
def step_names():
    program = host.FAULTS_BUILD / "agentsh-monitor"
    return installation.steps(program) if program.exists() else []


# Steps whose absence cannot be seen in one session of an ordinary account on this host, each with the reason.
INVISIBLE = {
    "proof": "only looks at what the steps before it did",
    "self-test": "only looks at what the steps before it did",
    "preparation": "only looks at what the start of the monitor did",
    "policy": "only refuses combinations that no valid policy of this version has",
    "audit log": "only checks that the log can be written",
    "session slot": "seen by a second session",
    "subordinate ids": "fake_root only",
    "leave terminal": "the listener has no terminal",
    "oom score": "the listener's own is the default",
    "configure init": "no command ever starts: seen when doctor's time limit is over, too long for a test",
    "scheduling": "the listener's are the defaults",
    "login uid": "the listener has none",
    "groups": "the listener has none",
    "signals": "the listener's are the defaults",
    "session keyring": "the seccomp filter closes every way to a keyring as well",
    "bind to monitor": "seen when the monitor is killed",
    "stores": "only says which limit was hit: seen in the record when a file system is full",
}


class TestTeeth:
    @pytest.fixture(scope="class")
    def listener(self, work, installed, faults_monitor):
        with installation.Listener(work, program=faults_monitor, mounts="mount --make-rshared /") as running:
            yield running

    def test_nothing_left_out(self, listener, agent):
        listener.restart(AGENTSH_OMIT="proof,self-test")
        assert bad(live(agent)) == []

    @pytest.mark.parametrize("step", [name for name in step_names() if name not in INVISIBLE])
    def test_step_is_missed(self, listener, agent, step):
        """Left out, with what would refuse the login for it left out too: doctor goes red by what it sees itself."""
        listener.restart(AGENTSH_OMIT=f"{step},proof,self-test")
        result = live(agent, status=1)
        assert result["reason"] or bad(result)
        print(step, "->", result["reason"] or bad(result)[:4])
