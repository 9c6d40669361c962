"""Sessions and units as systemd shows them; used by all tests of the lab."""
import pathlib
import re
import subprocess

import host
from sshd import environment

CGROUP = pathlib.Path("/sys/fs/cgroup")
SLICE = CGROUP / "agentsh.slice"
UNIT = re.compile(r"agentsh@\S+\.service")


class OwnSshd:
    """The guest's sshd, in the shape that sshd.Client wants."""

    port = 22

    def __init__(self, directory):
        self.known_hosts = pathlib.Path(directory) / "known_hosts"
        keys = pathlib.Path("/etc/ssh").glob("ssh_host_*_key.pub")
        self.known_hosts.write_text("".join(f"127.0.0.1 {key.read_text()}" for key in keys))


def systemctl(*words, **kwargs):
    return host.run("systemctl", *words, **kwargs)


def show(unit, name):
    return systemctl("show", "--value", "-p", name, unit).stdout.strip()


def units():
    """Units of sessions that systemd has loaded, in whatever state."""
    return set(UNIT.findall(systemctl("list-units", "--all", "--no-legend", "--plain", "agentsh@*").stdout))


def cgroups():
    """Everything below agentsh.slice."""
    return {str(path.relative_to(SLICE)) for path in SLICE.glob("**/") if path != SLICE} if SLICE.exists() else set()


def traces():
    """What sessions leave; empty sets and lists when there is none."""
    return {"units": units(), "cgroups": cgroups(), "runtime": set(host.SESSIONS.glob("*")),
            "processes": [p for p in host.processes() if p.name in ("agentsh-monitor", "agentsh-init", "agentsh")]}


def nothing_left(seconds=20):
    """None of it, after a while. Returns what is left."""
    host.wait_until(lambda: not any(traces().values()), seconds, 0.2)
    return {kind: found for kind, found in traces().items() if found}


class Session:
    """A session that lasts: by ssh when a client is given, else by su. `unit` is the one that came with it."""

    SCRIPT = "echo up; while read -r line; do echo \"got $line\"; done"

    def __init__(self, agent, client=None, script=SCRIPT):
        before = units()
        if client is not None:
            self.process = client.popen(script, stdin=subprocess.PIPE)
        else:
            self.process = subprocess.Popen(["su", "-", agent.name, "-c", script], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                                            start_new_session=True)
        line = self.process.stdout.readline()
        if line != b"up\n":
            out, error = self.process.communicate(timeout=30)
            raise AssertionError(f"no session: {line + out!r} {error!r}")
        new = units() - before
        assert len(new) == 1, f"units that came with the session: {new}"
        self.unit = new.pop()

    def answers(self):
        """Does what runs inside still answer?"""
        if self.process.poll() is not None:
            return False
        self.process.stdin.write(b"ping\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == b"got ping\n"

    def cgroup(self):
        """The cgroup that has the policy's limits: below the unit, beside the monitor's leaf."""
        unit = CGROUP / show(self.unit, "ControlGroup").lstrip("/")
        found = [path for path in unit.iterdir() if path.is_dir() and path.name != "monitor"]
        assert len(found) == 1, found
        return found[0]

    def monitor(self):
        return int(show(self.unit, "MainPID"))

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
