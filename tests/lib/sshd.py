"""A private sshd of the distribution on a loopback port, with the project's snippet, and a client for it."""
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time

import pexpect

import host

SNIPPETS = sorted((host.TOP / "etc/sshd_config.d").glob("*.conf"))

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile {directory}/sshd.pid
{snippet}
UsePAM {use_pam}
StrictModes yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv LANG LC_*
X11Forwarding yes
AllowTcpForwarding yes
MaxStartups 200
MaxSessions 100
LogLevel VERBOSE
PrintMotd no
{extra}
Subsystem sftp {sftp}
"""


PACKAGED = pathlib.Path("/usr/share/openssh/sshd_config")
DEBIANS_INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf"
DEBIANS_SFTP = "Subsystem\tsftp\t/usr/lib/openssh/sftp-server"


def debians(snippet, sftp):
    """Debian's own sshd_config as a template; only where it listens, and its keys, are the test's."""
    text = PACKAGED.read_text()
    for line in (DEBIANS_INCLUDE, DEBIANS_SFTP, "UsePAM yes", "X11Forwarding yes"):
        assert f"\n{line}\n" in text, f"{PACKAGED} does not have \"{line}\""
    text = text.replace(DEBIANS_INCLUDE, "{snippet}\n{extra}" if snippet else "{extra}").replace(
        DEBIANS_SFTP, f"Subsystem sftp {sftp}" if sftp else DEBIANS_SFTP)
    head = "Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host_key\nPidFile {directory}/sshd.pid\n"
    return head + text


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """`mounts`: shell commands run first in a mount namespace of its own, to show sshd a different host."""

    def __init__(self, directory, snippet=True, use_pam="yes", sftp="/usr/lib/openssh/sftp-server", extra="",
                 mounts=None, template=CONFIG):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.mounts = mounts
        include = "\n".join(f"Include {path}" for path in SNIPPETS) if snippet else ""
        if snippet and not SNIPPETS:
            raise AssertionError("etc/sshd_config.d has no snippet")
        self.config = self.directory / "sshd_config"
        self.config.write_text(template.format(port=self.port, directory=self.directory, use_pam=use_pam, sftp=sftp,
                                             snippet=include, extra=extra))
        key = self.directory / "host_key"
        if not key.exists():
            host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, check=True)
        self.known_hosts = self.directory / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {(key.with_suffix('.pub')).read_text()}")
        self.process = None
        self.start()

    def start(self):
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.config)]
        if self.mounts:
            argv = ["unshare", "-m", "--propagation", "private", "sh", "-ec",
                    f"{self.mounts}\nexec {shlex.join(argv)}"]
        self.log = open(self.directory / "sshd.log", "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        if not host.wait_until(lambda: listening(self.port) or self.process.poll() is not None, 10) or \
                self.process.poll() is not None:
            raise AssertionError(f"sshd did not start:\n{self.read_log()}")

    def read_log(self):
        return (self.directory / "sshd.log").read_text(errors="replace")

    def stop(self):
        if self.process is None:
            return
        below = host.descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for process in below:
            try:
                os.kill(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        self.log.close()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


CHILDREN = []


def spawn(argv):
    """A program on a terminal of its own, driven by pexpect; ended with the test at the latest."""
    child = pexpect.spawn(argv[0], argv[1:], dimensions=(24, 80), timeout=20, env=environment(), encoding="utf-8",
                          codec_errors="replace")
    CHILDREN.append(child)
    return child


def end_children():
    while CHILDREN:
        CHILDREN.pop().close(force=True)


class Client:
    """ssh to one account of one sshd. `command` gives the argv, the other methods run it."""

    def __init__(self, sshd, account, key=None, control=None, options=()):
        self.sshd, self.account = sshd, account
        self.key = key or account.key
        self.control = control
        self.extra = list(options)

    def options(self, port_flag="-p"):
        found = ["-F", "/dev/null", "-i", str(self.key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                 "-o", f"UserKnownHostsFile={self.sshd.known_hosts}", "-o", "LogLevel=INFO",
                 "-o", "ConnectTimeout=20", port_flag, str(self.sshd.port)]
        if self.control:
            found += ["-o", f"ControlPath={self.control}", "-o", "ControlMaster=auto", "-o", "ControlPersist=no"]
        for option in self.extra:
            found += ["-o", option]
        return found

    @property
    def address(self):
        return f"{self.account.name}@127.0.0.1"

    def command(self, *words, flags=()):
        return ["ssh", *flags, *self.options(), self.address, *words]

    def run(self, *words, flags=(), timeout=60, **kwargs):
        return host.run(*self.command(*words, flags=flags), timeout=timeout, env=environment(), **kwargs)

    def popen(self, *words, flags=(), **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        kwargs.setdefault("env", environment())
        return subprocess.Popen(self.command(*words, flags=flags), **kwargs)

    def spawn(self, *words, flags=("-tt",), before=None):
        """An interactive session, driven by pexpect. `before` runs on the outer terminal first."""
        argv = self.command(*words, flags=flags)
        if before:
            argv = ["sh", "-c", f'{before}; exec "$@"', "sh", *argv]
        return spawn(argv)

    def master(self):
        """Start a ControlMaster in the background; returns its process."""
        process = self.popen(flags=["-N", "-M"])
        if not host.wait_until(lambda: os.path.exists(self.control) or process.poll() is not None, 20):
            process.kill()
            raise AssertionError("the ControlMaster did not come up")
        if process.poll() is not None:
            raise AssertionError(f"the ControlMaster ended: {process.stderr.read()}")
        return process


def environment(**more):
    """A small environment, the same on every machine."""
    base = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm",
            "LANG": "C.UTF-8", "USER": "root", "LOGNAME": "root"}
    base.update(more)
    return base


def end(process, seconds=5):
    """Terminate a client politely, then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def wait_for_line(process, seconds=20):
    """First line of a client's standard output (bytes)."""
    deadline = time.monotonic() + seconds * host.PATIENCE
    os.set_blocking(process.stdout.fileno(), False)
    data = b""
    while b"\n" not in data and time.monotonic() < deadline:
        piece = process.stdout.read()
        if piece:
            data += piece
        elif process.poll() is not None:
            break
        else:
            time.sleep(0.02)
    os.set_blocking(process.stdout.fileno(), True)
    return data
