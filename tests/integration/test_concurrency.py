"""Many logins at once: each its own isolation, no cross-talk, the counters right."""
import concurrent.futures
import os
import re
import time

import host
import installation
import pytest
from sshd import Client, end, environment, wait_for_line

LOGINS = 32


@pytest.fixture(scope="module")
def four(make_agent):
    agents = [make_agent() for _ in range(4)]
    for agent in agents:
        agent.policy({"account": {"max_sessions": "64"}, "limits": {"tasks": "1000", "cpus": "0"}})
    return agents


SCRIPT = ("echo {n} > /tmp/mine; readlink /proc/self/ns/pid; sleep {wait}; ls /tmp; cat /tmp/mine; "
          "ls -d /proc/[0-9]* | wc -l")


def check(outputs, count):
    """Each saw only its own file and its own few processes, in a namespace of its own."""
    namespaces = set()
    for n, text in outputs.items():
        lines = text.split("\n")
        namespaces.add(lines[0])
        assert lines[1:3] == ["mine", str(n)], lines
        assert int(lines[3]) <= 6, lines
    assert len(namespaces) == count


class TestManyLogins:
    def test_by_ssh(self, sshd, four):
        clients = [Client(sshd, four[n % 4]) for n in range(LOGINS)]
        with concurrent.futures.ThreadPoolExecutor(LOGINS) as pool:
            futures = {n: pool.submit(clients[n].run, SCRIPT.format(n=n, wait=8), timeout=120) for n in range(LOGINS)}
            done = {n: future.result() for n, future in futures.items()}
        assert [d.returncode for d in done.values()] == [0] * LOGINS, [d.stderr for d in done.values()]
        check({n: d.stdout for n, d in done.items()}, LOGINS)

    def test_by_su(self, installed, four):
        def login(n):
            return host.run("su", "-", four[n % 4].name, "-c", SCRIPT.format(n=n, wait=4), env=environment(),
                            timeout=120)
        with concurrent.futures.ThreadPoolExecutor(LOGINS) as pool:
            done = dict(enumerate(pool.map(login, range(LOGINS))))
        assert [d.returncode for d in done.values()] == [0] * LOGINS, [d.stderr for d in done.values()]
        check({n: d.stdout for n, d in done.items()}, LOGINS)

    def test_counters(self, installed, four):
        import subprocess
        processes = [subprocess.Popen(["su", "-", four[n % 4].name, "-c", "echo up; sleep 100"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=environment()) for n in range(12)]
        try:
            for process in processes:
                assert wait_for_line(process) == b"up\n"
            live = installation.sessions_of(*four)
            assert len(live) == 12
            assert len({s["id"] for s in live}) == 12
            for agent in four:
                assert len([s for s in live if s["account"] == agent.name]) == 3
            assert {s["id"] for s in live} <= set(os.listdir(host.SESSIONS))
        finally:
            for process in processes:
                end(process)
        assert host.wait_until(lambda: installation.sessions_of(*four) == [])

    def test_limit_holds_in_a_rush(self, installed, four):
        """Twelve at once for four slots: exactly four get in."""
        agent = four[0]
        agent.policy({"account": {"max_sessions": "4"}})

        def login(_):
            return host.run("su", "-", agent.name, "-c", "echo in; sleep 4", env=environment(), timeout=60)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            done = list(pool.map(login, range(12)))
        agent.policy({"account": {"max_sessions": "64"}, "limits": {"tasks": "1000", "cpus": "0"}})
        assert len([d for d in done if d.stdout == "in\n"]) == 4


class TestNoCrossTalk:
    def test_two_accounts(self, sshd, four):
        first, second = four[0], four[1]
        process = Client(sshd, first).popen("echo secret > /dev/shm/s; python3 -c \"import socket,time;"
                                            "s=socket.socket(socket.AF_UNIX);s.bind('\\0agtest');s.listen();"
                                            "t=socket.create_server(('127.0.0.1',8765));"
                                            "print('up',flush=True);time.sleep(60)\"")
        assert wait_for_line(process) == b"up\n"
        try:
            script = ("python3 - <<'E'\nimport socket\n"
                      "for f,a in ((socket.AF_UNIX,'\\0agtest'),(socket.AF_INET,('127.0.0.1',8765))):\n"
                      " try:\n  socket.socket(f).connect(a); print('reached')\n except OSError as e: print('no')\nE\n"
                      "cat /dev/shm/s; ls /home /var/lib/agentsh/homes; getent passwd " + first.name)
            done = Client(sshd, second).run(script)
            assert done.stdout.splitlines()[:2] == ["no", "no"]
            assert "secret" not in done.stdout and first.name not in done.stdout
        finally:
            end(process)

    def test_two_sessions_of_one_account(self, sshd, four):
        process = Client(sshd, four[2]).popen("sleep 777 & echo up; wait")
        assert wait_for_line(process) == b"up\n"
        try:
            done = Client(sshd, four[2]).run("pgrep -f 'sleep 777' || cat /proc/*/cmdline | tr '\\0' ' '")
            assert "777" not in re.sub(r"pgrep.*?tr", "", done.stdout)
        finally:
            end(process)


def test_one_slow_client_does_not_block_others(agent, client, control):
    """A channel that is never read and one that is never written stand beside others that go on."""
    import subprocess
    control.master()
    stuck = control.popen("cat /dev/zero", stdout=subprocess.PIPE)
    try:
        start = time.monotonic()
        for n in range(5):
            assert control.run(f"echo {n}").stdout == f"{n}\n"
        assert time.monotonic() - start < 10 * host.PATIENCE
    finally:
        end(stuck)


def test_churn(agent, installed):
    """Logins one after another with no pause: nothing piles up."""
    for _ in range(40):
        done = host.run("su", "-", agent.name, "-c", "true", env=environment())
        assert done.returncode == 0, done.stderr
    assert host.wait_until(lambda: installation.sessions_of(agent) == [])
