"""What it is like inside: the walls by static probes, the comfort by the programs that people use."""
import os
import socket

import host
import pytest
import probes
from need import need_program
from sshd import Client, environment
from tiers import BOTH

WAYS = ["ssh", "ssh with terminal", "su", "su -"]


def command(way, client, agent):
    if way.startswith("ssh"):
        flags = ["-tt", "-o", "LogLevel=QUIET"] if "terminal" in way else []
        return client.command(probes.script(), flags=flags)
    if way == "su":
        return ["su", agent.name, "-c", f"cd; {probes.script()}"]
    return probes.su_command(agent)


class TestWalls:
    @BOTH
    @pytest.mark.parametrize("way", WAYS)
    def test_probes(self, client, agent, way):
        facts = probes.collect(agent, command(way, client, agent))
        # A channel without terminal brings no TERM; bash makes up this one.
        term = "dumb" if way == "ssh" else "xterm"
        found = probes.violations(facts, agent, term=term)
        assert not found, "\n".join(found)

    @BOTH
    def test_every_way_is_the_same(self, client, agent):
        """But for pids, inodes and what stdio is, all ways in end in the same place."""
        def stable(way):
            facts = probes.collect(agent, command(way, client, agent))
            skip = ("ns_", "fd ", "pid", "NSpid", "interface", "outside", "sid", "ppid", "device tty", "open tty",
                    "pts", "kill host", "ptrace host", "pidfd_open", "limit-", "unix", "route6", "term")
            return {key: values for key, values in facts.items() if not key.startswith(skip)}
        first = stable("su -")
        for way in ("ssh", "su"):
            assert stable(way) == first

    def test_fake_root(self, make_agent, sshd):
        agent = make_agent({"kernel": {"fake_root": "yes"}})
        facts = probes.collect(agent)
        found = [v for v in probes.violations(facts, agent, fake_root=True)
                 if not v.startswith(("passwd", "group", "chown", "chroot", "setuid 0", "setgid 0", "create in",
                                      "write ", "hidden", "groups"))]
        assert not found, "\n".join(found)
        for attempt in ("mount tmpfs", "umount", "pivot_root", "mknod block", "sethostname", "unshare newuser",
                        "create in /usr", "write /proc/1/mem", "ptrace host pid", "chroot"):
            assert facts[attempt][0] != "ok", attempt
        done = host.run("su", "-", agent.name, "-c", "id -u; id -un; touch f; stat -c %u f; chown 5:5 f; "
                                                     "stat -c %u:%g f", env=environment())
        assert done.stdout.split() == ["0", "root", "0", "5:5"], done.stderr
        assert os.stat(agent.data / "f").st_uid >= 100000

    def test_nested(self, make_agent):
        need_program("bwrap", "bubblewrap")
        agent = make_agent({"kernel": {"nested": "yes"}})
        done = host.run("su", "-", agent.name, "-c", "bwrap --unshare-user --ro-bind / / --dev /dev id -u; "
                                                     "unshare -Ur id -u", env=environment())
        assert done.stdout.split() == [str(agent.uid), "0"], done.stderr

    @BOTH
    def test_not_nested_by_default(self, agent):
        done = host.run("su", "-", agent.name, "-c", "unshare -Ur id -u; bwrap --unshare-user --ro-bind / / id -u",
                        env=environment())
        assert done.stdout == "" and done.returncode != 0


@BOTH
class TestHostUnreachable:
    def test_sockets(self, agent, work):
        """An abstract socket, one in a public directory, and a loopback port of the host."""
        path = f"/tmp/agtest-{os.getpid()}.sock"
        with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named, \
                socket.create_server(("127.0.0.1", 0)) as tcp:
            abstract.bind("\0agtest-abstract")
            abstract.listen()
            named.bind(path)
            os.chmod(path, 0o777)
            named.listen()
            port = tcp.getsockname()[1]
            script = ("import socket,sys\n"
                      f"for f,a in ((1,'\\0agtest-abstract'),(1,'{path}'),(2,('127.0.0.1',{port})),"
                      "(2,('169.254.169.254',80)),(2,('8.8.8.8',53))):\n"
                      " s=socket.socket(f); s.settimeout(3)\n"
                      " try:\n  s.connect(a); print('reached',a)\n"
                      " except OSError as e: print('no')\n")
            agent.write("reach.py", script)
            done = host.run("su", "-", agent.name, "-c", "python3 reach.py", env=environment())
        os.unlink(path)
        assert done.stdout.split() == ["no"] * 5, done.stdout + done.stderr

    def test_port_inside_is_not_on_the_host(self, client):
        process = client.popen("python3 -c \"import socket,time;s=socket.create_server(('127.0.0.1',8766));"
                               "print('up',flush=True);time.sleep(20)\"")
        assert process.stdout.readline() == b"up\n"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", 8766)) != 0
        from sshd import end
        end(process)

    def test_ipc(self, client):
        need_program("ipcmk", "util-linux")
        made = host.run("ipcmk", "-M", "4096", check=True).stdout.split()[-1]
        try:
            assert made not in client.run("cat /proc/sysvipc/shm").stdout.split()
            assert len(client.run("cat /proc/sysvipc/shm").stdout.splitlines()) == 1
        finally:
            host.run("ipcrm", "-m", made)

    def test_user_keyring(self, agent):
        """A key that the uid has on the host cannot be found inside."""
        need_program("keyctl", "keyutils")
        from accounts import drop_to
        done = host.run("keyctl", "add", "user", probes.KEY_NAME, "secret", "@u",
                        preexec_fn=drop_to(agent.uid, agent.gid))
        serial = done.stdout.strip()
        assert serial.isdigit(), done.stderr
        try:
            inside = host.run("su", "-", agent.name, "-c", f"keyctl print {serial}; keyctl show @u; cat /proc/keys",
                              env=environment())
            assert "secret" not in inside.stdout and probes.KEY_NAME not in inside.stdout
        finally:
            host.run("keyctl", "unlink", serial, "@u", preexec_fn=drop_to(agent.uid, agent.gid))

    def test_host_names_are_not_seen(self, client, plain):
        done = client.run("cat /etc/passwd /etc/group /proc/self/mountinfo; ls /home; hostname; "
                          f"getent passwd {plain.name}")
        assert plain.name not in done.stdout
        assert os.uname().nodename not in done.stdout.split()

    def test_setuid_file_in_the_home_has_no_effect(self, agent, plain, client):
        """Neither inside (nosuid, no_new_privs) nor outside (nobody can pass the directory above)."""
        client.run("cp /usr/bin/id planted && chmod 6755 planted")
        assert client.run("./planted -u").stdout.strip() == str(agent.uid)
        from accounts import drop_to
        done = host.run("ls", agent.data / "planted", preexec_fn=drop_to(plain.uid, plain.gid))
        assert done.returncode != 0
        (agent.data / "planted").unlink(missing_ok=True)

    def test_setuid_programs_of_the_host_do_not_elevate(self, client, agent):
        done = client.run("su -c id root </dev/null; sudo -n id; passwd -S root; mount -t tmpfs none /tmp")
        assert "uid=0" not in done.stdout

    def test_no_core_dump_reaches_the_host(self, client, agent):
        before = set(os.listdir("/"))
        client.run("sh -c 'kill -SEGV $$'; sh -c 'ulimit -c unlimited; kill -ABRT $$'")
        assert set(os.listdir("/")) == before
        assert not list(agent.data.glob("core*"))


@BOTH
class TestHome:
    def test_persistent(self, client, agent):
        client.run("echo kept > file; mkdir -p a/b; ln -s /etc/passwd link")
        assert client.run("cat file").stdout == "kept\n"
        assert (agent.data / "file").read_text() == "kept\n"

    def test_passwd_home_outside_stays_empty_and_roots(self, client, agent):
        client.run("touch something")
        assert "something" not in os.listdir(agent.home)
        assert os.stat(agent.home).st_uid == 0


@BOTH
class TestOrdinaryPrograms:
    def inside(self, client, script, timeout=60):
        done = client.run(script, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test_bash(self, client):
        script = ("set -eo pipefail; a=(1 2 3); [[ ${#a[@]} -eq 3 ]]; diff <(seq 3) <(printf '1\\n2\\n3\\n'); "
                  "seq 1000 | sort -R | sort -n | tail -1; coproc cat; echo hi >&${COPROC[1]}; "
                  "read -u ${COPROC[0]} x; echo $x; wait $(sleep 0 & echo $!) || true")
        assert self.inside(client, f"bash -c '{script}'" if "'" not in script else script).split()[:2] == ["1000", "hi"]

    def test_python(self, client, agent):
        agent.write("all.py", "\n".join([
            "import threading, subprocess, multiprocessing, tempfile, ssl, sqlite3, socket, asyncio, os, ctypes",
            "def work(n): return n * n",
            "if __name__ == '__main__':",
            " done = []",
            " threads = [threading.Thread(target=done.append, args=(n,)) for n in range(20)]",
            " [t.start() for t in threads]; [t.join() for t in threads]",
            " assert len(done) == 20",
            " with multiprocessing.Pool(4) as pool: assert pool.map(work, range(5)) == [0, 1, 4, 9, 16]",
            " assert subprocess.run(['echo', 'x'], capture_output=True).stdout == b'x\\n'",
            " a, b = socket.socketpair(); a.send(b'y'); assert b.recv(1) == b'y'",
            " s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())",
            " tempfile.TemporaryFile().write(b'z'); sqlite3.connect(':memory:').execute('select 1')",
            " asyncio.run(asyncio.create_subprocess_exec('true')) and None",
            " print('fine')"]))
        assert self.inside(client, "python3 all.py") == "fine\n"

    def test_compiler(self, client):
        need_program("gcc")
        script = ("printf '#include <stdio.h>\\n#include <pthread.h>\\nstatic void *f(void *p){return p;}\\n"
                  "int main(void){pthread_t t;pthread_create(&t,0,f,0);pthread_join(t,0);puts(\"built\");}' > t.c && "
                  "gcc -O2 -o t t.c -pthread && ./t && make --version | head -1")
        assert self.inside(client, script).startswith("built\n")

    def test_git(self, client):
        need_program("git")
        script = ("rm -rf r && git init -q r && cd r && git config user.email a@b && git config user.name n && "
                  "echo 1 > f && git add f && git commit -qm one && git checkout -qb two && echo 2 > f && "
                  "git commit -qam two && git log --oneline | wc -l && git gc -q && git fsck 2>/dev/null && cd .. && "
                  "git clone -q r r2 && cat r2/f")
        assert self.inside(client, script).split() == ["2", "2"]
        self.inside(client, "rm -rf r r2")

    def test_node(self, client):
        need_program("node", "nodejs")
        script = ("node -e \"const {Worker}=require('worker_threads');const fs=require('fs');"
                  "require('child_process').execSync('true');"
                  "fs.readFile('/etc/passwd',()=>{new Worker('process.exit(0)',{eval:true})"
                  ".on('exit',()=>console.log('fine'))})\"")
        assert self.inside(client, script) == "fine\n"

    def test_perl(self, client):
        assert self.inside(client, "perl -MSocket -MFile::Temp -e 'fork || exit; wait; print qq(fine\\n)'") == "fine\n"

    def test_common_tools(self, client):
        script = ("ps ax | wc -l; free -m | head -1; uptime; df -h ~ | tail -1; top -bn1 | head -1; id; whoami; "
                  "date; nproc; env | wc -l; mktemp; ping -c1 127.0.0.1 || true; tar cf - /etc/profile | wc -c; "
                  "find / -xdev -maxdepth 2 | wc -l; locale; ls -la /proc/self/fd /dev; timeout 1 sleep 0.1; nice true")
        self.inside(client, script)

    def test_debugger_of_ones_own(self, client):
        need_program("strace")
        assert "execve" in client.run("strace -f -e execve true 2>&1").stdout

    def test_deep_and_odd_names(self, client):
        script = ("mkdir -p d/$(printf 'n%.0s' $(seq 200)) && touch \"d/new\nline\" d/$'\\xff\\xfe' && "
                  "find d | wc -l && rm -r d")
        self.inside(client, script)

    def test_terminal_programs(self, client):
        need_program("tmux")
        child = client.spawn("tmux -f /dev/null new 'echo in-tmux; sleep 1'")
        child.expect("in-tmux")
        child.expect("exited")
