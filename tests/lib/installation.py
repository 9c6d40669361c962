"""agentsh on this machine, by install.sh. A machine that had none has none afterwards; one that had it keeps it."""
import json
import os
import pathlib
import re
import signal
import subprocess

import host

PIDFILE = host.RUNTIME / "listen.pid"
RECORD = pathlib.Path("/var/lib/agentsh/installed")
INSTALL = host.TOP / "install.sh"
TIMEOUT = 600


def install(*options):
    """install.sh with what the build of the tests has compiled already: the default paths are in that."""
    return host.run("bash", INSTALL, *options, timeout=TIMEOUT, env={**os.environ, "AGENTSH_OBJECTS": str(host.BUILD)})


def systemd():
    return os.path.isdir("/run/systemd/system")


class Installation:
    """`begin` brings this checkout's version onto the machine, `end` restores what was there."""

    def __init__(self):
        self.was_installed = RECORD.exists()
        self.had_config = host.CONFIG.exists()

    def begin(self):
        done = install("--no-deps")
        if done.returncode != 0:
            raise AssertionError(f"install.sh failed:\n{done.stdout}\n{done.stderr}")
        start_listener()

    def end(self):
        if self.was_installed:
            start_listener()
            return
        options = ["--uninstall"] if self.had_config else ["--uninstall", "--purge"]
        done = install(*options)
        if done.returncode != 0:
            raise AssertionError(f"install.sh --uninstall failed:\n{done.stdout}\n{done.stderr}")


def service(verb):
    if systemd():
        return host.run("systemctl", verb, "agentsh.socket")
    return host.run("/etc/init.d/agentsh", verb)


def start_listener():
    done = service("start")
    if done.returncode != 0 or not host.wait_until(host.CONTROL.exists, 5):
        raise AssertionError(f"the listener did not start: {done.stdout}{done.stderr}")


def stop_listener():
    done = service("stop")
    if done.returncode != 0:
        raise AssertionError(f"the listener did not stop: {done.stdout}{done.stderr}")


def listener_pid():
    """Pid of the running listener, whichever build it is of; None without one (or under systemd)."""
    if Listener.current is not None:
        return Listener.current.process.pid
    try:
        process = host.Process(int(PIDFILE.read_text()))
    except (OSError, ValueError):
        return None
    return process.pid if process.name == "agentsh-monitor" else None


def monitors(everything=None):
    """The monitors of the live sessions (among these processes): children of the listener, or of systemd."""
    listener = listener_pid()
    return [p for p in host.processes_here(everything) if p.name == "agentsh-monitor" and p.pid != listener
            and (p.ppid in (listener, 1) or systemd())]


class Listener:
    """Another listener in the place of the installed one: with other variables, another build, another /sys.

    `mounts`: shell commands run first in a mount namespace of its own. The log is kept in `log`.
    """

    current = None

    def __init__(self, directory, program=host.MONITOR, variables=None, mounts=None):
        self.program, self.variables, self.mounts = program, dict(variables or {}), mounts
        self.log = pathlib.Path(directory) / "monitor.log"
        self.process = None

    def __enter__(self):
        stop_listener()
        self.start()
        return self

    def start(self):
        self.log.write_text("")
        argv = [str(self.program), "--listen", "--log", str(self.log)]
        if self.mounts:
            argv = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{self.mounts}\nexec "$@"', "sh", *argv]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.variables}
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment,
                                        stderr=subprocess.PIPE, start_new_session=True)
        ready = host.wait_until(lambda: "listening on" in self.log.read_text() or self.process.poll() is not None, 10)
        Listener.current = self
        if not ready or self.process.poll() is not None:
            raise AssertionError(f"the listener did not start: {self.process.stderr.read().decode()}")

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stderr.close()
            self.process = None
            Listener.current = None

    def restart(self, **variables):
        self.stop()
        self.variables = variables
        self.start()

    def read_log(self):
        return self.log.read_text(errors="replace")

    def __exit__(self, *_):
        self.stop()
        start_listener()


def sessions_of(*agents):
    """Live sessions of these accounts, as agentshctl has them."""
    names = {agent.name for agent in agents}
    return [session for session in sessions() if session["account"] in names]


def sessions():
    """What `agentshctl sessions --json` says: a list of objects."""
    done = host.run(host.CTL, "sessions", "--json", check=True)
    data = json.loads(done.stdout)
    return data["sessions"] if isinstance(data, dict) else data


def audit_lines(account):
    """The audit records of one account, oldest first."""
    if not host.AUDIT.exists():
        return []
    lines = [json.loads(line) for line in host.AUDIT.read_text().splitlines() if line.strip()]
    return [line for line in lines if line.get("account") == account]


def steps(program):
    """Names of the set-up steps of a build with fault injection."""
    done = host.run(program, "--list-steps", check=True)
    return [line for line in done.stdout.splitlines() if re.search(r"\S", line)]
