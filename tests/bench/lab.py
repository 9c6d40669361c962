"""The private machine: a mount namespace in which a build of agentsh is installed and two accounts exist.

/etc is a copy, /run, /home, /usr/local, /var/lib and /var/log are new; nothing outside of the namespace changes.
"""
import contextlib
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("AGENTSH_BUILD", TOP / "build")).resolve()
AGENT, PLAIN = "agtbench01", "agtplain01"
TOOLS = pathlib.Path("/usr/local/lib/agentsh-bench")
MODULE = "/usr/local/lib/agentsh/pam_agentsh.so"
HIDDEN = ("/run", "/home", "/usr/local", "/var/lib", "/var/log")
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server")

POLICY = """\
[account]
services = su su-l sshd
max_sessions = 400
shell = {shell}
[limits]
memory = 4G
cpus = {cpus}
tasks = 4096
"""

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile none
Include {snippet}
UsePAM yes
StrictModes yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 300
MaxSessions 300
PrintMotd no
PrintLastLog no
Subsystem sftp {sftp}
"""


class LabError(Exception):
    """The private machine cannot be made."""


def run(*argv, **kwargs):
    """A command that must succeed; its stdout."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **kwargs)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
    return done.stdout


def remove_cgroups():
    """The account's cgroups, after all processes are gone: what a run that was cut short has left."""
    for depth in ("", "*/", "*/*/"):
        for account in glob.glob(f"/sys/fs/cgroup/{depth}agentsh/account-{AGENT}"):
            for path in (*glob.glob(f"{account}/session-*"), account):
                with contextlib.suppress(OSError):  # in use by another run
                    os.rmdir(path)


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} seconds")
        time.sleep(0.01)


class Lab:
    """`directory` is an empty directory to mount on. To be made in a mount namespace of its own, once."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.processes = []
        self.port = None

    # Everything is put into one tmpfs, then its directories are bound where the machine has its own.
    def make(self):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.directory)
        run("make", "-s", "-C", TOP, f"O={BUILD}", f"DESTDIR={self.directory}/installed", "PREFIX=/usr/local",
            "install")
        self.make_etc()
        self.make_tools()
        for path in HIDDEN:
            source = self.directory / path.strip("/").replace("/", "-")
            source.mkdir(exist_ok=True)
            if path == "/usr/local":
                shutil.rmtree(source)
                (self.directory / "installed/usr/local").rename(source)
            os.makedirs(path, exist_ok=True)
            run("mount", "--bind", source, path)
        run("mount", "--bind", self.directory / "etc", "/etc")
        for path, mode in (("/run/sshd", 0o755), ("/var/lib/agentsh", 0o700), ("/var/lib/agentsh/homes", 0o700),
                           ("/var/log/agentsh", 0o700)):
            os.mkdir(path)
            os.chmod(path, mode)
        for log in ("lastlog", "wtmp", "btmp"):
            pathlib.Path("/var/log", log).touch()
        self.start_listener()

    def make_etc(self):
        etc = self.directory / "etc"
        run("cp", "-ax", "/etc", etc)
        shutil.rmtree(etc / "agentsh", ignore_errors=True)
        shutil.copytree(self.directory / "installed/etc/agentsh", etc / "agentsh")
        for lock in (".pwd.lock", "passwd.lock", "shadow.lock", "group.lock", "gshadow.lock"):
            (etc / lock).unlink(missing_ok=True)
        for file in (etc / "pam.d").iterdir():
            text = file.read_text(errors="replace")
            if "pam_agentsh" in text:
                file.write_text(re.sub(r"(?m)^[^#\n]*pam_agentsh\.so.*\n", "", text))
        for service in ("su", "sshd"):
            file = etc / "pam.d" / service
            text = file.read_text() if file.exists() else "auth required pam_permit.so\n"
            file.write_text(f"account required {MODULE}\n{text}\nsession required {MODULE}\n")

    def make_tools(self):
        local = self.directory / "installed/usr/local"
        tools = local / "lib/agentsh-bench"
        tools.mkdir(parents=True)
        for name in ("one_byte", "floor", "timer"):
            shutil.copy(BUILD / "bench" / name, tools / name)
        shutil.copy(BUILD / "pam_agentsh.so", local / "lib/agentsh/pam_agentsh.so")
        shutil.copytree(TOP / "etc/sshd_config.d", tools / "sshd_config.d")

    def start_listener(self):
        self.spawn("/usr/local/lib/agentsh/agentsh-monitor", "--listen", "--log", "/var/log/agentsh/monitor.log")
        wait_for(lambda: os.path.exists("/run/agentsh/control"), 10, "the listener")

    def spawn(self, *argv, **kwargs):
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, start_new_session=True,
                                   **kwargs)
        self.processes.append(process)
        return process

    def make_accounts(self):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "key")
        run("/usr/local/sbin/agentshctl", "account", "add", AGENT, "--key", self.directory / "key.pub")
        run("useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", PLAIN)
        self.set_policy("/bin/bash")

    def set_policy(self, shell, cpus="0"):
        path = pathlib.Path(f"/etc/agentsh/accounts/{AGENT}.ini")
        path.write_text(POLICY.format(shell=shell, cpus=cpus))
        path.chmod(0o644)

    def start_sshd(self):
        """Once; more calls change nothing."""
        if self.port is not None:
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "host_key")
        keys = pathlib.Path(f"/home/{PLAIN}/.ssh")
        keys.mkdir(mode=0o700)
        shutil.copy(self.directory / "key.pub", keys / "authorized_keys")
        for path in (keys, keys / "authorized_keys"):
            shutil.chown(path, PLAIN, PLAIN)
        sftp = next((path for path in SFTP_SERVERS if os.path.exists(path)), "internal-sftp")
        (self.directory / "sshd_config").write_text(SSHD_CONFIG.format(
            port=self.port, directory=self.directory, sftp=sftp, snippet=f"{TOOLS}/sshd_config.d/*.conf"))
        public = (self.directory / "host_key.pub").read_text().split()
        (self.directory / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        log = open(self.directory / "sshd.log", "wb")  # pylint: disable=consider-using-with
        self.spawn(shutil.which("sshd", path="/usr/sbin:/sbin"), "-D", "-e", "-f", self.directory / "sshd_config",
                   stderr=log)
        wait_for(self.answers, 10, "sshd")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ssh_options(self):
        return ["-F", "none", "-p", str(self.port), "-i", str(self.directory / "key"), "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={self.directory}/known_hosts", "-o", "LogLevel=ERROR"]

    def filter(self):
        """The session's own seccomp program, as bwrap and the floor take it."""
        raw = self.directory / "filter.bpf"
        if not raw.exists():
            kept = sorted(pathlib.Path("/run/agentsh/seccomp").glob("*.bpf"))
            if not kept:
                raise LabError("no filter was kept: no session has been opened")
            raw.write_bytes(kept[0].read_bytes()[16:])
            raw.chmod(0o644)
        return raw

    def print_logs(self):
        """The ends of what sshd and the monitors wrote."""
        for log in (self.directory / "sshd.log", pathlib.Path("/var/log/agentsh/monitor.log"),
                    *self.directory.glob("master-*.log")):
            if log.exists():
                print(f"-- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n",
                      file=sys.stderr)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
