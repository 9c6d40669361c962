"""Many logins and logouts at once while processes of their chains are killed at random: afterwards nothing is left, and
every number is right. AGENTSH_SOAK_SECONDS: how long; AGENTSH_SOAK_SEED: repeat the choices of a run that failed."""
import collections
import json
import multiprocessing
import os
import pathlib
import random
import re
import subprocess
import threading
import time

import host
import installation
import pytest
import traces
from sshd import Client, environment

SECONDS = float(os.environ.get("AGENTSH_SOAK_SECONDS", "20"))
LOGINS = 64
KILLS_A_SECOND = 12
PARENT = os.getpid()
CONTEXT = multiprocessing.get_context("fork")
COMMANDS = ("true", "sleep 0.2", "sleep 1", "for i in 1 2 3; do (sleep 0.1 &); done; true", "sleep 30",
            "setsid sleep 30 & nohup sleep 30 >/dev/null 2>&1 & sleep 0.3", "head -c 3000000 /dev/zero | md5sum",
            "cat /dev/zero | head -c 100000000 > /tmp/fill; true")


@pytest.fixture(scope="module")
def agents(make_agent):
    settings = {"limits": {"tasks": "1000", "cpus": "0", "memory": "2G", "tmp": "4M"}}
    made = [make_agent({"account": {"tier": tier, "max_sessions": "64"}, **settings})
            for tier in ("jail", "chroot", "jail", "chroot")]
    return made


class Victims:
    """The processes of the chains as they are now, by their role."""

    def __init__(self, listener, sshd, agents):
        uids = {agent.uid for agent in agents}
        names = [agent.name for agent in agents]
        self.found = collections.defaultdict(list)
        everything = host.processes()
        monitors = {p.pid for p in everything if p.name == "agentsh-monitor" and p.ppid == listener}
        for process in everything:
            role = self.role(process, monitors, sshd, uids, names)
            if role:
                self.found[role].append(process.pid)

    @staticmethod
    def role(process, monitors, sshd, uids, names):
        ours = process.uids & uids
        if process.pid in monitors:
            return "monitor"
        if process.ppid in monitors:
            return "init" if process.name == "agentsh-init" else "builder"
        if process.name == "su" and process.ppid == PARENT:
            return "su"
        if process.name.startswith("sshd"):
            if process.pid != sshd and (ours or any(name in process.command for name in names)):
                return "sshd user process" if ours else "sshd monitor"
        elif ours:
            return "agentsh" if process.exe.startswith(str(host.SHELL)) and process.name == "agentsh" else "channel"
        return None


class Soak:
    """The logins, the killer, and what they did."""

    def __init__(self, listener, sshd, agents, seed):
        self.listener, self.sshd, self.agents = listener, sshd, agents
        self.seed = seed
        self.until = time.monotonic() + SECONDS
        self.done, self.killed = collections.Counter(), collections.Counter()
        self.strange = []

    def login(self, number):
        choice = random.Random(self.seed * 1000 + number)
        while time.monotonic() < self.until:
            agent, command = choice.choice(self.agents), choice.choice(COMMANDS)
            by_ssh = choice.random() < 0.25
            argv = Client(self.sshd, agent).command(command) if by_ssh else ["su", "-", agent.name, "-c", command]
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, env=environment())
            try:
                process.wait(choice.choice((0.05, 0.5, 2, 5)))
                self.done["ended"] += 1
            except subprocess.TimeoutExpired:
                # Whoever drives the agent goes away, politely or not.
                process.send_signal(choice.choice((15, 9)))
                try:
                    process.wait(20)
                    self.done["cut off"] += 1
                except subprocess.TimeoutExpired:
                    self.strange.append(f"{argv} does not end")
                    process.kill()
                    process.wait()
            process.stderr.close()

    def kill(self, killed):
        """A process of its own: among so many threads it would come too late for those it has picked."""
        choice = random.Random(self.seed)
        while time.monotonic() < self.until:
            victims = Victims(self.listener, self.sshd.process.pid, self.agents).found
            for _ in range(3):
                if not victims:
                    break
                # A role first: there are many more channels than builders.
                role = choice.choice(sorted(victims))
                try:
                    os.kill(choice.choice(victims[role]), 9)
                    killed.put(role)
                except ProcessLookupError:
                    pass
            time.sleep(3 / KILLS_A_SECOND)

    def run(self):
        threads = [threading.Thread(target=self.login, args=(n,)) for n in range(LOGINS)]
        killed = CONTEXT.SimpleQueue()
        killer = CONTEXT.Process(target=self.kill, args=(killed,))
        killer.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 60)
        killer.join(10)
        assert not any(thread.is_alive() for thread in threads) and killer.exitcode == 0
        while not killed.empty():
            self.killed[killed.get()] += 1


class Numbers:
    """What must be the same before and after, of the listener and of the host."""

    def __init__(self, listener):
        base = pathlib.Path("/proc") / str(listener)
        self.fds = sorted(os.readlink(path) for path in (base / "fd").iterdir())
        self.fds = [re.sub(r"\d+", "N", name) for name in self.fds]
        self.mounts = len((base / "mountinfo").read_text().splitlines())
        self.children = (base / "task" / str(listener) / "children").read_text().split()
        status = dict(line.split(":\t", 1) for line in (base / "status").read_text().splitlines() if ":\t" in line)
        self.resident = int(status["VmRSS"].split()[0])


def records_of(ids):
    """How many records there are of each of these sessions."""
    counts = collections.Counter()
    for line in host.AUDIT.read_text().splitlines():
        identity = json.loads(line)["id"]
        if identity in ids:
            counts[identity] += 1
    return counts


def slots_are_free(agents):
    """Each account can have as many sessions as ever: with one slot, one gets in."""
    for agent in agents:
        agent.policy({"account": {"max_sessions": "1"}})
        done = host.run("su", "-", agent.name, "-c", "echo in", env=environment())
        assert done.stdout == "in\n", done.stderr


def test_logins_and_random_kills(work, sshd, agents):
    seed = int(os.environ.get("AGENTSH_SOAK_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}, {SECONDS:g} s")
    before = traces.Snapshot()
    first_record = len(host.AUDIT.read_text().splitlines()) if host.AUDIT.exists() else 0
    with installation.Listener(work) as listener:
        host.run("su", "-", agents[0].name, "-c", "true", env=environment(), check=True)
        start = Numbers(listener.process.pid)
        soak = Soak(listener.process.pid, sshd, agents, seed)
        soak.run()
        assert not soak.strange, f"seed {seed}: {soak.strange}"
        assert traces.wait_for_none(before, 15) == [], f"seed {seed}"
        end = Numbers(listener.process.pid)
        log = listener.read_log()
        slots_are_free(agents)
        assert Client(sshd, agents[0]).run("echo in").stdout == "in\n"
    opened = re.findall(r"session ([0-9a-f]{16}) of \S+ opened by", log)
    text = f"seed {seed}: {dict(soak.done)}, killed {dict(soak.killed)}, {len(opened)} sessions"
    print(text)
    assert end.children == [] and end.fds == start.fds and end.mounts == start.mounts, (text, start.fds, end.fds)
    assert end.resident <= start.resident + 512, (text, start.resident, end.resident)
    assert len(opened) == len(set(opened)) > SECONDS
    counts = records_of(set(opened))
    wrong = {identity: counts[identity] for identity in opened if counts[identity] != 1}
    assert not wrong, f"{text}: sessions with another number of records than one: {wrong}"
    # Nobody else is in the file: a session that was killed before it could be announced has one at most.
    rest = [json.loads(line)["id"] for line in host.AUDIT.read_text().splitlines()[first_record:]]
    assert len(rest) == len(set(rest)), text
    assert installation.sessions_of(*agents) == []
    # Those that every login has: on a slow machine few get as far as sshd's. Each one alone: test_kill_matrix.py.
    assert set(soak.killed) >= {"monitor", "init", "su"}, text
