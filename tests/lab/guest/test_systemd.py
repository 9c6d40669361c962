"""Logins in a guest with systemd: where they land, one unit for each session, its limits."""
import os
import pathlib
import re

import host
import lab
import pytest
from sshd import environment, spawn

FACTS = ("echo ns $(readlink /proc/self/ns/pid); echo uid $(id -u); grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' "
         "/proc/self/status; echo net $(tail -n +3 /proc/net/dev | cut -d: -f1).; "
         "echo pids $(ls -d /proc/[0-9]* | wc -l)")


def check_jail(text, agent):
    assert f"uid {agent.uid}\n" in text
    assert f"ns {host.namespace('self', 'pid')}\n" not in text and "ns pid:[" in text
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"):
        assert line in text, text
    assert "net lo.\n" in text, text
    assert int(re.search(r"pids (\d+)", text)[1]) < 12, text


class TestLogin:
    @pytest.mark.quick
    def test_su(self, agent):
        done = host.run("su", "-", agent.name, "-c", FACTS, env=environment())
        assert done.returncode == 0, done.stderr + done.stdout
        check_jail(done.stdout, agent)

    @pytest.mark.quick
    def test_ssh(self, agent, client):
        done = client.run(FACTS)
        assert done.returncode == 0, done.stderr + done.stdout
        check_jail(done.stdout, agent)

    def test_exit_statuses(self, agent, client):
        assert client.run("exit 7").returncode == 7
        assert host.run("su", "-", agent.name, "-c", "exit 7", env=environment()).returncode == 7

    @pytest.mark.parametrize("way", ["su", "ssh"])
    def test_terminal(self, agent, client, way):
        child = spawn(["su", "-", agent.name]) if way == "su" else client.spawn()
        child.timeout = 60
        child.sendline("echo me=$(id -un) tty=$(tty)")
        child.expect(f"me={agent.name} tty=/dev/pts/0")
        child.sendline("sleep 1000")
        assert host.wait_until(lambda: any("sleep 1000" in p.command for p in agent.processes()), 20)
        child.sendintr()
        child.sendline("echo status=$?")
        child.expect("status=130")
        child.sendline("exit 3")
        child.expect("exit")
        child.wait()
        assert child.exitstatus == 3

    @pytest.mark.quick
    def test_sftp(self, agent, client, work):
        source = work / "file"
        source.write_bytes(os.urandom(300000))
        batch = work / "batch"
        batch.write_text(f"put {source} copied\nget copied {source}.back\nrm copied\n")
        done = host.run("sftp", "-b", batch, *client.options("-P"), client.address, env=environment())
        assert done.returncode == 0, done.stderr
        assert (work / "file.back").read_bytes() == source.read_bytes()

    @pytest.mark.quick
    def test_doctor_has_nothing_to_say(self, agent):
        """This kernel has files that others have not, and what hides them shall not be taken for a way out."""
        done = host.run(host.CTL, "doctor", "--live", agent.name)
        assert done.returncode == 0, [line for line in done.stdout.splitlines() if not line.startswith("ok ")]

    @pytest.mark.quick
    def test_plain_accounts_are_passed_over(self):
        assert host.run("su", "-", "nobody", "-s", "/bin/sh", "-c", "echo in", env=environment()).stdout == "in\n"


class TestUnits:
    @pytest.mark.quick
    def test_one_for_each_session(self, agent, client):
        with lab.Session(agent, client) as first, lab.Session(agent) as second:
            assert lab.units() == {first.unit, second.unit}
            for session in (first, second):
                assert lab.show(session.unit, "ActiveState") == "active"
                assert lab.show(session.unit, "Slice") == "agentsh.slice"
                assert lab.show(session.unit, "ControlGroup").startswith("/agentsh.slice/")
                assert host.Process(session.monitor()).name == "agentsh-monitor"

    def test_channels_share_one(self, agent, own_sshd, work):
        from sshd import Client, end
        shared = Client(own_sshd, agent, control=work / "control")
        master = shared.master()
        try:
            assert shared.run("echo a > /tmp/shared").returncode == 0
            assert shared.run("cat /tmp/shared").stdout == "a\n"
            assert len(lab.units()) == 1
        finally:
            end(master)

    def test_everything_of_the_agent_is_in_its_unit(self, agent, client):
        with lab.Session(agent, client) as session:
            inside = [p for p in agent.processes() if p.name != "agentsh" and "sshd" not in p.name]
            assert inside
            for process in inside:
                text = open(f"/proc/{process.pid}/cgroup", encoding="ascii").read()
                assert lab.show(session.unit, "ControlGroup") in text, (process, text)

    @pytest.mark.quick
    def test_limits_in_the_cgroup(self, agent, client):
        with lab.Session(agent, client) as session:
            cgroup = session.cgroup()
            read = {name: (cgroup / name).read_text().strip()
                    for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max") if (cgroup / name).exists()}
            assert read["memory.max"] == str(96 << 20)
            assert read.get("memory.swap.max", "0") == "0"
            assert int(read["pids.max"]) in (40, 41), "the policy's, with or without process 1"
            quota, period = map(int, read["cpu.max"].split())
            assert quota * 2 == period

    @pytest.mark.quick
    def test_status_shows_the_session(self, agent, client):
        with lab.Session(agent, client) as session:
            text = lab.systemctl("status", "--no-pager", "-l", session.unit).stdout
            assert "active (running)" in text
            assert "agentsh-init" in text and "agentsh-monitor" in text

    def test_driver_is_the_delegated_one(self):
        done = host.run("systemd-run", "--quiet", "--pipe", "--wait", "--slice=agentsh.slice", "-p", "Delegate=yes",
                        host.MONITOR, "--probe")
        assert "delegated" in done.stdout + done.stderr, done.stdout + done.stderr

    def test_policies_limit_is_the_only_one(self, agent, client):
        with lab.Session(agent, client) as session:
            unit = session.cgroup().parent
            assert (unit / "pids.max").read_text() == "max\n"


class TestEnforced:
    @pytest.mark.quick
    def test_memory(self, agent, client):
        # The shell goes on; the hog is killed.
        done = client.run("python3 -c 'b = bytearray(300 << 20)'; echo status=$?", timeout=120)
        assert "status=137" in done.stdout, done.stdout + done.stderr

    def test_tasks(self, agent, client):
        done = client.run("for i in $(seq 100); do sleep 20 & done 2>&1 | head -n 3; echo over; kill $(jobs -p)",
                          timeout=120)
        assert re.search("fork|Resource temporarily", done.stdout + done.stderr), done.stdout + done.stderr

    def test_audit_names_the_memory_kill(self, agent, client):
        import installation
        client.run("python3 -c 'b = bytearray(300 << 20)'", timeout=120)
        line = installation.audit_lines(agent.name)[-1]
        assert "oom" in str(line).lower() and line


class TestHost:
    @pytest.mark.quick
    def test_no_user_manager_of_the_agent(self, agent, client):
        with lab.Session(agent, client):
            unit = f"user@{agent.uid}.service"
            assert lab.show(unit, "LoadState") == "masked"
            assert lab.show(unit, "ActiveState") == "inactive"
            outside = [p for p in agent.processes() if p.name in ("systemd", "(sd-pam)", "dbus-daemon")]
            assert not outside

    @pytest.mark.quick
    def test_logins_leave_no_failed_unit(self, agent, client):
        assert client.run("true").returncode == 0
        failed = lab.systemctl("list-units", "--failed", "--no-legend", "--plain").stdout
        assert failed == "", failed

    def test_a_removed_account_leaves_no_mask(self, key):
        import accounts
        other = accounts.Agent(f"{accounts.AGENT_PREFIX}51", key)
        mask = pathlib.Path(f"/etc/systemd/system/user@{other.uid}.service")
        try:
            assert mask.readlink() == pathlib.Path("/dev/null")
            mask.unlink()
            assert "is not masked" in host.run(host.CTL, "doctor", timeout=120).stdout
            done = host.run("./install.sh", "--no-deps", cwd=host.TOP, timeout=900)
            assert done.returncode == 0 and mask.is_symlink(), "an account of an earlier version gets it"
        finally:
            other.remove()
        assert not mask.is_symlink()

    def test_lingering_starts_nothing(self, agent):
        done = host.run("loginctl", "enable-linger", agent.name)
        try:
            host.wait_until(lambda: lab.show(f"user@{agent.uid}.service", "ActiveState") == "active", 5)
            assert not agent.processes(), done.stderr
        finally:
            host.run("loginctl", "disable-linger", agent.name)
        failed = lab.systemctl("list-units", "--failed", "--no-legend", "--plain").stdout
        assert failed == "", failed

    def test_doctor(self, agent):
        done = host.run(host.CTL, "doctor", timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
