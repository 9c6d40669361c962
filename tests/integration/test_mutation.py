"""The tests' teeth. Each step of a session's set-up, and each switch of common/fault_switches.def, is left out once, and
somebody notices: a login is refused, or a test goes red. Steps and switches without such a test are named; none may be.

What makes a jail is shown by tests/mutation/test_jail_mutation.c, in both tiers and from a caller in the worst of
states; what is the shell's or the module's by its unit tests (tests/mutation/switches.py); here is what takes a whole
session: the monitor's own steps, its files and doors. AGENTSH_FULL=1 leaves out each step in a real login, too."""
import contextlib
import functools
import os
import pathlib
import re
import resource
import stat
import struct
import subprocess
import sys

import accounts
import host
import installation
import probes
import pytest
import traces
from need import need_program
from sshd import end, environment, wait_for_line

INSIDE = "echo inside-$((40+2))"
MARK = "inside-42"
NOBODY = 65534
CAP_KILL = 1 << 5
JAIL_MUTATION = "tests/test_jail_mutation"
SWITCHES = host.TOP / "common/fault_switches.def"

# Left out in a real login, with the real agentsh-init: the session's steps that have no test of their own below, and
# some of the jail's, past the guards that would refuse before the probes can see.
BY_LOGIN = ["open runtime", "runtime directory", "init configuration", "cgroup", "variables file", "attach socket", "open home",
            "private mounts", "proc masks,self-test", "network,self-test", "seccomp,self-test",
            "bounding set,proof,self-test"]


@functools.lru_cache(None)
def step_names():
    program = host.FAULTS_BUILD / "agentsh-monitor"
    return installation.steps(program) if program.exists() else []


def left_out_by_login():
    rest = [step for step in step_names() if step in OF_SESSION or step in HIDDEN_FROM_LOGIN]
    return BY_LOGIN + [s for s in step_names() if s not in (*BY_LOGIN, *rest)] if os.environ.get("AGENTSH_FULL") \
        else BY_LOGIN


@pytest.fixture(scope="module")
def listener(work, installed, faults_monitor):
    # Shared propagation, as systemd has it: a jail that leaves it on is seen at once.
    with installation.Listener(work, program=faults_monitor, mounts="mount --make-rshared /") as running:
        yield running


def login(agent):
    return host.run("su", "-", agent.name, "-c", INSIDE, env=environment())


def is_refused(agent, reason):
    """Whether a login is refused for this reason; any other refusal is a failure of the test."""
    done = login(agent)
    seen = done.stdout + done.stderr
    assert (MARK in seen) != (done.returncode != 0), seen
    assert MARK in seen or reason in seen, seen
    return MARK not in seen


@contextlib.contextmanager
def session(agent):
    """A login that lasts."""
    process = subprocess.Popen(["su", "-", agent.name, "-c", "echo up; exec sleep 1000"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    try:
        first = wait_for_line(process)
        assert b"up" in first, process.stderr.read()
        yield process
    finally:
        end(process, 0.1)


# --- the session's steps: each gives whether its protection holds with the listener as it runs now ---

def preparation(agent):
    return is_refused(agent, "preparation")


def audit_log(agent):
    """Nobody but root may be able to write the record: else no login."""
    mode = stat.S_IMODE(host.LOGS.stat().st_mode)
    host.LOGS.chmod(0o777)
    try:
        return is_refused(agent, "audit log")
    finally:
        host.LOGS.chmod(mode)


def session_slot(agent):
    agent.policy({"account": {"max_sessions": 1}})
    with session(agent):
        return is_refused(agent, "session slot")


def state_file(agent):
    """The administrator sees the session, and whose it is."""
    with session(agent):
        return [s["account"] for s in installation.sessions()] == [agent.name]


# Step: its test, and a fault that has to be there for it to have something to do.
OF_SESSION = {"preparation": (preparation, "network ahead"), "audit log": (audit_log, ""),
              "session slot": (session_slot, ""), "state file": (state_file, "")}
# Of the jail's steps, what a login by the real init from this listener does not show (test_jail_mutation does).
HIDDEN_FROM_LOGIN = ("policy", "subordinate ids", "leave terminal", "session keyring", "scheduling", "oom score",
                     "login uid", "groups", "proof", "signals", "bind to monitor", "self-test")


# --- switches of the monitor ---

def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def runtime_mode(_):
    return mode_of(host.RUNTIME) == 0o711


def control_mode(_):
    return mode_of(host.CONTROL) == 0o600


def attach_mode(agent):
    with session(agent):
        [entry] = host.SESSIONS.iterdir()
        return mode_of(entry / "attach") == 0o600


REQUEST = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(5)
s.connect(sys.argv[1])
try:
    s.send(bytes.fromhex(sys.argv[2]))
    print("answered" if s.recv(4096) else "hung up")
except OSError:
    print("hung up")
"""


def monitor_peer(agent):
    """A user who got at the control socket all the same, and asks as the module would."""
    name, service = agent.name.encode(), b"su-l"
    lengths = re.search(r"ACCOUNT_NAME_MAX (\d+)", (host.TOP / "common/parse.h").read_text())
    magic = int(re.search(r"CONTROL_MAGIC (0x[0-9a-f]+)U", (host.TOP / "common/control.h").read_text())[1], 16)
    request = struct.pack(f"=II{int(lengths[1]) + 1}s64s64s256s64s4096s", magic, 1, name, service, b"", b"", b"", b"")
    request += bytes(-len(request) % 4)
    done = host.run(sys.executable, "-c", REQUEST, host.CONTROL, request.hex(), check=True,
                    preexec_fn=accounts.drop_to(NOBODY, NOBODY))
    return done.stdout == "hung up\n"


def services(agent):
    agent.policy({"account": {"services": "sshd"}})
    return is_refused(agent, "not among the services")


def passwd_home(agent):
    os.chown(agent.home, agent.uid, agent.gid)
    try:
        return is_refused(agent, "passwd home")
    finally:
        os.chown(agent.home, 0, 0)


def monitor_privileges(agent):
    with session(agent):
        [monitor] = installation.monitors()
        text = (pathlib.Path("/proc") / str(monitor.pid) / "status").read_text()
        return all(int(re.search(rf"^{key}:\s*(\w+)", text, re.M)[1], 16) & ~CAP_KILL == 0
                   for key in ("CapEff", "CapPrm", "CapBnd"))


def undone_without_descriptors(agent):
    """A set-up for which there are too few descriptors, however few, is undone all the same."""
    listener = installation.listener_pid()
    hard = resource.prlimit(listener, resource.RLIMIT_NOFILE)[1]
    for number in range(8, 32):
        resource.prlimit(listener, resource.RLIMIT_NOFILE, (number, hard))
        login(agent)
        if not host.wait_until(lambda: not traces.runtime_entries(), 1):
            return False
    return True


def nothing_stays(agent):
    """Behind a login, which the listener's fault makes fail or leaves something of."""
    before = traces.Snapshot()
    login(agent)
    return traces.wait_for_none(before) == []


def recorded_once(agent):
    """A session that was recorded, and then swept since something of it stayed."""
    before = len(installation.audit_lines(agent.name))
    assert nothing_stays(agent)
    return [record["why"] for record in installation.audit_lines(agent.name)[before:]] == ["closed"]


def recorded_behind_a_cut_record(agent):
    text = host.AUDIT.read_bytes() if host.AUDIT.exists() else b""
    host.AUDIT.write_bytes(text + b'{"id":"cut')
    host.AUDIT.chmod(0o600)
    try:
        assert not is_refused(agent, "")
        assert host.wait_until(lambda: agent.name.encode() in host.AUDIT.read_bytes()[len(text):])
        return host.AUDIT.read_bytes()[len(text):].count(b"\n") == 2
    finally:
        host.AUDIT.write_bytes(text)


# Name: its test, and what else is left out and what fails, with and without it.
OF_MONITOR = {"mode of /run/agentsh": (runtime_mode, "", ""), "mode of the control socket": (control_mode, "", ""),
              "mode of the attach socket": (attach_mode, "", ""), "services": (services, "", ""),
              "peer of the monitor": (monitor_peer, "mode of the control socket", ""),
              "passwd home": (passwd_home, "", ""), "monitor privileges": (monitor_privileges, "", ""),
              "descriptor reserve": (undone_without_descriptors, "sweep behind monitors", ""),
              "left behind": (nothing_stays, "", "attach socket,cgroup removal"),
              "sweep behind monitors": (nothing_stays, "", "cgroup removal"),
              "record once": (recorded_once, "", "cgroup removal,state file removal"),
              "record on its own line": (recorded_behind_a_cut_record, "", "")}


# --- switches of the image of a virtual machine's root: what else is left out, since two stand for each other ---

OF_ROOT = {"root paths left out": "", "root unreadable files": "root image without rights",
           "root image without rights": "root unreadable files"}


def secrets_in_image(tree, omitted):
    """What of the tree's secrets an image has that is made of it now; nothing when none could be made."""
    environment_of = {**os.environ, "AGENTSH_OMIT": omitted}
    made = host.run(host.FAULTS_BUILD / "agentsh-monitor", "--make-root", f"dir:{tree}", env=environment_of)
    if made.returncode != 0:
        return []
    [image] = pathlib.Path("/var/lib/agentsh/roots").glob("*/image")
    out = tree.with_name("extracted")
    try:
        host.run("fsck.erofs", f"--extract={out}", image, check=True)
        return [path.name for path in out.rglob("secret*") if path.is_file() and path.stat().st_size > 0]
    finally:
        host.run("rm", "-rf", out, image.parent)


@pytest.fixture
def tree_of_secrets(installed, work):
    need_program("mkfs.erofs", "erofs-utils")
    tree = work / "tree"
    (tree / "usr/lib/debug").mkdir(parents=True)
    tree.chmod(0o755)
    for name, mode in (("usr/lib/debug/secret-omitted", 0o644), ("usr/secret-closed", 0o600)):
        (tree / name).write_text("secret\n")
        (tree / name).chmod(mode)
    yield tree
    host.run("rm", "-rf", tree)


@pytest.mark.parametrize("name", OF_ROOT)
def test_switch_of_a_root_image(tree_of_secrets, faults_monitor, name):
    assert not secrets_in_image(tree_of_secrets, OF_ROOT[name])
    assert secrets_in_image(tree_of_secrets, omit(name, OF_ROOT[name])), f"nobody noticed that {name!r} was left out"


def omit(*names):
    return ",".join(name for name in names if name)


@pytest.mark.parametrize("step", OF_SESSION)
def test_step_of_the_session(listener, agent, step):
    holds, fault = OF_SESSION[step]
    listener.restart(AGENTSH_FAULT=fault)
    assert holds(agent)
    listener.restart(AGENTSH_FAULT=fault, AGENTSH_OMIT=step)
    assert not holds(agent), f"nobody noticed that {step!r} was left out"


@pytest.mark.parametrize("name", OF_MONITOR)
def test_switch_of_the_monitor(listener, agent, name):
    holds, also, fault = OF_MONITOR[name]
    listener.restart(AGENTSH_OMIT=also, AGENTSH_FAULT=fault)
    assert holds(agent)
    listener.restart(AGENTSH_OMIT=omit(name, also), AGENTSH_FAULT=fault)
    assert not holds(agent), f"nobody noticed that {name!r} was left out"
    listener.restart()  # which sweeps what was left


@pytest.mark.parametrize("omitted", left_out_by_login())
def test_left_out_of_a_login(listener, agent, omitted):
    """The login is refused, or a probe objects."""
    before = traces.Snapshot()
    listener.restart(AGENTSH_OMIT=omitted)
    facts = probes.collect(agent, expect_success=False)
    assert facts is None or probes.violations(facts, agent) != [], f"nobody noticed that {omitted!r} was left out"
    assert traces.wait_for_none(before) == []


def run_proof(*argv):
    """Names that a program of the proof says were noticed. It must have succeeded."""
    done = host.run(*argv, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    output = done.stdout + done.stderr
    return (set(re.findall(r"^noticed: (.*?): ", output, re.M)),
            set(re.findall(r"^not of this machine: (.*)$", output, re.M)))


def test_everything_has_a_test(capsys, faults_monitor):
    noticed, not_here = run_proof(host.FAULTS_BUILD / JAIL_MUTATION)
    switches, _ = run_proof(sys.executable, host.TOP / "tests/mutation/switches.py", host.FAULTS_BUILD)
    noticed |= switches | set(OF_SESSION) | set(OF_MONITOR) | set(OF_ROOT) | set(BY_LOGIN)
    table = re.findall(r'^SWITCH\("([^"]+)", (?!test_side_doors)\w+\)$', SWITCHES.read_text(), re.M)
    steps = [step for step in step_names() if step not in noticed]
    rest = [name for name in table if name not in noticed | not_here]
    with capsys.disabled():
        print(f"\n{len(step_names())} steps and {len(table)} switches left out; "
              f"not of this machine: {', '.join(sorted(not_here)) or 'none'}")
        print(f"steps without a mutation test: {', '.join(steps) or 'none'}")
        print(f"switches without a mutation test: {', '.join(rest) or 'none'}")
    assert len(step_names()) > 50 and len(table) > 90
    assert steps == [] and rest == []
