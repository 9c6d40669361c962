"""Properties of tests/battery/properties.txt that no other file shows: what an agent must not do, in each tier."""
import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import socket
import stat
import struct
import subprocess
import threading
import time

import accounts
import host
import installation
import pexpect
import pytest
import traces
from need import need, need_program
from sshd import environment, spawn
from tiers import BOTH

RENAME_EXCHANGE, AT_FDCWD = 2, -100
LIBC = ctypes.CDLL(None, use_errno=True)
NAMESPACE = r"ns=(pid:\[\d+\])\."
SAY_NAMESPACE = "echo ns=$(readlink /proc/self/ns/pid)."


def su(agent, script, **kwargs):
    kwargs.setdefault("env", environment())
    return host.run("su", "-", agent.name, "-c", script, **kwargs)


@contextlib.contextmanager
def session(agent, script=":"):
    """A session that has run `script` and now waits; gives the lines that the script printed."""
    process = subprocess.Popen(["su", "-", agent.name, "-c", f"{script}\necho up; read x"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
    lines = []
    try:
        for line in process.stdout:
            if line == "up\n":
                break
            lines.append(line.rstrip("\n"))
        else:
            raise AssertionError(f"the session did not come up: {lines}")
        yield lines
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(20)
        finally:
            process.kill()


def inside(agent):
    """The processes of the agent's that are in a pid namespace of their own."""
    depth = host.Process(os.getpid()).depth
    return [p for p in agent.processes() if p.depth > depth]


def init_of(agent):
    found = [p for p in inside(agent) if p.name == "agentsh-init"]
    assert len(found) == 1, found
    return found[0].pid


@pytest.fixture(scope="module")
def second(make_agent):
    return make_agent()


@BOTH
class TestWaysIn:
    def inside_or_refused(self, argv, agent, password=False, type_script=False):
        child = spawn(argv)
        if password:
            child.expect("(?i)password:")
            child.sendline(accounts.PASSWORD)
        if type_script:
            child.sendline(f"{SAY_NAMESPACE} exit")
        got = child.expect([NAMESPACE, pexpect.EOF])
        where = child.match.group(1) if got == 0 else None
        child.close(force=True)
        assert where != host.namespace("self", "pid")
        return where

    def test_login(self, agent):
        need_program("login")
        assert self.inside_or_refused(["login", "-f", agent.name], agent, type_script=True) is not None

    def test_runuser_login(self, agent):
        """Its PAM stack has no session of agentsh's: the login shell alone refuses."""
        assert self.inside_or_refused(["runuser", "-l", agent.name, "-c", SAY_NAMESPACE], agent) is None

    def test_su_with_another_shell_by_a_user(self, agent, plain):
        accounts.set_password(agent.name)
        self.inside_or_refused(["runuser", "-u", plain.name, "--", "su", "-s", "/bin/sh", "-", agent.name, "-c",
                                SAY_NAMESPACE], agent, password=True)


class TestLoginShell:
    @pytest.mark.parametrize("argv", [[], [""], ["x" * 4096], ["-a\nb"], ["agentsh", "-c"], ["agentsh", "-c", "a", "-c"],
                                      ["agentsh", "--nonsense"], ["agentsh", "-c", "x" * 131000]],
                             ids=["none", "empty", "4 KiB", "newline", "-c alone", "-c twice", "option", "128 KiB"])
    def test_arguments(self, agent, argv):
        """argv is the caller's: a status and a line, no crash, nothing run."""
        code = (f"import os; os.setgroups([]); os.setresgid({agent.gid}, {agent.gid}, {agent.gid}); "
                f"os.setresuid({agent.uid}, {agent.uid}, {agent.uid}); "
                f"import ctypes; argv = {argv!r}; "
                "made = (ctypes.c_char_p * (len(argv) + 1))(*[a.encode() for a in argv], None); "
                f"ctypes.CDLL(None).execve({str(host.SHELL)!r}.encode(), made, (ctypes.c_char_p * 1)(None))")
        done = host.run("python3", "-", input=code, env=environment())
        assert done.returncode > 0, done
        assert done.stdout == "" and "agentsh" in done.stderr

    @BOTH
    def test_environment_of_the_client(self, client, agent):
        """Data inside, whatever it holds; never a variable of another name."""
        values = {"LC_ALL": "../../../../../tmp/evil", "LC_TIME": "a\nLD_PRELOAD=/tmp/x.so\nHOME=/tmp",
                  "LC_PAPER": "x" * 65000, "LC_NAME": "$(touch ~/evil)`touch ~/evil`%n"}
        done = host.run(*client.command("env -0 | tr '\\n\\0' '|\\n'; ls", flags=["-o", "SendEnv=LC_*"]),
                        env=environment(**values))
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert f"HOME={agent.home}" in lines and not [line for line in lines if line.startswith("LD_")]
        assert "LC_NAME=" + values["LC_NAME"] in lines and "evil" not in lines

    def test_account_tools(self, agent):
        """chfn, gpasswd and newgrp, run on the host with the agent's uid, change nothing."""
        before = (pwd.getpwnam(agent.name), os.getgrouplist(agent.name, agent.gid))
        for tool in (["chfn", "-f", "x", agent.name], ["gpasswd", "-a", agent.name, "root"], ["newgrp", "root"],
                     ["usermod", "-d", "/tmp", agent.name]):
            done = host.run("runuser", "-u", agent.name, "--", *tool, input=accounts.PASSWORD + "\n")
            assert done.returncode != 0, tool
        assert (pwd.getpwnam(agent.name), os.getgrouplist(agent.name, agent.gid)) == before


@BOTH
class TestFiles:
    def test_inherited_directory(self, agent):
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            done = su(agent, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c -- '-> /$'; cat /proc/self/fd/{root}/etc/shadow",
                      pass_fds=(root,))
            assert done.stdout == "0\n"
            refused = su(agent, "echo ran", stdin=root)
            assert refused.returncode != 0 and "ran" not in refused.stdout
        finally:
            os.close(root)

    def test_what_root_leaves_in_the_home(self, agent):
        """Devices, setuid files and file capabilities, made by the host where mknod inside would not do it."""
        made = {name: agent.data / name for name in ("null", "disk", "setuid", "capable")}
        try:
            os.mknod(made["null"], stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.mknod(made["disk"], stat.S_IFBLK | 0o666, os.stat("/").st_dev)
            for name in ("setuid", "capable"):
                shutil.copyfile("/bin/cat", made[name])
            made["setuid"].chmod(0o6755)
            made["capable"].chmod(0o755)
            os.setxattr(made["capable"], "security.capability", struct.pack("<5I", 0x02000001, 0xffffffff, 0, 0xff, 0))
            for name in ("null", "disk"):
                made[name].chmod(0o666)
            done = su(agent, "for f in null disk; do : < $f && echo opened; done; for f in setuid capable; do "
                             "./$f /proc/self/status | grep -E '^(Uid|Gid|Cap(Eff|Prm))'; done")
        finally:
            for path in made.values():
                path.unlink(missing_ok=True)
        lines = [line.split() for line in done.stdout.splitlines()]
        assert len(lines) == 8, done.stdout + done.stderr
        for name, *values in lines:
            wanted = {"Uid:": str(agent.uid), "Gid:": str(agent.gid)}.get(name, "0" * 16)
            assert set(values) == {wanted}, (name, values)

    PUBLIC = ("/tmp", "/var/tmp", "/dev/shm", "/run")

    def test_public_directories_are_not_shared(self, agent):
        outer, inner = f"agtest-out-{os.getpid()}", f"agtest-in-{os.getpid()}"
        for directory in self.PUBLIC:
            pathlib.Path(directory, outer).touch()
        try:
            with session(agent, f"for d in {' '.join(self.PUBLIC)}; do ls -a $d; touch $d/{inner}; done; ls -d /tmp/{inner}"
                         ) as lines:
                assert outer not in lines and f"/tmp/{inner}" in lines
                assert not [d for d in self.PUBLIC if os.path.lexists(os.path.join(d, inner))]
        finally:
            for directory in self.PUBLIC:
                os.unlink(os.path.join(directory, outer))

    def test_mounts_name_nobody_else(self, agent, second):
        with session(second):
            other = installation.sessions_of(second)[0]["id"]
            done = su(agent, "cat /proc/self/mountinfo /proc/1/mounts; ls /proc/1/root /var/lib/agentsh/homes 2>&1")
        assert " / " in done.stdout, done.stderr
        assert second.name not in done.stdout and other not in done.stdout
        homes = {word for word in done.stdout.split() if "/homes/" in word}
        assert all(agent.name in home for home in homes), homes

    SWAP = ("import ctypes, sys\nlibc = ctypes.CDLL(None)\na, b = (p.encode() for p in sys.argv[1:])\n"
            "n = 0\nprint('on', flush=True)\n"
            "while n < 100000:\n    assert libc.renameat2(-100, a, -100, b, 2) == 0\n    n += 1\n")

    def test_home_swapped_for_a_link(self, agent, work):
        """Somebody exchanges the data home and a link 10^5 times while logins go on: refused, or the true home."""
        elsewhere, trap = work / f"elsewhere-{agent.tier}", agent.data.with_name("agtest-trap")
        trap.unlink(missing_ok=True)
        elsewhere.mkdir()
        (elsewhere / "bait").touch()
        agent.write("here", "")
        trap.symlink_to(elsewhere)

        def state():
            return [(s.st_uid, s.st_mode, s.st_mtime_ns) for s in map(os.stat, (elsewhere, elsewhere / "bait"))]

        before = state()
        swapper = subprocess.Popen(["python3", "-c", self.SWAP, str(agent.data), str(trap)], stdout=subprocess.PIPE)
        good = refused = 0
        try:
            assert swapper.stdout.readline() == b"on\n"
            while swapper.poll() is None and good + refused < 200:
                done = su(agent, "ls; touch touched")
                assert "bait" not in done.stdout
                assert (done.returncode == 0) == ("here" in done.stdout.split())
                good, refused = good + (done.returncode == 0), refused + (done.returncode != 0)
            assert swapper.wait(60) == 0 and good + refused >= 3
            assert state() == before
            assert os.listdir(elsewhere) == ["bait"]
        finally:
            swapper.kill()
            swapper.wait()
            swapper.stdout.close()
            if agent.data.is_symlink():
                assert LIBC.renameat2(AT_FDCWD, bytes(agent.data), AT_FDCWD, bytes(trap), RENAME_EXCHANGE) == 0
            trap.unlink()
            shutil.rmtree(elsewhere)

    def test_mounts_stay_in_their_session(self, agent, second, work):
        """The listener's mounts are all shared, as systemd makes them: the worst case."""
        def table(pid):
            return pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
        with installation.Listener(work, mounts="mount --make-rshared /") as listener:
            before = table(listener.process.pid)
            assert "shared:" in before
            with session(agent):
                first = table(init_of(agent))
                assert "shared:" not in first and "master:" not in first
                with session(second):
                    assert table(init_of(agent)) == first
                    assert table(listener.process.pid) == before
            assert table(listener.process.pid) == before


@BOTH
class TestProcesses:
    THREADS = ("python3 -c 'import threading, time; [threading.Thread(target=time.sleep, args=(30,), daemon=True).start() "
               "for _ in range(3)]; print(\"threads\", flush=True); time.sleep(30)' & sleep 0.7")

    def test_every_thread_is_confined(self, agent):
        with session(agent, self.THREADS):
            tasks = [path for p in inside(agent) for path in pathlib.Path(f"/proc/{p.pid}/task").iterdir()]
            assert len(tasks) >= 6
            for task in tasks:
                status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
                assert (status["Seccomp"], status["NoNewPrivs"], status["Groups"].strip()) == ("2", "1", "")
                assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
                assert status["Uid"].split() == [str(agent.uid)] * 4

    def test_memory_killer_prefers_the_agent(self, agent):
        def score(pid):
            return int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())
        with session(agent):
            ours = max(score(p.pid) for p in installation.monitors())
            # A listener without CAP_SYS_RESOURCE stays at 0; process 1 then has the same, every channel more.
            assert ours <= score(init_of(agent))
            assert ours < min(score(p.pid) for p in inside(agent) if p.name != "agentsh-init")
        assert su(agent, "echo -1 > /proc/self/oom_score_adj").returncode != 0

    def test_supervisors_are_closed(self, agent):
        """To the agent's uid on the host, that is to more than an agent has: monitor, login shell, process 1. (Not that
        of a jail: its user namespace is the agent's, whose owner may look in from above.)"""
        names = ("agentsh", "agentsh-init") if agent.tier == "chroot" else ("agentsh",)
        with session(agent):
            pids = [p.pid for p in installation.monitors()] + [p.pid for p in agent.processes() if p.name in names]
            assert len(pids) > len(names)
            names = " ".join(f"/proc/{pid}/{name}" for pid in pids for name in ("mem", "environ", "maps", "syscall"))
            drop = accounts.drop_to(agent.uid, agent.gid)
            done = host.run("sh", "-c", f"for f in {names}; do head -c1 $f >/dev/null 2>&1 && echo $f; done; "
                            + "; ".join(f"ls /proc/{pid}/fd/ 2>/dev/null" for pid in pids), preexec_fn=drop)
            assert done.stdout == ""
            stop = host.run("kill", "-STOP", pids[0], preexec_fn=drop)
            assert stop.returncode != 0

    def test_process_1_goes_on(self, agent):
        """It takes no signal from inside."""
        done = su(agent, "for s in STOP KILL SEGV TERM HUP USR1 QUIT; do kill -$s 1; done; sleep 0.2; "
                         "grep -E '^State' /proc/1/status; setsid sh -c 'echo reaped' & wait; echo on")
        assert "T (stopped)" not in done.stdout and done.stdout.endswith("reaped\non\n"), done.stdout

    def test_core_handler_of_the_host(self, agent, work):
        """A pipe in core_pattern runs as root on the host; it is never started for a crash inside."""
        pattern, place = pathlib.Path("/proc/sys/kernel/core_pattern"), host.BUILD / "core"
        place.mkdir(exist_ok=True)
        handler, marker = place / "handler", place / "ran"
        handler.write_text(f"#!/bin/sh\ncat > /dev/null\necho \"$1\" >> {marker}\n")
        handler.chmod(0o755)
        marker.write_text("")
        crash = "sh -c 'kill -SEGV $$'; "
        before = pattern.read_text()
        try:
            pattern.write_text(f"|{handler} %u")
            done = su(agent, crash + f"sh -c 'ulimit -c 0; kill -SEGV $$'; prlimit --core=0:0 {crash}"
                                     "python3 -c 'import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0))' && "
                                     "echo went on")
            host.run("sh", "-c", "ulimit -c 0; kill -SEGV $$")
            ran = host.wait_until(lambda: "0" in marker.read_text().split(), 5)
        finally:
            pattern.write_text(before)
        need(ran, "the kernel starts no core handler from this file system")
        assert str(agent.uid) not in marker.read_text().split()
        assert "went on" in done.stdout, done.stderr

    def test_children_at_logout(self, agent):
        program = host.BUILD / "probes" / "probe_children"
        program.parent.mkdir(parents=True, exist_ok=True)
        host.run("cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", program, host.TOP / "tests/probes/probe_children.c",
                 check=True)
        agent.install(program)
        before = traces.Snapshot()
        process = subprocess.Popen(["su", "-", agent.name, "-c", "exec ./probe_children"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        try:
            assert process.stdout.readline() == b"up\n"
            states = [p.state for p in inside(agent) if p.name == "probe_children"]
            assert len(states) >= 6 and "t" in states and "T" in states and "D" in states, states
        finally:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
        assert traces.wait_for_none(before) == []


@BOTH
class TestNetwork:
    def test_nothing_answers(self, agent):
        """By IPv6, datagram, ping, broadcast, and to the hypervisor."""
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(0.2)
            script = ("import socket as s\n"
                      "def go(name, family, kind, protocol, address):\n"
                      " try:\n"
                      "  with s.socket(family, kind, protocol) as c:\n"
                      "   c.settimeout(1)\n"
                      "   if 'broadcast' in name: c.setsockopt(s.SOL_SOCKET, s.SO_BROADCAST, 1)\n"
                      "   c.connect(address); c.send(b'\\x08' + bytes(15)); c.recv(1); print('reached', name)\n"
                      " except OSError as e: print(name, 'no')\n"
                      f"go('tcp6', s.AF_INET6, s.SOCK_STREAM, 0, ('::1', {tcp.getsockname()[1]}))\n"
                      f"go('udp', s.AF_INET, s.SOCK_DGRAM, 0, ('127.0.0.1', {udp.getsockname()[1]}))\n"
                      "go('metadata', s.AF_INET, s.SOCK_DGRAM, 0, ('169.254.169.254', 80))\n"
                      "go('metadata6', s.AF_INET6, s.SOCK_DGRAM, 0, ('fd00:ec2::254', 80))\n"
                      "go('link-local', s.AF_INET6, s.SOCK_DGRAM, 0, ('fe80::1', 80, 0, 1))\n"
                      "go('ping', s.AF_INET, s.SOCK_DGRAM, 1, ('8.8.8.8', 0))\n"
                      "go('broadcast', s.AF_INET, s.SOCK_DGRAM, 0, ('255.255.255.255', 9))\n"
                      "go('vsock host', 40, s.SOCK_STREAM, 0, (2, 22))\n"
                      "go('vsock local', 40, s.SOCK_STREAM, 0, (1, 22))\n")
            agent.write("reach.py", script)
            done = su(agent, "python3 reach.py")
            assert done.returncode == 0, done.stderr
            lines = done.stdout.splitlines()
            assert len(lines) == 9 and all(line.endswith(" no") for line in lines), lines
            with pytest.raises(TimeoutError):
                udp.recv(16)

    def test_ipc_of_the_host(self, agent):
        need_program("ipcmk", "util-linux")
        made = [(kind, host.run("ipcmk", f"-{kind.upper()}", *size, check=True).stdout.split()[-1])
                for kind, size in (("m", ["4096"]), ("s", ["1"]), ("q", []))]
        name = b"/agtest-queue"
        queue = LIBC.mq_open(name, os.O_CREAT | os.O_RDWR, 0o666, None)
        try:
            assert queue >= 0
            done = su(agent, "cat /proc/sysvipc/* | grep -vc key; python3 -c 'import ctypes; "
                             "print(ctypes.CDLL(None).mq_open(b\"/agtest-queue\", 2))'")
            assert done.stdout.split() == ["0", "-1"], done.stdout
        finally:
            os.close(queue)
            LIBC.mq_unlink(name)
            for kind, number in made:
                host.run("ipcrm", f"-{kind}", number)


@BOTH
class TestSecrets:
    def test_of_the_hosts_processes_and_files(self, agent):
        """Environment and arguments of root's processes; mail, histories, keys and credentials in their usual places."""
        secret = "agtest-5ecret"
        places = [pathlib.Path(base, secret) for base in ("/root", "/var/mail", "/var/log", "/etc/ssh", "/var/spool/cron")
                  if os.path.isdir(base)]
        for path in places:
            path.write_text(secret)
            path.chmod(0o644)
        holder = subprocess.Popen(["sleep", "61"], env={"TOKEN": secret})
        try:
            # The paths come by the standard input: a command line that had them would be found by itself.
            done = su(agent, "while read f; do cat $f; done 2>/dev/null; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline "
                             "/etc/shadow /etc/ssh/ssh_host_* /root/.bash_history /root/.aws/credentials 2>/dev/null; "
                             "find /root /var /etc 2>/dev/null", input="".join(f"{path}\n" for path in places))
        finally:
            holder.kill()
            holder.wait()
            for path in places:
                path.unlink()
        assert len(places) >= 3
        assert "TERM=" in done.stdout and "/etc/passwd" in done.stdout, done.stderr
        assert secret not in done.stdout and "PRIVATE KEY" not in done.stdout

    def test_login_uid_stays(self, agent):
        done = su(agent, "cd /proc/self; cat loginuid; echo; echo 0 > loginuid; echo 4294967295 > loginuid; cat loginuid")
        assert done.stdout.split() == [str(agent.uid)] * 2

    def test_terminal_cannot_be_stolen(self, agent):
        """The terminal of the session as the controlling one of another, by force, and the keyboard's table."""
        code = ("import fcntl, os, sys, termios\n"
                "if os.fork() == 0:\n os.setsid()\n"
                " for name, number, value in ((\"steal\", termios.TIOCSCTTY, 1), (\"keys\", 0x4b47, bytes(8))):\n"
                "  try:\n   fcntl.ioctl(0, number, value); print(\"done\", name)\n  except OSError: print(\"no\", name)\n"
                " sys.stdout.flush(); os._exit(0)\nos.wait()\n")
        agent.write("steal.py", code)
        child = spawn(["su", "-", agent.name, "-c", "python3 steal.py; echo th''rough"])
        child.expect("through")
        assert "no steal" in child.before and "no keys" in child.before, child.before
        child.close(force=True)


@BOTH
class TestAvailability:
    def test_flood(self, agent):
        """Failing programs and 16 MiB on the terminal: the logs and the memory of ours stay as they were."""
        def logs():
            return sum(path.stat().st_size for path in host.LOGS.rglob("*") if path.is_file())

        def memory():
            found = {p.pid: p for p in installation.monitors() + [p for p in agent.processes() if p.name == "agentsh"]}
            return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in found)

        child = spawn(["su", "-", agent.name])
        child.sendline("PS1=; echo re''ady")
        child.expect("ready")
        before = logs(), memory()
        child.sendline("stty -echo; i=0; while [ $i -lt 2000 ]; do ./none; i=$((i+1)); done 2>/dev/null; "
                       "head -c 16M /dev/zero | tr '\\0' x; echo; echo do''ne")
        tail, deadline = b"", time.monotonic() + 60 * host.PATIENCE
        while b"done" not in tail and time.monotonic() < deadline:
            tail = (tail + os.read(child.child_fd, 65536))[-100:]
        assert b"done" in tail
        assert logs() - before[0] < 4096
        assert (memory() - before[1]) * 4096 < 1 << 20
        child.close(force=True)
        assert host.wait_until(lambda: not agent.processes())

    def test_stopped_session_holds_nobody_up(self, agent, second):
        agent.policy({"account": {"max_sessions": "2"}})
        process = subprocess.Popen(["su", "-", agent.name, "-c", "sleep 60 & echo up; kill -STOP -1; read x"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=environment())
        stopped = []
        try:
            assert process.stdout.readline() == b"up\n"
            for login in [p for p in agent.processes() if p.name == "agentsh"]:
                os.kill(login.pid, 19)
                stopped.append(login.pid)
            start = time.monotonic()
            assert su(agent, "echo in").stdout == su(second, "echo in").stdout == "in\n"
            assert time.monotonic() - start < 10 * host.PATIENCE
            (live,) = installation.sessions_of(agent)
            host.run(host.CTL, "kill", live["id"], check=True)
            assert host.wait_until(lambda: not inside(agent))
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 18)
            process.stdin.close()
            process.kill()
            process.wait()
            process.stdout.close()

    def test_policy_that_changes_meanwhile(self, agent):
        """Each login has one of the two policies, never a mixture."""
        texts = {which: accounts.policy_text({"account": {"tier": agent.tier},
                                              "limits": {"open_files": number, "file_size": f"{number}K"},
                                              "environment": {"set": f"WHICH={which}"}})
                 for which, number in (("a", "100"), ("b", "200"))}
        new, stop = agent.policy_file.with_suffix(".new"), threading.Event()

        def flip():
            while not stop.is_set():
                for text in texts.values():
                    new.write_text(text)
                    new.chmod(0o644)
                    new.rename(agent.policy_file)
        agent.policy_raw(texts["a"].encode())
        thread = threading.Thread(target=flip)
        thread.start()
        try:
            seen = [su(agent, "echo $(ulimit -n; ulimit -f; echo $WHICH)") for _ in range(8)]
        finally:
            stop.set()
            thread.join()
        outputs = {done.stdout for done in seen}
        assert outputs <= {"100 100 a\n", "200 200 b\n"}, [done.stderr for done in seen]


class TestHost:
    def test_stale_state_with_links(self, installed, work):
        """What a crash leaves, and links that somebody put there: cleared at the next start, nothing followed."""
        aim = work / "aim"
        aim.mkdir()
        (aim / "kept").touch()
        stale = host.SESSIONS / "0123456789abcdef"
        installation.stop_listener()
        try:
            stale.mkdir(mode=0o711)
            (stale / "state").write_bytes(os.urandom(200))
            (stale / "attach").symlink_to(aim / "kept")
            (stale / "more").symlink_to(aim)
            (host.SESSIONS / "fedcba9876543210").symlink_to(aim)
        finally:
            installation.start_listener()
        try:
            assert host.wait_until(lambda: not stale.exists()), traces.runtime_entries()
            assert os.listdir(aim) == ["kept"]
        finally:
            (host.SESSIONS / "fedcba9876543210").unlink(missing_ok=True)
            shutil.rmtree(stale, ignore_errors=True)
            shutil.rmtree(aim)

    def test_control_socket_is_closed(self, installed, agent, plain):
        code = (f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('{host.CONTROL}')")
        for user in (agent, plain):
            done = host.run("python3", "-c", code, preexec_fn=accounts.drop_to(user.uid, user.gid))
            assert "PermissionError" in done.stderr
