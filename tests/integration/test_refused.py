"""Every reason to refuse a login: refused by ssh and su alike, with the reason where the user sees it."""
import contextlib
import os
import re
import subprocess
import time

import host
import installation
import pytest
from need import need, need_program
from sshd import Client, end, environment

INSIDE = "echo inside-$((40+2))"
MARK = "inside-42"


def su(name, script=INSIDE):
    return host.run("su", "-", name, "-c", script, env=environment())


def assert_refused(done, *words):
    """Not run, a status, and each of the words in what the user sees."""
    seen = done.stdout + done.stderr
    assert MARK not in seen, "the login was not refused"
    assert done.returncode != 0
    for word in words:
        assert re.search(word, seen, re.IGNORECASE), f"{word!r} is not in: {seen!r}"


def assert_both_refuse(client, *words):
    assert_refused(su(client.account.name), *words)
    assert_refused(client.run(INSIDE), *words)
    assert not client.account.processes()


def pam(service, name, *phases):
    """A PAM client of any service name, as root."""
    return host.run("pamtester", service, name, *phases)


# ---- what takes long by waiting: begun before the first test here, looked at where it belongs

@pytest.fixture(scope="module")
def steady(make_agent):
    """An account whose policy stays the default."""
    return make_agent()


@pytest.fixture(scope="module", autouse=True)
def silent_monitor(steady, work):
    """A login for which something accepts, and never answers: (process of su, when it began)."""
    import socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dumb:
        dumb.bind(str(work / "dumb"))
        dumb.listen(8)
        script = f'mount --bind {work / "dumb"} {host.CONTROL}; exec "$@"'
        process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh",
                                    "su", "-", steady.name, "-c", INSIDE], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        yield process, time.monotonic()
        end(process)


@pytest.fixture(scope="module", autouse=True)
def crontabs(steady, work):
    """A real cron with a crontab of an agent's and one of somebody else's: what their jobs would leave, or None."""
    if not host.have("cron") or not host.have("crontab"):
        yield None
        return
    directory = work / "cron"
    directory.mkdir()
    directory.chmod(0o777)
    marker, witness = directory / "ran", directory / "lives"
    host.run("crontab", "-u", steady.name, "-", input=f"* * * * * touch {marker}\n", check=True)
    host.run("crontab", "-u", "nobody", "-", input=f"* * * * * touch {witness}\n", check=True)
    daemon = None
    if not any(p.name == "cron" for p in host.processes()):
        daemon = subprocess.Popen(["cron", "-f"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield marker, witness
    if daemon is not None:
        daemon.kill()
        daemon.wait()
    host.run("crontab", "-u", steady.name, "-r")
    host.run("crontab", "-u", "nobody", "-r")


class TestPolicy:
    BAD = {
        "unknown key": ("[limits]\nmemroy = 1G\n", ["memroy", "did you mean memory"]),
        "unknown section": ("[limit]\nmemory = 1G\n", ["limit"]),
        "bad size": ("[limits]\nmemory = lots\n", ["memory"]),
        "size out of range": ("[limits]\nmemory = 1\n", ["memory"]),
        "size overflow": ("[limits]\nmemory = 99999999999999G\n", ["memory"]),
        "bad boolean": ("[kernel]\nnested = yolo\n", ["nested"]),
        "bad word": ("[home]\nmode = sometimes\n", ["mode"]),
        "bad number": ("[limits]\ntasks = 0x20\n", ["tasks"]),
        "bad duration": ("[limits]\nsession_time = 5 parsecs\n", ["session_time"]),
        "bad date": ("[account]\nexpires = tomorrow\n", ["expires"]),
        "bad path": ("[account]\nshell = ../bin/sh\n", ["shell"]),
        "duplicate key": ("[limits]\nmemory = 1G\nmemory = 2G\n", ["memory"]),
        "duplicate section": ("[limits]\nmemory = 1G\n[limits]\ntasks = 64\n", ["limits"]),
        "key before any section": ("memory = 1G\n[limits]\n", ["memory|section"]),
        "not a line of INI": ("[limits]\njust words\n", [r":2"]),
        "section not closed": ("[limits\nmemory = 1G\n", [r":1"]),
        "NUL byte": ("[limits]\nmemory = 1G\0\n", ["NUL|byte|character"]),
        "carriage return": ("[limits]\r\nmemory = 1G\r\n", ["carriage|line end|CR|character|byte"]),
        "byte order mark": ("\ufeff[limits]\nmemory = 1G\n", [r":1"]),
        "endless line": ("[environment]\nset = " + "A=" + "x" * 5000 + "\n", ["long|set"]),
        "too large a file": ("\n".join(["# " + "x" * 70] * 1000), ["64|large|bytes"]),
        "missing template": ("[account]\ninherits = nowhere\n", ["nowhere"]),
        "template outside": ("[account]\ninherits = ../accounts/x\n", ["inherits"]),
        "service that cannot be": ("[account]\nservices = cron\n", ["cron"]),
        "keys that contradict": ("[kernel]\nnested = yes\nfake_root = yes\n", ["nested|fake_root"]),
        "tier of a later version": ("[account]\ntier = cloud\n", ["not supported by this version"]),
        "root of a later version": ("[root]\nsource = oci:x\n", ["not supported by this version"]),
        "root that a jail cannot have": ("[root]\nsource = image:/srv/x\n", ["but for the tier vm"]),
        "key of a later version": ("[cloud]\nregion = eu-1\n", ["not supported by this version"]),
        "network of a later version": ("[network]\nmode = allow\n", ["not supported by this version"]),
    }

    @pytest.mark.parametrize("name", BAD)
    def test_bad(self, client, agent, name):
        text, words = self.BAD[name]
        agent.policy_raw(text.encode())
        assert_refused(su(agent.name), *words)

    def test_bad_by_ssh_too(self, client, agent):
        agent.policy_raw(b"[limits]\nmemroy = 1G\n")
        assert_both_refuse(client, "memroy", rf"accounts/{agent.name}\.ini:2")

    def test_good_again_afterwards(self, client, agent):
        agent.policy_raw(b"[limits]\nmemroy = 1G\n")
        assert_refused(su(agent.name))
        agent.policy_raw(b"")
        assert MARK in su(agent.name).stdout
        assert MARK in client.run(INSIDE).stdout

    def test_missing(self, client, agent):
        agent.policy_file.unlink()
        assert_both_refuse(client, "policy|no such file")

    def test_disabled(self, client, agent):
        agent.policy({"account": {"enabled": "no"}})
        assert_both_refuse(client, "enabled|disabled")

    def test_expired(self, client, agent):
        agent.policy({"account": {"expires": "2020-01-01"}})
        assert_both_refuse(client, "expired")

    def test_policy_without_the_shell(self, client, agent):
        """An account with a policy and an ordinary shell would be unconfined."""
        host.run("usermod", "-s", "/bin/bash", agent.name, check=True)
        try:
            assert_both_refuse(client, "shell")
        finally:
            host.run("usermod", "-s", host.SHELL, agent.name, check=True)

    def test_root_is_never_an_agent(self, installed):
        policy = host.CONFIG / "accounts/root.ini"
        policy.write_text("")
        try:
            assert MARK in su("root").stdout
        finally:
            policy.unlink()


@contextlib.contextmanager
def changed(path, mode=None, owner=None):
    """One file's mode or owner, restored afterwards."""
    before = os.stat(path)
    try:
        if owner is not None:
            os.chown(path, owner, before.st_gid)
        if mode is not None:
            os.chmod(path, mode)
        yield
    finally:
        os.chown(path, before.st_uid, before.st_gid)
        os.chmod(path, before.st_mode & 0o7777)


class TestOwnership:
    """Each file and directory on the way to the policy: another owner, or others may write."""

    PATHS = ["{config}", "{config}/agentsh.ini", "{config}/accounts", "{config}/accounts/{name}.ini",
             "{config}/templates", "{config}/templates/agtest.ini"]

    @pytest.fixture
    def template(self, agent):
        path = host.CONFIG / "templates/agtest.ini"
        path.write_text("[limits]\ntasks = 100\n")
        path.chmod(0o644)
        agent.policy({"account": {"inherits": "agtest"}})
        yield
        path.unlink()

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("change", [{"mode": 0o666}, {"mode": 0o775}, {"owner": 1}],
                             ids=["writable by all", "writable by group", "not root's"])
    def test_policy_path(self, agent, template, path, change):
        path = path.format(config=host.CONFIG, name=agent.name)
        if os.path.isdir(path) and "mode" in change:
            change = {"mode": change["mode"] | 0o111}
        with changed(path, **change):
            assert_refused(su(agent.name), "own|writ|root|mode")
        assert MARK in su(agent.name).stdout

    @pytest.mark.parametrize("kind", ["symbolic link", "hard link", "fifo", "directory"])
    def test_policy_that_is_no_plain_file(self, agent, work, kind):
        path = agent.policy_file
        content = work / "elsewhere.ini"
        content.write_text("")
        path.unlink()
        try:
            if kind == "symbolic link":
                path.symlink_to(content)
            elif kind == "hard link":
                os.link(host.CONFIG / "agentsh.ini", path)
            elif kind == "fifo":
                os.mkfifo(path)
            else:
                path.mkdir()
            start = time.monotonic()
            assert_refused(su(agent.name))
            assert time.monotonic() - start < 5 * host.PATIENCE
        finally:
            if path.is_dir():
                path.rmdir()
            agent.policy()

    def test_passwd_home_of_the_agents(self, client, agent):
        with changed(agent.home, owner=agent.uid):
            assert_refused(su(agent.name), "home|own")

    def test_passwd_home_writable(self, client, agent):
        with changed(agent.home, mode=0o777):
            assert_refused(su(agent.name), "home|writ|mode")

    def test_data_home_is_a_link(self, agent, work):
        aside = agent.data.with_name(agent.data.name + ".aside")
        agent.data.rename(aside)
        agent.data.symlink_to("/etc")
        try:
            assert_refused(su(agent.name), "home|link|director")
        finally:
            agent.data.unlink()
            aside.rename(agent.data)

    def test_data_home_missing(self, agent):
        aside = agent.data.with_name(agent.data.name + ".aside")
        agent.data.rename(aside)
        try:
            assert_refused(su(agent.name), "home")
        finally:
            aside.rename(agent.data)

    def test_data_homes_not_closed(self, agent):
        """With the directory of the data homes open, the host's users could reach what agents write."""
        with changed(host.HOMES, mode=0o777):
            assert_refused(su(agent.name), "homes")

    def test_init_replaced_by_somebody(self, agent):
        with changed(host.INIT, owner=1):
            assert_refused(su(agent.name), "agentsh-init|own")


class TestService:
    OTHERS = ["cron", "atd", "sudo", "sudo-i", "systemd-user", "chsh", "something-new"]

    @pytest.mark.parametrize("service", OTHERS)
    @pytest.mark.parametrize("phase", ["acct_mgmt", "open_session"])
    def test_not_listed(self, agent, service, phase):
        need_program("pamtester")
        done = pam(service, agent.name, phase)
        assert done.returncode != 0
        assert re.search("permission denied|may not log in", (done.stdout + done.stderr), re.IGNORECASE)

    @pytest.mark.parametrize("service", OTHERS[:4])
    def test_does_not_touch_others(self, plain, installed, service):
        need_program("pamtester")
        done = pam(service, plain.name, "acct_mgmt")
        assert done.returncode == 0, done.stderr

    def test_narrowed_list(self, client, agent):
        agent.policy({"account": {"services": "sshd"}})
        assert_refused(su(agent.name), "su-l")
        assert MARK in client.run(INSIDE).stdout

    def test_sudo_u(self, agent):
        need_program("sudo")
        done = host.run("sudo", "-n", "-u", agent.name, "id")
        assert "uid=" not in done.stdout
        assert done.returncode != 0

    def test_sudo_i(self, agent):
        need_program("sudo")
        done = host.run("sudo", "-n", "-i", "-u", agent.name, INSIDE)
        assert MARK not in done.stdout

    def test_sudo_i_when_listed(self, agent):
        need_program("sudo")
        agent.policy({"account": {"services": "sshd sudo-i"}})
        done = host.run("sudo", "-n", "-i", "-u", agent.name, "readlink", "/proc/self/ns/pid")
        assert done.returncode == 0, done.stderr
        assert host.namespace("self", "pid") not in done.stdout
        assert host.run("sudo", "-n", "-i", "-u", agent.name, "id", "-un").stdout == f"{agent.name}\n"

    def test_at(self, agent, work):
        need_program("at")
        marker = work / "at-ran"
        host.run("runuser", "-u", agent.name, "--", "at", "now", input=f"touch {marker}\n",
                 preexec_fn=lambda: os.chdir("/"))
        host.run("atd", "-s") if host.have("atd") else None
        time.sleep(0.5)
        assert not marker.exists()
        for line in host.run("atq").stdout.splitlines():
            if agent.name in line:
                host.run("atrm", line.split()[0])

    def test_cron(self, crontabs):
        """A real cron runs a real crontab of the agent's at the next minute: not at all."""
        need(crontabs is not None, "cron is not installed (package cron)")
        marker, witness = crontabs
        need(host.wait_until(witness.exists, 125, 0.5), "cron ran no job at all within two minutes")
        time.sleep(1)
        assert not marker.exists()


class TestNumber:
    def test_too_many_sessions(self, client, agent):
        agent.policy({"account": {"max_sessions": "1"}})
        first = client.popen("echo up; sleep 100")
        assert first.stdout.readline() == b"up\n"
        assert_both_refuse_while_one_runs(client, "max_sessions|sessions")
        end(first)
        assert host.wait_until(lambda: MARK in su(agent.name).stdout, 5, 0.3)

    def test_slot_is_free_again_after_a_kill(self, client, agent):
        agent.policy({"account": {"max_sessions": "1"}})
        first = client.popen("echo up; sleep 100")
        assert first.stdout.readline() == b"up\n"
        for process in installation.monitors():
            os.kill(process.pid, 9)
        first.wait(20)
        end(first)
        assert host.wait_until(lambda: MARK in su(agent.name).stdout, 5, 0.3)

    def test_channels_do_not_count(self, control, agent):
        agent.policy({"account": {"max_sessions": "1"}})
        control.master()
        assert MARK in control.run(INSIDE).stdout
        assert MARK in control.run(INSIDE).stdout


def assert_both_refuse_while_one_runs(client, *words):
    assert_refused(su(client.account.name), *words)
    assert_refused(client.run(INSIDE), *words)


class TestMonitor:
    def test_not_running(self, client, agent):
        installation.stop_listener()
        try:
            assert_both_refuse(client, "monitor")
        finally:
            installation.start_listener()
        assert MARK in su(agent.name).stdout

    def test_silent(self, silent_monitor):
        """Something accepts and never answers: refused within the time limit of the module."""
        process, began = silent_monitor
        output, errors = process.communicate(timeout=max(began + 60 * host.PATIENCE - time.monotonic(), 0.1))
        assert_refused(subprocess.CompletedProcess(process.args, process.returncode, output, errors), "monitor|no answer")

    def test_not_root(self, agent, plain):
        """A monitor that somebody else runs is not believed."""
        import socket
        installation.stop_listener()
        try:
            host.CONTROL.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as fake:
                fake.bind(str(host.CONTROL))
                pid = os.fork()
                if pid == 0:
                    os.setresgid(plain.gid, plain.gid, plain.gid)
                    os.setresuid(plain.uid, plain.uid, plain.uid)
                    fake.listen(8)
                    time.sleep(8)
                    os._exit(0)
                time.sleep(0.3)
                assert_refused(su(agent.name), "root|monitor")
                os.kill(pid, 9)
                os.waitpid(pid, 0)
        finally:
            host.CONTROL.unlink(missing_ok=True)
            installation.start_listener()


class TestHost:
    def v1(self, controller):
        for line in open("/proc/self/mountinfo"):
            fields = line.split()
            if fields[fields.index("-") + 1] == "cgroup" and controller in fields[-1].split(","):
                return fields[4]
        return None

    def without(self, controller, work):
        """Mounts after which there is no such controller: v1 has a tree for it, v2 a word in two files."""
        path = self.v1(controller)
        if path:
            return f"umount -l {path}"
        return "\n".join(f"sed -E 's/(^| ){controller}( |$)/ /' /sys/fs/cgroup/{name} > {work}/{name}; "
                         f"mount --bind {work}/{name} /sys/fs/cgroup/{name}"
                         for name in ("cgroup.controllers", "cgroup.subtree_control"))

    @pytest.mark.parametrize("controller", ["memory", "pids", "cpu"])
    def test_cgroup_controller_missing(self, client, agent, work, controller):
        mounts = self.without(controller, work)
        with installation.Listener(work, mounts=mounts) as listener:
            done = su(agent.name)
            assert_refused(done, f"cgroup|{controller}")
            assert controller in done.stdout + done.stderr + listener.read_log()

    def test_cgroup_read_only(self, agent, work):
        path = self.v1("pids") or "/sys/fs/cgroup"
        with installation.Listener(work, mounts=f"mount -o remount,bind,ro {path}"):
            assert_refused(su(agent.name), "cgroup")

    def test_no_subuid_range_for_fake_root(self, client, agent):
        saved = {path: open(path).read() for path in ("/etc/subuid", "/etc/subgid") if os.path.exists(path)}
        for path, text in saved.items():
            with open(path, "w") as out:
                out.writelines(line for line in text.splitlines(True) if not line.startswith(f"{agent.name}:"))
        try:
            agent.policy({"kernel": {"fake_root": "yes"}})
            assert_both_refuse(client, "subuid")
        finally:
            for path, text in saved.items():
                with open(path, "w") as out:
                    out.write(text)

    def test_init_missing(self, agent, work):
        with installation.Listener(work, mounts=f"mount --bind /dev/null {host.INIT}"):
            assert_refused(su(agent.name), "agentsh-init")

    def test_log_has_the_full_reason(self, agent, work):
        agent.policy_raw(b"[limits]\nmemroy = 1G\ntasks = none\n[nonsense]\na = b\n")
        with installation.Listener(work) as listener:
            assert_refused(su(agent.name))
            log = listener.read_log()
        assert agent.name in log and "su-l" in log
        for word in ("memroy", "tasks", "nonsense"):
            assert word in log


class TestWhatTheUserSees:
    def test_ssh_shows_one_line(self, client, agent):
        agent.policy_raw(b"[limits]\nmemroy = 1G\n")
        done = client.run(INSIDE)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "agentsh" in line]
        assert lines and len(set(lines)) == 1

    def test_sftp_fails(self, client, agent):
        agent.policy({"account": {"enabled": "no"}})
        done = host.run("sftp", "-b", "-", *client.options("-P"), client.address, input="ls\n")
        assert done.returncode != 0

    def test_refusal_holds_on_the_same_connection(self, sshd, agent):
        agent.policy({"account": {"enabled": "no"}})
        client = Client(sshd, agent)
        process = client.popen(flags=["-N"])
        time.sleep(1)
        assert not installation.sessions_of(agent)
        end(process)
