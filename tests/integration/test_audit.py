"""One record for each session: who, from where, by what, when, why it ended, what it used, which limits it hit."""
import json
import os
import signal
import stat
import time

import host
import installation
import pytest
from sshd import Client, end, environment, wait_for_line

FIELDS = {"id": str, "account": str, "rhost": str, "service": str, "tier": str, "start": str, "end": str, "why": str,
          "cpu_usec": int, "memory_peak": int, "tasks_peak": int, "oom_kills": int, "limits_hit": list}


def records_after(agent, action, count=1):
    """The records that action() adds."""
    before = len(installation.audit_lines(agent.name))
    result = action()
    host.wait_until(lambda: len(installation.audit_lines(agent.name)) >= before + count, 5)
    new = installation.audit_lines(agent.name)[before:]
    assert len(new) == count
    return result, new


class TestRecord:
    def test_ssh(self, client, agent):
        _, (record,) = records_after(agent, lambda: client.run("true"))
        for field, kind in FIELDS.items():
            assert isinstance(record[field], kind), field
        assert record["account"] == agent.name
        assert record["service"] == "sshd"
        assert record["rhost"] == "127.0.0.1"
        assert record["tier"] == "jail"
        assert record["why"] == "closed"
        assert record["limits_hit"] == []
        assert len(record["id"]) == 16

    def test_su_names_the_caller(self, agent, plain):
        _, (record,) = records_after(agent, lambda: host.run("su", "-", agent.name, "-c", "true", env=environment()))
        assert record["service"] == "su-l"
        assert record["ruser"] in ("root", "")

    def test_times(self, client, agent):
        now = time.time()
        _, (record,) = records_after(agent, lambda: client.run("sleep 1.2"))
        start = time.mktime(time.strptime(record["start"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        finish = time.mktime(time.strptime(record["end"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert abs(start - now) < 5
        assert 1 <= finish - start <= 6

    def test_what_was_used(self, client, agent):
        script = "x=$(seq 1 300000 | sort -R | md5sum); (sleep 0.2 & sleep 0.2 & wait)"
        _, (record,) = records_after(agent, lambda: client.run(script))
        assert record["cpu_usec"] > 50_000
        assert record["memory_peak"] > 1 << 20
        assert record["tasks_peak"] == 0 or record["tasks_peak"] >= 3

    def test_one_for_a_connection_with_many_channels(self, control, agent):
        def use():
            master = control.master()
            for _ in range(4):
                control.run("true")
            end(master)
        records_after(agent, use)

    def test_caller_died(self, client, agent, sshd):
        def kill():
            process = client.popen("echo up; sleep 100")
            wait_for_line(process)
            monitors = [p for p in host.descendants(sshd.process.pid) if p.uid == 0 and agent.name in p.command]
            assert len(monitors) == 1
            os.kill(monitors[0].pid, signal.SIGKILL)
            end(process)
        _, (record,) = records_after(agent, kill)
        assert record["why"] == "caller died"

    def test_monitor_died(self, agent, client):
        def kill():
            process = client.popen("echo up; sleep 100")
            wait_for_line(process)
            for monitor in installation.monitors():
                os.kill(monitor.pid, signal.SIGKILL)
            process.wait(10)
            end(process)
        _, (record,) = records_after(agent, kill)
        assert record["why"] == "monitor died"

    def test_init_died(self, agent, client):
        def kill():
            process = client.popen("echo up; sleep 100")
            wait_for_line(process)
            for init in [p for p in agent.processes() if p.name == "agentsh-init"]:
                os.kill(init.pid, signal.SIGKILL)
            process.wait(10)
            end(process)
        _, (record,) = records_after(agent, kill)
        assert record["why"] == "process 1 ended"


class TestFile:
    def test_mode(self, client):
        client.run("true")
        found = os.stat(host.AUDIT)
        assert stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == 0

    def test_every_line_is_json_of_its_own(self, client):
        client.run("true")
        for line in host.AUDIT.read_text().splitlines():
            assert isinstance(json.loads(line), dict)

    def test_names_cannot_break_a_line(self, agent, installed):
        """A service name with odd bytes is either refused or escaped."""
        before = host.AUDIT.read_bytes() if host.AUDIT.exists() else b""
        host.run("pamtester", "-I", "rhost=evil\n{\"forged\":1}", "su", agent.name, "open_session", "close_session")
        time.sleep(0.3)
        for line in host.AUDIT.read_bytes()[len(before):].splitlines():
            assert "forged" not in json.loads(line)

    def test_rotated_away(self, client, agent):
        """logrotate may move the file: the next session makes a new one."""
        client.run("true")
        aside = host.AUDIT.with_suffix(".1")
        host.AUDIT.rename(aside)
        try:
            client.run("true")
            assert host.wait_until(host.AUDIT.exists, 5)
        finally:
            with open(aside, "ab") as old:
                old.write(host.AUDIT.read_bytes() if host.AUDIT.exists() else b"")
            aside.rename(host.AUDIT)

    def test_a_log_that_cannot_be_written_refuses(self, agent, work):
        mounts = "mount -t tmpfs -o ro none /var/log/agentsh"
        with installation.Listener(work, mounts=mounts):
            done = host.run("su", "-", agent.name, "-c", "echo in", env=environment())
        assert done.stdout != "in\n" and done.returncode != 0


class TestLive:
    def test_sessions_shows_it(self, sshd, agent):
        process = Client(sshd, agent).popen("sleep 0.2; echo up; sleep 100")
        wait_for_line(process)
        try:
            live = installation.sessions_of(agent)
            assert len(live) == 1
            assert live[0]["service"] == "sshd"
            assert "127.0.0.1" in json.dumps(live[0])
            text = host.run(host.CTL, "sessions", check=True).stdout
            assert agent.name in text and live[0]["id"] in text
        finally:
            end(process)

    @pytest.mark.parametrize("argument", ["0000000000000000", "../../etc", "", "x" * 200])
    def test_kill_of_what_is_not_there(self, installed, argument):
        assert host.run(host.CTL, "kill", argument).returncode != 0
