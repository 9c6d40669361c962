"""The login shell and process 1 against a stand-in for the monitor: streams, terminals, signals, hostile ends.

No PAM, no sshd, no confinement: tests/lib/session_lab.c makes a session's directory and starts agentsh-init in a pid
and mount namespace of its own. The programs are built for a runtime directory that only these tests use.
"""
import array
import contextlib
import hashlib
import os
import pathlib
import pty as pseudo
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pexpect
import pytest

from need import need_program

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNTIME = pathlib.Path("/run/agentsh-relay-test")
BUILD = pathlib.Path(os.environ.get("AGENTSH_RELAY_BUILD", ROOT / "build" / "relay"))
UID = 45803
ID = "0123456789abcdef"
PROGRAMS = ("agentsh", "agentsh-init", "agentsh-relay", "agentsh-guest")
SOCKET = f"{RUNTIME}/sessions/{ID}/attach"
AGENTSH = RUNTIME / "bin" / "agentsh"
# The leak check traces its process, which a non-dumpable one does not allow.
SANITIZER = {"ASAN_OPTIONS": "detect_leaks=0"}
ENVIRONMENT = {"AGENTSH_SOCKET": SOCKET, "TERM": "xterm", "LANG": "C.UTF-8", "SECRET": "x", "PATH": "/usr/bin:/bin",
               "LC_TIME": "C", **SANITIZER}
MAGIC, REQUEST, STARTED, FAILED, SIGNAL, EXITED = 0x41475303, 1, 2, 3, 4, 5
STATUS_OPENED, STATUS_CLOSED = 2, 3
REFUSED = 254
TERMIOS_SIZE = 44
HEADER = struct.Struct("=6I4H")
REPLY = struct.Struct("=IIiII256s")


def drop(setsid=False):
    if setsid:
        os.setsid()
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)


@pytest.fixture(scope="session")
def programs():
    if not os.environ.get("AGENTSH_RELAY_NO_BUILD"):
        targets = [str(BUILD / t) for t in (*PROGRAMS, "tests/lib/session_lab.o", "libcommon.a")]
        subprocess.run(["make", "-s", f"-j{os.cpu_count()}", f"O={BUILD}",
                        f"CFLAGS=-DAGENTSH_RUNTIME_DIR='\"{RUNTIME}\"'", *targets],
                       cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (RUNTIME / "bin").mkdir(parents=True, exist_ok=True)
    for directory in (RUNTIME, RUNTIME / "bin"):
        directory.chmod(0o711)
    sanitize = ["-fsanitize=address,undefined"] if os.environ.get("AGENTSH_RELAY_SANITIZE") else []
    subprocess.run(["cc", *sanitize, "-o", RUNTIME / "bin" / "session_lab", BUILD / "tests/lib/session_lab.o",
                    BUILD / "libcommon.a"], check=True)
    for name in PROGRAMS:
        target = RUNTIME / "bin" / name
        target.unlink(missing_ok=True)
        target.write_bytes((BUILD / name).read_bytes())
        target.chmod(0o755)
    yield
    subprocess.run(["rm", "-rf", str(RUNTIME)], check=True)


class Lab:
    """A session that stands."""

    def __init__(self, shell="/bin/bash", patterns="TERM\nLANG\nLC_*\nSSH_CONNECTION\nPROMPT_COMMAND\nPS1\n",
                 far=()):
        self.process = subprocess.Popen(
            [RUNTIME / "bin" / "session_lab", str(RUNTIME), ID, str(UID), str(RUNTIME / "bin" / "agentsh-init"), shell,
             patterns, *far], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=SANITIZER)
        word, pid = self.process.stdout.readline().split()
        assert word == "READY"
        self.init = int(pid)
        self.reports = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.reports.append(tuple(int(n) for n in line.split()[1:]))

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.reader.join(5)

    def wait_report(self, kind, count=1):
        assert wait_until(lambda: sum(r[0] == kind for r in self.reports) >= count), self.reports


def wait_until(true, seconds=5.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.01)
    return bool(true())


@pytest.fixture
def lab(programs):
    made = Lab()
    yield made
    if made.process.poll() is None:
        made.end()
    assert made.process.returncode == 0
    left = processes_of_agent()
    for pid, _ in left:
        os.kill(int(pid), signal.SIGKILL)
    assert not left


def comm(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def descendants(pid):
    """All processes below this one."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children + [below for child in children for below in descendants(child)]


def processes_of_agent():
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == UID:
                found.append((entry, pathlib.Path(f"/proc/{entry}/comm").read_text().strip()))
        except OSError:
            pass
    return found


def spawn(*arguments, name="agentsh", env=None, **rest):
    rest.setdefault("stdout", subprocess.DEVNULL)
    rest.setdefault("stderr", subprocess.DEVNULL)  # pytest's own is a file open for both reading and writing: refused
    return subprocess.Popen([name, *arguments], executable=AGENTSH, env={**ENVIRONMENT, **(env or {})},
                            preexec_fn=drop, **rest)


def run(*arguments, **rest):
    rest.setdefault("stdin", subprocess.DEVNULL)
    data = rest.pop("input", None)
    if data is not None:
        rest["stdin"] = subprocess.PIPE
    process = spawn(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **rest)
    out, err = process.communicate(data, timeout=60)
    return process.returncode, out, err


def terminal(*arguments, env=None, argv0=None, dimensions=(24, 80)):
    master, slave = pseudo.openpty()
    termios.tcsetwinsize(slave, dimensions)
    return Terminal(master, slave, arguments, {**ENVIRONMENT, **(env or {})}, argv0 or "agentsh")


class Terminal:
    """agentsh as the leader of a session on a pty, whose outer side is ours."""

    def __init__(self, master, slave, arguments, env, name):
        self.master, self.slave, self.seen = master, slave, b""
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([name, *arguments], executable=AGENTSH, env=env, stdin=slave, stdout=slave,
                                        stderr=slave, preexec_fn=self.begin)

    def begin(self):
        import fcntl
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        drop()

    def send(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def expect(self, pattern, seconds=10):
        """Reads until `pattern`; what came up to its end is returned and forgotten."""
        expression = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.S)
        until = time.monotonic() + seconds
        while True:
            match = expression.search(self.seen)
            if match:
                taken, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return taken
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{pattern!r} not in {self.seen[-2000:]!r}")
            self.seen += os.read(self.master, 65536)

    def drain(self, seconds=20):
        """All that is written until the process has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self.master], [], [], 0.02)[0]:
                self.seen += os.read(self.master, 65536)
            elif self.process.poll() is not None:
                break
        return self.seen

    def wait(self, seconds=10):
        return self.process.wait(seconds)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def wait_raw(self):
        assert wait_until(self.is_raw)

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def hang_up(self):
        for fd in (self.master, self.slave):
            os.close(fd)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()


# -- commands on pipes


@pytest.mark.parametrize("status", [0, 7, 254, 255])
def test_exit_status(lab, status):
    assert run("-c", f"exit {status}") == (status, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE])
def test_death_by_signal_is_repeated_without_a_core(lab, number):
    process = spawn("-c", f"kill -{int(number)} $$", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = 0
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number and not os.WCOREDUMP(status)


def test_stderr_apart_and_nothing_of_its_own(lab):
    assert run("-c", "echo out; echo err >&2") == (0, b"out\n", b"err\n")


def test_large_binary_through_cat(lab):
    data = os.urandom(1 << 20) * 64
    code, out, err = run("-c", "cat", input=data)
    assert (code, err) == (0, b"") and hashlib.sha256(out).digest() == hashlib.sha256(data).digest()


def test_half_close_both_ways(lab):
    process = spawn("-c", "cat >/dev/null; echo got-eof; exec >&-; sleep 0.3; exit 3", stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
    process.stdin.write(b"x" * 100000)
    process.stdin.close()
    start = time.monotonic()
    assert process.stdout.read() == b"got-eof\n"
    assert process.poll() is None and time.monotonic() - start < 2
    assert process.wait(5) == 3


def test_reader_that_goes_away(lab):
    process = spawn("-c", "yes", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(5) == -signal.SIGPIPE


def test_streams_can_be_reopened_by_name(lab):
    inner, outer = os.pipe(), os.pipe()
    for fd in (*inner, *outer):
        os.fchown(fd, UID, UID)  # as sshd's are
    process = spawn("-c", "echo x > /dev/stdout; cat /dev/stdin", stdin=inner[0], stdout=outer[1])
    os.write(inner[1], b"y")
    for fd in (*inner, outer[1]):
        os.close(fd)
    with open(outer[0], "rb") as out:
        assert out.read() == b"x\ny"
    assert process.wait(5) == 0


def test_only_three_descriptors_inside(lab):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    code, out, _ = run("-c", "ls /proc/self/fd | tr '\\n' ' '", pass_fds=(write,))
    assert (code, out) == (0, b"0 1 2 3 ")  # 3: ls's own


def test_login_without_terminal(lab):
    code, out, err = run(name="-agentsh", input=b"echo $0; shopt -q login_shell && echo login\n")
    assert (code, out) == (0, b"-bash\nlogin\n")


def test_command_of_a_login_shell(lab):
    code, out, _ = run("-c", "shopt -q login_shell && echo login; echo $0", name="-agentsh")
    assert out.splitlines()[0] == b"login"


def test_state_of_a_channel(lab):
    command = ("umask; cat /proc/self/oom_score_adj; grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'; pwd; "
               "ps -o pid=,sid= -p $$ | tr -s ' '; ulimit -c")
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mask = os.umask(0o777)
    try:
        process = subprocess.Popen(["agentsh", "-c", command], executable=AGENTSH, env=ENVIRONMENT, preexec_fn=drop,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   restore_signals=False)
    finally:
        os.umask(mask)
        signal.signal(signal.SIGCHLD, old)
    lines = process.stdout.read().decode().split("\n")
    assert lines[0] == "0022" and lines[1] == "300"
    assert lines[2] == "SigBlk:" + "0" * 16 and lines[3] == "SigIgn:" + "0" * 16
    assert lines[4] == "/tmp"
    assert len(set(lines[5].split())) == 1
    assert process.wait(5) == 0


def test_environment(lab):
    out = run("-c", "env", env={"LC_ALL": "C", "LD_PRELOAD": "/x", "PATH": "/evil", "HOME": "/evil",
                                "SSH_CONNECTION": "1 2 3 4", "SSH_TTY": "/dev/pts/9", "BIG": "x", "LC_BIG": "x" * 5000})[1]
    lines = out.decode().splitlines()
    assert "LC_ALL=C" in lines and "TERM=xterm" in lines and "SSH_CONNECTION=1 2 3 4" in lines
    assert "HOME=/tmp" in lines and "PATH=/usr/local/bin:/usr/bin:/bin" in lines and "USER=agent" in lines
    names = {line.split("=")[0] for line in lines}
    assert not names & {"LD_PRELOAD", "SECRET", "AGENTSH_SOCKET", "SSH_TTY", "BIG", "LC_BIG"}


@pytest.mark.parametrize("original, expected", [
    (None, b"login\n"),
    ("echo 'a  b'; echo \"$((1+1))\"", b"a  b\n2\n"),
    ("printf '%s\\n' one\nprintf two", b"one\ntwo"),
])
def test_forced_command(lab, original, expected):
    env = {} if original is None else {"SSH_ORIGINAL_COMMAND": original}
    code, out, _ = run("-c", "agentsh-session", env=env, input=b"shopt -q login_shell && echo login\n")
    assert (code, out) == (0, expected)


@pytest.mark.parametrize("original", ["internal-sftp", "internal-sftp -f AUTH -l INFO"])
def test_forced_internal_sftp(lab, original):
    if not os.path.exists("/usr/lib/openssh/sftp-server"):
        pytest.skip("no sftp-server here")
    version = b"\0\0\0\5\1\0\0\0\3"
    process = spawn("-c", "agentsh-session", env={"SSH_ORIGINAL_COMMAND": original}, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
    process.stdin.write(version)
    process.stdin.flush()
    assert process.stdout.read(9)[4:] == b"\2\0\0\0\3"
    process.stdin.close()
    assert process.wait(5) == 0


def test_nine_channels_share_processes(lab):
    first = spawn("-c", "echo $$; exec sleep 30", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    pid = int(first.stdout.readline())
    others = [spawn("-c", f"kill -0 {pid} && sleep 0.5 && echo {n}", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
              for n in range(9)]
    assert [p.communicate(timeout=10)[0] for p in others] == [b"%d\n" % n for n in range(9)]
    assert run("-c", f"kill {pid}")[0] == 0
    assert first.wait(5) == -signal.SIGTERM
    lab.wait_report(STATUS_CLOSED, 11)
    assert lab.reports[-1][1] == 0


def test_background_process_outlives_its_channel_but_not_the_session(lab):
    out = run("-c", "setsid sleep 777 >/dev/null 2>&1 </dev/null & echo $!")[1]
    assert run("-c", f"kill -0 {int(out)}")[0] == 0
    lab.end()
    assert not processes_of_agent()


def test_killed_login_shell_hangs_its_command_up(lab):
    process = spawn("-c", "trap 'echo hup > /tmp/relay-hup.$$; exit' HUP; echo $$; while :; do sleep 0.1; done",
                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    mark = pathlib.Path(f"/tmp/relay-hup.{int(process.stdout.readline())}")
    process.kill()
    process.wait()
    assert wait_until(mark.exists)
    mark.unlink()
    lab.wait_report(STATUS_CLOSED)


@pytest.mark.parametrize("number", ["TERM", "INT", "QUIT", "USR1", "USR2", "HUP"])
def test_signals_are_forwarded(lab, number):
    process = spawn("-c", f"trap 'echo got; exit 5' {number}; echo ready; while :; do sleep 0.05; done",
                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.2)
    process.send_signal(getattr(signal, f"SIG{number}"))
    assert process.stdout.read() == b"got\n"
    assert process.wait(5) == 5


def test_unwritable_home_and_missing_shell(programs):
    made = Lab(shell="/nonexistent/shell")
    try:
        code, out, err = run("-c", "true")
        assert (code, out) == (REFUSED, b"")
        assert err == b"agentsh: cannot run /nonexistent/shell: No such file or directory\n"
    finally:
        made.end()


# -- refusals


def test_usage(programs):
    for arguments in (["-x"], ["-c"], ["-c", "a", "b"], ["x"]):
        code, out, err = run(*arguments)
        assert (code, out) == (2, b"") and b"usage: agentsh" in err
    assert run("--help")[0] == 0 and run("--version")[1].startswith(b"agentsh ")
    code, out, err = run(name="")
    assert code == 2


def test_root_is_refused(programs):
    done = subprocess.run([AGENTSH, "-c", "id"], env=ENVIRONMENT, capture_output=True)
    assert (done.returncode, done.stdout) == (REFUSED, b"") and b"root" in done.stderr


def test_long_command(lab):
    code, _, err = run("-c", "#" + "x" * (128 * 1024 - 2))
    assert code == REFUSED and b"the command has 131071 bytes" in err
    assert run("-c", "#" + "x" * 90000)[0] == 0


@pytest.mark.parametrize("value", [None, "", "/tmp/x", SOCKET + "x", SOCKET.replace("attach", "../attach"),
                                   SOCKET.replace(ID, ID.upper()), SOCKET.replace(ID, ID[1:]), SOCKET[1:],
                                   SOCKET.replace("/sessions", "//sessions"), SOCKET.replace(ID, "f" * 16)])
def test_socket_variable(lab, value):
    env = {k: v for k, v in ENVIRONMENT.items() if k != "AGENTSH_SOCKET"}
    if value is not None:
        env["AGENTSH_SOCKET"] = value
    done = subprocess.run(["agentsh", "-c", "id"], executable=AGENTSH, env=env, preexec_fn=drop, capture_output=True)
    assert (done.returncode, done.stdout) == (REFUSED, b"") and done.stderr.startswith(b"agentsh: ")
    if value is None:
        assert b"UsePAM" in done.stderr


def session_directory(owner=0, mode=0o711):
    """A directory of another session with a socket of ours."""
    path = RUNTIME / "sessions" / ("e" * 16)
    subprocess.run(["rm", "-rf", str(path)], check=True)
    path.mkdir(parents=True)
    (path / "keep").write_text("TERM\n")
    (path / "keep").chmod(0o444)
    os.chown(path, owner, owner)
    path.chmod(mode)
    for parent in (RUNTIME, RUNTIME / "sessions"):
        parent.chmod(0o711)
    return path


class Server:
    """A hostile init, and its socket."""

    def __init__(self, path, uid=0):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path / "attach"))
        os.chown(path / "attach", UID, UID)
        if uid:
            os.seteuid(uid)
        self.socket.listen(8)
        os.seteuid(0)
        self.env = {"AGENTSH_SOCKET": str(path / "attach")}

    def accept(self):
        self.socket.settimeout(5)
        client, _ = self.socket.accept()
        client.settimeout(5)
        return client, client.recvmsg(200000, socket.CMSG_SPACE(64))

    def close(self):
        self.socket.close()
        subprocess.run(["rm", "-rf", str(self.path)], check=True)


def message(kind, status=0, hit=0, ending=0, text=b""):
    return REPLY.pack(MAGIC, kind, status, hit, ending, text)


def send_fds(client, data, fds):
    client.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def test_listener_that_is_not_root(programs):
    server = Server(session_directory(), uid=UID)
    try:
        code, _, err = run("-c", "id", env=server.env)
        assert code == REFUSED and b"not to root" in err
    finally:
        server.close()


def test_end_before_a_message_was_read(programs):
    """Of a machine, by a relay that has not read how large the terminal is: its last word counts all the same."""
    path = session_directory()
    (path / "remote").touch()
    server = Server(path)
    shell = terminal("-c", "exit 3", env=server.env)
    try:
        client, _ = server.accept()
        send_fds(client, message(STARTED), [])
        assert select.select([client], [], [], 5)[0]
        os.kill(shell.process.pid, signal.SIGSTOP)  # it has both before it looks
        client.send(message(EXITED, 3 << 8))
        client.close()
        os.kill(shell.process.pid, signal.SIGCONT)
        assert shell.wait() == 3, shell.drain()
    finally:
        shell.close()
        server.close()


@pytest.mark.parametrize("owner, mode", [(UID, 0o711), (0, 0o733)])
def test_directory_that_others_can_write(programs, owner, mode):
    server = Server(session_directory(owner, mode))
    try:
        code, _, err = run("-c", "id", env=server.env)
        assert code == REFUSED and (b"not to root" in err or b"writable" in err)
    finally:
        server.close()


STREAMS = {
    "directory": lambda: os.open("/", os.O_RDONLY),
    "path": lambda: os.open("/etc/passwd", os.O_PATH),
    "read-write file": lambda: os.open("/tmp", os.O_RDWR | os.O_TMPFILE),
    "memfd": lambda: os.memfd_create("x"),
    "proc": lambda: os.open("/proc/self/status", os.O_RDONLY),
    "network socket": lambda: socket.socket(socket.AF_INET).detach(),
    "unconnected socket": lambda: socket.socket(socket.AF_UNIX).detach(),
    "datagram socket": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].detach(),
    "pty master": lambda: os.open("/dev/ptmx", os.O_RDWR),
    "namespace": lambda: os.open("/proc/self/ns/net", os.O_RDONLY),
    "eventfd": lambda: os.eventfd(0),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_that_are_refused(lab, kind):
    fd = STREAMS[kind]()
    try:
        for stream in ("stdin", "stdout", "stderr"):
            process = spawn("-c", "id", **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                                           "stderr": subprocess.DEVNULL, stream: fd})
            assert process.wait(5) == REFUSED, stream
        assert run("-c", "true")[0] == 0
    finally:
        os.close(fd)
    lab.wait_report(STATUS_CLOSED)
    assert [r for r in lab.reports if r[0] == STATUS_CLOSED] == [(STATUS_CLOSED, 0, 0)]


def test_streams_that_are_passed(lab, tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"content")
    os.mkfifo(tmp_path / "fifo")
    ours, theirs = socket.socketpair()
    fifo = os.open(tmp_path / "fifo", os.O_RDWR)
    os.write(fifo, b"fifo\n")
    for fd, command, expected in ((os.open(file, os.O_RDONLY), "cat", b"content"), (fifo, "head -1", b"fifo\n"),
                                  (os.open("/dev/zero", os.O_RDWR), "head -c 3", b"\0\0\0"),
                                  (theirs.fileno(), "echo x >&0; echo y", b"y\n")):
        process = spawn("-c", command, stdin=fd, stdout=subprocess.PIPE)
        assert process.communicate(timeout=5)[0] == expected
    assert ours.recv(10) == b"x\n"
    with open(tmp_path / "out", "ab") as out:
        assert spawn("-c", "echo appended", stdin=subprocess.DEVNULL, stdout=out).wait(5) == 0
    assert (tmp_path / "out").read_bytes() == b"appended\n"


def test_closed_stdio(lab):
    done = subprocess.run(["sh", "-c", f"exec setpriv --reuid {UID} --regid {UID} --clear-groups {AGENTSH} "
                           "-c 'exit 9' <&- >&- 2>&-"], env=ENVIRONMENT)
    assert done.returncode == 9


# -- clients that are hostile to init


class Client:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.seteuid(UID)
        try:
            self.socket.connect(SOCKET)
        finally:
            os.seteuid(0)
        self.socket.settimeout(8)

    def request(self, command=b"true\0", environment=b"", passed=7, login=0, fds=None, magic=MAGIC, kind=REQUEST,
                sizes=None, cut=0):
        header = HEADER.pack(magic, kind, passed, login, *(sizes or (len(command), len(environment))), 24, 80, 0, 0)
        data = header + bytes(TERMIOS_SIZE) + command + environment
        null = [os.open("/dev/null", os.O_RDWR) for _ in range(3)]
        send_fds(self.socket, data[:len(data) - cut], null if fds is None else fds)
        for fd in null:
            os.close(fd)

    def answer(self):
        data = self.socket.recv(4096)
        return REPLY.unpack(data)[1] if data else None


def directory():
    return os.open("/", os.O_RDONLY)


HOSTILE = {
    "garbage": lambda c: c.socket.send(b"garbage"),
    "empty": lambda c: c.socket.send(b""),
    "short": lambda c: c.request(cut=1),
    "huge": lambda c: c.socket.send(b"x" * 180000),
    "magic": lambda c: c.request(magic=1),
    "kind": lambda c: c.request(kind=2),
    "sizes": lambda c: c.request(sizes=(0xffffffff, 6)),
    "no NUL": lambda c: c.request(command=b"true"),
    "NUL inside": lambda c: c.request(command=b"tr\0ue\0"),
    "environment": lambda c: c.request(environment=b"A\0"),
    "strings": lambda c: c.request(environment=b"A=\0" * 2000),
    "no fds": lambda c: c.request(fds=[]),
    "four fds": lambda c: c.request(fds=[0, 0, 0, 0]),
    "many fds": lambda c: c.request(fds=[0] * 250),
    "directory": lambda c: c.request(fds=[directory(), directory(), directory()]),
    "terminal": lambda c: c.request(fds=[os.open("/dev/ptmx", os.O_RDWR)] * 3),
    "login": lambda c: c.request(login=2),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_client(lab, kind):
    client = Client()
    HOSTILE[kind](client)
    try:
        assert client.answer() in (FAILED, None)
    except ConnectionResetError:
        pass
    assert run("-c", "echo fine")[1] == b"fine\n"
    assert wait_until(lambda: len(os.listdir(f"/proc/{lab.init}/fd")) == 6)  # 0 to 2, status, listener, signals


# Calls that may have nothing for one who was told that there is something, and waits that end before that.
AGAIN = ["-e", "inject=accept,accept4,recvmsg,recvfrom,sendmsg,sendto,splice,write:error=EAGAIN:when=2+2",
         "-e", "inject=poll,ppoll:error=EINTR:when=2+3"]


@contextlib.contextmanager
def calls_to_be_tried_again(lab, log):
    """Every second time for the processes of a session: process 1, and those between."""
    pids = [pid for pid in descendants(lab.process.pid) if comm(pid).startswith("agentsh")]
    tracer = subprocess.Popen(["strace", "-o", log, *AGAIN, *(f"--attach={pid}" for pid in pids)],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in pids:
            assert "attached" in tracer.stderr.readline()
        yield pids
    finally:
        tracer.terminate()
        tracer.communicate(timeout=10)


def test_calls_that_must_be_tried_again(lab, tmp_path):
    need_program("strace")
    with calls_to_be_tried_again(lab, tmp_path / "log") as pids:
        assert lab.init in map(int, pids)
        for _ in range(3):
            assert run("-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
        data = os.urandom(3 << 20)
        assert run("-c", "cat", input=data) == (0, data, b"")
        shell = terminal("-c", "stty size; read line; stty size; echo got $line")
        shell.expect("24 80")
        termios.tcsetwinsize(shell.master, (30, 90))
        os.kill(shell.process.pid, signal.SIGWINCH)
        time.sleep(0.3)
        shell.send("word\n")
        shell.expect("30 90.*got word")
        shell.close()
        process = spawn("-c", "trap 'echo told; exit 3' TERM; echo up; while :; do sleep 0.1; done",
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.stdout.read() == b"told\n" and process.wait(10) == 3
    log = (tmp_path / "log").read_text()
    assert log.count("EAGAIN (Resource temporarily unavailable) (INJECTED)") > 10 and "EINTR" in log


def test_silent_clients_are_dropped_and_cost_others_nothing(lab):
    silent = [Client() for _ in range(20)]
    start = time.monotonic()
    assert run("-c", "echo fine")[1] == b"fine\n"
    assert time.monotonic() - start < 1
    assert silent[0].answer() == FAILED and 4 < time.monotonic() - start < 8


def test_too_many_channels(lab):
    silent = [Client() for _ in range(128)]
    code, _, err = run("-c", "true")
    assert code == REFUSED and b"too many channels" in err
    for client in silent:
        client.socket.close()
    assert wait_until(lambda: run("-c", "true")[0] == 0)


def test_garbage_after_the_start_hangs_up(lab):
    client = Client()
    client.request(command=b"exec sleep 99\0")
    assert client.answer() == STARTED
    client.socket.send(b"nonsense")
    lab.wait_report(STATUS_CLOSED)


def test_signals_that_may_not_be_forwarded(lab):
    client = Client()
    client.request(command=b"exec sleep 99\0")
    assert client.answer() == STARTED
    client.socket.send(struct.pack("=3I", MAGIC, SIGNAL, int(signal.SIGKILL)))
    lab.wait_report(STATUS_CLOSED)
    assert lab.reports[-1][2] == int(signal.SIGHUP)


def test_other_uid_is_not_served(lab):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(SOCKET)
    client.settimeout(5)
    assert client.recv(10) == b""


def test_request_left_by_a_login_that_gave_up(lab):
    os.kill(lab.init, signal.SIGSTOP)
    client = Client()
    client.request(command=b"touch /tmp/relay-never\0")
    client.socket.close()
    os.kill(lab.init, signal.SIGCONT)
    assert run("-c", "sleep 0.1; ls /tmp/relay-never")[0] != 0


def test_double_forked_children_are_reaped(lab):
    run("-c", "for i in 1 2 3 4 5 6 7 8 9; do (setsid true &) ; done; sleep 0.2")
    out = run("-c", "ps -A -o stat= | grep -c Z")[1]
    assert out == b"0\n"


def test_processes_of_init_are_closed_to_the_agent(lab):
    code, out, _ = run("-c", "cat /proc/1/environ; ls /proc/1/fd; readlink /proc/1/exe; kill -9 1; kill -STOP 1; echo alive")
    assert out == b"alive\n"
    assert run("-c", "true")[0] == 0


# -- the monitor


def test_monitor_gone(lab):
    process = spawn("-c", "sleep 99", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lab.wait_report(STATUS_OPENED)
    lab.end()
    assert process.wait(5) == REFUSED
    assert process.stderr.read() == b"agentsh: the session ended\n"


def test_monitor_that_does_not_answer(lab):
    lab.say("mute")
    time.sleep(0.1)
    start = time.monotonic()
    assert run("-c", "exit 4")[0] == 4
    assert 0.15 < time.monotonic() - start < 1


def test_init_killed(lab):
    process = spawn("-c", "sleep 99", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lab.wait_report(STATUS_OPENED)
    os.kill(lab.init, signal.SIGKILL)
    assert process.wait(5) == REFUSED and b"the session ended" in process.stderr.read()
    lab.process.wait(5)


def test_announced_end_and_limits(lab):
    shell = terminal("-c", "sleep 99")
    lab.wait_report(STATUS_OPENED)
    lab.say("hit 1")
    time.sleep(0.05)
    lab.say("end 3")
    shell.expect("a process was killed: the memory limit was reached\r\n.*the session ended: session_time\r\n")
    assert shell.wait() == -signal.SIGKILL and shell.restored()
    shell.close()


def test_limits_are_named_on_terminals_only(lab):
    lab.say("hit 3")
    time.sleep(0.05)
    assert run("-c", "true") == (0, b"", b"")
    shell = terminal("-c", "exit 2")
    text = shell.drain()
    assert b"memory limit" in text and b"tasks limit" in text
    assert shell.wait() == 2
    shell.close()


# -- terminals


PROMPT = "READY> "


@pytest.fixture
def shell(lab):
    made = terminal(argv0="-agentsh", env={"PS1": PROMPT, "PROMPT_COMMAND": f"PS1='{PROMPT}'"})
    made.expect(PROMPT)
    yield made
    made.close()


def test_terminal_is_the_isolations_own(shell):
    shell.send("tty; stty size; ls -l /proc/$$/fd | grep -c ' /dev/pts/0'; echo $TERM\r")
    text = shell.expect(PROMPT)
    assert b"/dev/pts/0\r\n24 80\r\n" in text and b"xterm" in text
    shell.send("exit 3\r")
    assert shell.wait() == 3 and shell.restored()


def test_job_control(shell):
    shell.send("sleep 55\r")
    time.sleep(0.3)
    shell.send("\x03")
    shell.expect(r"\^C.*" + PROMPT)
    shell.send("sleep 56\r")
    time.sleep(0.3)
    shell.send("\x1a")
    shell.expect("Stopped.*" + PROMPT)
    shell.send("jobs; fg\r")
    shell.expect("sleep 56\r\n")
    time.sleep(0.2)
    shell.send("\x03")
    shell.expect(PROMPT)
    shell.send("\x04")
    assert shell.wait() == 130 and shell.restored()


def test_resize(shell):
    shell.send("bash -c 'trap \"stty size; exit\" WINCH; while :; do sleep 0.05; done'\r")
    time.sleep(0.3)
    termios.tcsetwinsize(shell.master, (40, 111))
    shell.expect("40 111\r\n")
    shell.expect(PROMPT)


def test_full_screen_program(shell):
    shell.send("TERM=xterm vi -u NONE -N\r")
    shell.expect(r"\x1b\[\?1049h|\x1b\[2J|~")
    shell.send("ihello\x1b:w! /tmp/relay-vi\r:q\r")
    shell.expect(PROMPT)
    assert pathlib.Path("/tmp/relay-vi").read_text() == "hello\n"
    os.unlink("/tmp/relay-vi")


def test_settings_are_carried_over(lab):
    master, slave = pseudo.openpty()
    settings = termios.tcgetattr(slave)
    settings[0] |= 0o40000  # IUTF8
    settings[6][termios.VINTR] = b"\x07"
    settings[6][termios.VERASE] = b"\x08"
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    shell = Terminal(master, slave, ["-c", "stty -a; sleep 99"], ENVIRONMENT, "agentsh")
    text = shell.expect("echoke.*\r\n")
    assert b"intr = ^G" in text and b"erase = ^H" in text and re.search(rb"[^-]iutf8", text)
    assert b"rows 0; columns 0" in text
    time.sleep(0.3)
    shell.send("\x07")
    assert shell.wait() == -signal.SIGINT and shell.restored()
    shell.close()


def test_last_bytes_are_not_lost(lab):
    expected = b"".join(b"%d\r\n" % n for n in range(1, 60001))
    for _ in range(20):
        shell = terminal("-c", "seq 60000")
        text = shell.drain()
        assert shell.wait() == 0
        assert text == expected, (len(text), len(expected))
        shell.close()


def test_background_holder_of_the_terminal(lab):
    shell = terminal("-c", "setsid sleep 3 & echo done")
    start = time.monotonic()
    assert shell.drain() == b"done\r\n" and shell.wait() == 0
    assert time.monotonic() - start < 1.5 and shell.restored()
    shell.close()


def test_background_writer_to_the_terminal(lab):
    shell = terminal("-c", "trap '' HUP; (while :; do echo noise; done) & sleep 0.3")
    start = time.monotonic()
    shell.drain()
    assert shell.wait() == 0 and time.monotonic() - start < 5 and shell.restored()
    shell.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminal_after_a_signal(lab, number):
    shell = terminal("-c", "sleep 99")
    shell.wait_raw()
    shell.process.send_signal(number)
    assert shell.wait() == -number and shell.restored()
    shell.close()


def test_terminal_after_the_monitors_death(lab):
    shell = terminal("-c", "sleep 99")
    shell.wait_raw()
    lab.end()
    shell.expect("agentsh: the session ended\r\n")
    assert shell.wait() == REFUSED and shell.restored()
    shell.close()


def test_outer_hangup(lab):
    shell = terminal("-c", "trap 'touch /tmp/relay-gone; exit' HUP; echo trapped; while :; do sleep 0.1; done")
    shell.expect("trapped")
    shell.hang_up()
    assert shell.wait() == -signal.SIGHUP
    assert wait_until(lambda: os.path.exists("/tmp/relay-gone"))
    os.unlink("/tmp/relay-gone")


def test_terminal_that_nobody_reads(lab):
    shell = terminal("-c", "trap 'echo; exit 6' INT; while :; do echo 0123456789012345678901234567890123456789; done")
    shell.wait_raw()
    time.sleep(0.5)
    shell.send("\x03")
    time.sleep(0.3)
    shell.drain()
    assert shell.wait() == 6 and shell.restored()
    shell.close()


def test_signal_while_the_terminal_is_stuck(lab):
    shell = terminal("-c", "trap 'exit 6' TERM; while :; do echo 0123456789012345678901234567890123456789; done")
    shell.expect("0123456789")
    time.sleep(0.5)
    shell.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    shell.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    shell.drain()
    assert shell.wait() in (6, -signal.SIGHUP, -signal.SIGTERM) and shell.restored()
    shell.close()


def outer_shell(env=None):
    """An interactive shell that starts agentsh as a job, as `su` does."""
    child = pexpect.spawn("/bin/bash", ["--norc", "--noprofile", "-i"], env={**ENVIRONMENT, "PS1": "OUTER> ", "TERM": "dumb",
                          "HISTFILE": "/dev/null"}, preexec_fn=drop, timeout=10, encoding="utf-8", echo=True)
    child.expect("OUTER> ")
    return child


def test_stop_from_outside_and_continue(lab):
    child = outer_shell()
    child.sendline(f"{AGENTSH} -c 'echo $((1+1))-inside; cat'")
    child.expect("2-inside")
    target = [int(p) for p, name in processes_of_agent() if name == "agentsh"][0]
    child.send("abc")
    time.sleep(0.2)
    os.kill(target, signal.SIGTSTP)
    child.expect("Stopped.*OUTER> ")
    child.sendline("stty -a | tr ' ' '\\n' | grep -x -e -icanon -e icanon")
    child.expect("\r\nicanon.*OUTER> ")
    child.sendline("fg")
    child.expect("agentsh")
    time.sleep(0.3)
    child.send("def\r")
    child.expect("def\r\nabcdef\r\n")
    child.send("\x03")
    child.expect("OUTER> ")
    child.sendline("stty -a | tr ' ' '\\n' | grep -x -e -icanon -e icanon; echo $?")
    child.expect("\r\nicanon")
    child.sendline("exit")
    child.close()


def test_background_job_leaves_the_terminal_alone(lab):
    child = outer_shell()
    child.sendline(f"{AGENTSH} -c 'sleep 0.5; echo from-$((1+1)); read x; echo got-$x' &")
    child.expect("OUTER> ")
    child.expect("from-2")
    child.sendline("stty -a | tr ' ' '\\n' | grep -x -e -icanon -e icanon; echo mine-$((2+2))")
    child.expect("\r\nicanon")
    child.expect("mine-4")
    child.sendline("fg")
    time.sleep(0.6)
    child.send("word\r")
    child.expect("got-word")
    child.expect("OUTER> ")
    child.sendline("exit")
    child.close()


def test_terminal_that_is_not_the_controlling_one(lab):
    """As `su -c` starts it: a session of its own, the caller's terminal as stdio."""
    child = outer_shell()
    child.sendline(f"setsid -w {AGENTSH} -c 'echo $((3+4))-inside; sleep 77'")
    child.expect("7-inside")
    time.sleep(0.3)
    child.send("\x03")
    child.expect("OUTER> ")
    child.sendline("echo $?; stty -a | tr ' ' '\\n' | grep -x -e -icanon -e icanon")
    child.expect("2\r\nicanon")  # setsid -w: death by a signal
    child.sendline(f"setsid -w {AGENTSH} -c 'sleep 2' & sleep 0.7; stty -a | tr ' ' '\\n' | grep -x -e -icanon -e icanon; wait")
    child.expect("\r\nicanon.*OUTER> ")
    child.sendline("exit")
    child.close()


def test_mixed_terminal_and_pipes(lab):
    child = outer_shell()
    child.sendline(f"{AGENTSH} -c 'test -t 0 && test ! -t 1 && test -t 2 && echo right' | cat; echo end")
    child.expect("right\r\nend\r\n")
    child.sendline(f"printf 'a\\nb\\n' | {AGENTSH} -c 'test ! -t 0 && test -t 1 && cat'; echo end")
    child.expect("\r\na\r\nb\r\nend\r\n")
    child.sendline(f"{AGENTSH} -c 'test -t 0 && test ! -t 2 && read x && echo $x' 2>/dev/null; echo end")
    time.sleep(0.5)
    child.send("typed\r")
    child.expect("typed\r\ntyped\r\nend\r\n")
    child.sendline(f"true | {AGENTSH} -c 'sleep 88'; echo code-$?")
    time.sleep(0.5)
    child.send("\x03")
    child.expect("OUTER> ")
    child.sendline("exit")
    child.close()


def test_ssh_tty(lab):
    shell = terminal("-c", "echo t=$SSH_TTY", env={"SSH_CONNECTION": "1 2 3 4", "SSH_TTY": "/dev/pts/77"})
    shell.expect("t=/dev/pts/0\r\n")
    assert shell.wait() == 0
    shell.close()


# -- a hostile init


def hostile(reply_to, *arguments):
    """agentsh on a terminal against an init that answers with reply_to(client)."""
    server = Server(session_directory())
    shell = terminal(*(arguments or ("-c", "id")), env=server.env)
    try:
        client, _ = server.accept()
        reply_to(client)
        text = shell.drain()
        return shell.wait(), text, shell.restored()
    finally:
        shell.close()
        server.close()


@pytest.mark.parametrize("answer", [
    lambda c: c.send(b"x"), lambda c: c.send(b"x" * 4096), lambda c: c.close(),
    lambda c: c.send(message(STARTED)), lambda c: c.send(message(EXITED)), lambda c: c.send(message(9)),
    lambda c: c.send(message(FAILED, text=b"\x1b]0;owned\x07" + b"x" * 100)),
    lambda c: c.send(message(FAILED, text=b"x" * 256)),
    lambda c: send_fds(c, message(STARTED), [0]),
    lambda c: send_fds(c, message(STARTED), [os.open("/dev/null", os.O_RDWR)]),
    lambda c: send_fds(c, message(STARTED), [os.open("/tmp", os.O_RDONLY)]),
    lambda c: send_fds(c, message(STARTED), [0, 0]), lambda c: send_fds(c, message(STARTED), [0] * 200),
])
def test_hostile_answers(programs, answer):
    code, text, restored = hostile(answer)
    assert code == REFUSED and restored and text.startswith(b"agentsh: ") and b"\x1b" not in text


def start_and(then):
    def reply(client):
        master, slave = pseudo.openpty()
        send_fds(client, message(STARTED), [master])
        time.sleep(0.3)
        then(client, master, slave)
        os.close(master)
        os.close(slave)
    return reply


@pytest.mark.parametrize("then", [
    lambda c, m, s: c.send(b"x"), lambda c, m, s: c.close(), lambda c, m, s: c.send(message(STARTED)),
    lambda c, m, s: c.send(message(EXITED, status=0x10000)), lambda c, m, s: c.send(message(EXITED, ending=99)),
    lambda c, m, s: c.send(message(EXITED, hit=0xffffffff)),
    lambda c, m, s: c.send(message(EXITED, status=0x137f)), lambda c, m, s: c.send(message(EXITED, status=0xffff)),
])
def test_hostile_end(programs, then):
    code, _, restored = hostile(start_and(then))
    assert code == REFUSED and restored


def test_hostile_blocking_terminal(programs):
    """init takes O_NONBLOCK off the pty and steals its bytes: signals and the end still work."""
    def then(client, master, slave):
        os.set_blocking(master, True)
        for _ in range(50):
            os.write(slave, b"x" * 100)
            select.select([master], [], [], 0)
            time.sleep(0.01)
        client.send(message(EXITED))
    code, _, restored = hostile(start_and(then))
    assert code == 0 and restored


def test_late_fds_are_dropped(programs):
    """An fd that comes with the end does not survive in agentsh."""
    code, _, restored = hostile(start_and(lambda c, m, s: send_fds(c, message(EXITED, status=0x500), [m])))
    assert code == 5 and restored


# -- cost


@pytest.mark.skipif("AGENTSH_RELAY_SANITIZE" in os.environ, reason="the sanitizer's own memory")
def test_memory_of_an_idle_session(lab):
    shell = terminal("-c", "echo up; sleep 99")
    shell.expect("up")
    time.sleep(0.5)
    sizes = {}
    for name, pid in (("init", lab.init), ("agentsh", shell.process.pid)):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes[name] = int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M).group(1))
    print(sizes)
    assert sizes["init"] + sizes["agentsh"] < 200  # KiB; the programs' text is shared by all sessions
    shell.close()


def test_idle_terminal_does_not_wake_up(lab):
    shell = terminal("-c", "echo up; sleep 99")
    shell.expect("up")
    time.sleep(0.5)

    def switches():
        text = pathlib.Path(f"/proc/{shell.process.pid}/status").read_text()
        return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))
    before = switches()
    time.sleep(1)
    assert switches() == before
    shell.close()
