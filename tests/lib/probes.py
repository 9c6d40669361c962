"""Static probes that run inside and print facts; what those facts must be; the list of what they violate."""
import os
import pathlib
import re
import subprocess
import threading

import host
from sshd import environment

SOURCES = host.TOP / "probe"
NAMES = ("probe_identity", "probe_view", "probe_escape")
TIMEOUT = 12
KEY_NAME = "agtest-host-key"

# Attempts of probe_escape: those that must succeed, those that may, and the answer that some must get. All others fail.
RULES = re.findall(r'^(\w+)\("([^"]+)"(?:, "([^"]+)")?\)', (SOURCES / "attempts.def").read_text(), re.MULTILINE)
NEEDED = {name for rule, name, _ in RULES if rule in ("MUST", "DEFAULT")}
HARMLESS = NEEDED | {name for rule, name, _ in RULES if rule == "MAY"}
EXACTLY = {name: answer for rule, name, answer in RULES if rule == "ANSWER"}

DEVICES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
DEV_NAMES = set(DEVICES) | {"ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr"}
MASKED = ("/proc/acpi", "/proc/irq", "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/mtrr",
          "/proc/sched_debug", "/proc/timer_list", "/proc/sysrq-trigger", "/proc/scsi", "/proc/latency_stats")
ZERO_CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/run")
SHELL_FACTS = ("sed 's/^/cgroup-line=/' /proc/self/cgroup; "
               "echo max_user_namespaces=$(cat /proc/sys/user/max_user_namespaces); "
               "for f in /proc/sys/user/max_*; do echo user-limit=$(cat $f); done; echo term=$TERM; "
               "ls /etc/ld.so.cache /etc/profile /etc/nsswitch.conf | sed 's/^/etc=/'; "
               "grep -c . /proc/mounts | sed 's/^/mount-count=/'; echo up; read x")


def compile_one(source):
    """Path of the static program, compiled when its sources changed."""
    program = host.BUILD / "probes" / source.stem
    program.parent.mkdir(parents=True, exist_ok=True)
    newest = max(path.stat().st_mtime for path in (source, *SOURCES.glob("*.h")))
    if not program.exists() or program.stat().st_mtime < newest:
        host.run("cc", "-O2", "-static", "-D_GNU_SOURCE", f"-I{host.TOP}", "-o", program, source, check=True)
    return program


def compile_all():
    return [compile_one(SOURCES / f"{name}.c") for name in NAMES]


def install(agent):
    for program in compile_all():
        agent.install(program)


def parse(text):
    """key=value lines as {key: [value, ...]}."""
    facts = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            facts.setdefault(key, []).append(value)
    return facts


def merge(into, facts):
    for key, values in facts.items():
        into.setdefault(key, []).extend(values)
    return into


def script():
    """One command that runs all probes and then waits for its input to end."""
    return (f"./probe_identity; ./probe_view {KEY_NAME} /tmp/agtest.sock; ./probe_escape {os.getpid()} {KEY_NAME}; "
            + SHELL_FACTS)


def su_command(agent):
    return ["su", "-", agent.name, "-w", "TERM", "-c", script()]


def collect(agent, command=None, expect_success=True):
    """Facts from inside one session, and from outside about it. None when the login was refused or hung."""
    install(agent)
    process = subprocess.Popen(command or su_command(agent), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, errors="replace", env=environment())
    lines = []
    try:
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        for line in process.stdout:
            if line.strip() == "up":
                break
            lines.append(line)
        else:
            return failed(process, expect_success)
        facts = parse("".join(lines))
        merge(facts, outside(agent))
        process.stdin.write("\n")
        process.stdin.close()
        process.wait(TIMEOUT)
        return facts
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def failed(process, expect_success):
    if expect_success:
        raise AssertionError(f"the login did not succeed: {process.stderr.read()}")
    return None


def outside(agent):
    """What the host sees of the session: cgroup and out-of-memory score of its processes."""
    facts = {}
    for process in agent.processes():
        base = pathlib.Path("/proc") / str(process.pid)
        if process.name in ("agentsh", "su") or process.name.startswith("sshd"):
            continue
        try:
            lines = (base / "cgroup").read_text().splitlines()
        except OSError:
            continue
        names = {line.split(":")[1]: line.split(":", 2)[2] for line in lines}
        confined = [path for controllers, path in names.items() if "agentsh" in path]
        facts.setdefault("outside cgroups", []).append(str(len(confined)))
        facts.setdefault("outside process", []).append(process.name)
    return facts


class Check:
    """Collects violations."""

    def __init__(self, facts):
        self.facts, self.found = facts, []

    def one(self, key):
        values = self.facts.get(key, [])
        return values[0] if len(values) == 1 else None

    def equal(self, key, wanted):
        value = self.one(key)
        if value is None or value.split() != str(wanted).split():
            self.found.append(f"{key} is {self.facts.get(key)}, not {wanted}")

    def true(self, condition, text):
        if not condition:
            self.found.append(text)


def check_user_namespace(check, agent):
    """In a chroot it is the host's."""
    if agent.tier == "chroot":
        check.equal("ns_user", host.namespace("self", "user"))
        return
    check.equal("uid_map", f"{agent.uid} {agent.uid} 1")
    check.equal("gid_map", f"{agent.gid} {agent.gid} 1")
    check.true(check.facts.get("setgroups", [""])[0] == "deny", "setgroups is not denied in the user namespace")
    nested = check.facts.get("max_user_namespaces", [])
    check.true(nested and set(nested) == {"0"}, f"max_user_namespaces is {nested}")


def check_identity(check, agent, uid, fake_root):
    check.equal("uids", f"{uid} {uid} {uid}")
    check.equal("gids", "0 0 0" if fake_root else f"{agent.gid} {agent.gid} {agent.gid}")
    check.equal("groups", 0)
    for name in ZERO_CAPS:
        # A fake root owns the ids of its range and may change between them: chown, dac_override, fowner, fsetid,
        # setgid, setuid, over its own user namespace only.
        owner = fake_root and name in ("CapPrm", "CapEff", "CapBnd")
        check.equal(name, "00000000000000db" if owner else "0000000000000000")
    check.equal("NoNewPrivs", 1)
    check.equal("Seccomp", 2)
    check.equal("securebits", "0xea" if fake_root else "0xef")
    for name in ("SigBlk", "SigIgn"):
        check.equal(name, "0000000000000000")
    check.equal("umask", "0022")
    check.equal("nice", 0)
    check.equal("scheduler", 0)
    check.equal("hostname", agent.name)
    check.equal("loginuid", uid)
    check.equal("limit_core", "1:1")
    check.equal("limit_nice", "0:0")
    check.equal("limit_rtprio", "0:0")
    for name in ("nofile", "nproc", "memlock", "msgqueue", "sigpending"):
        value = check.one(f"limit_{name}") or "-1"
        check.true("-1" not in value, f"limit_{name} is {value}")
        # Those that the kernel derives from the machine's memory must have been lowered.
        check.true(name not in ("nproc", "sigpending") or int(value.split(":")[-1]) <= 8192, f"limit_{name} is {value}")
    if not fake_root:
        check.equal("limit_nofile", "1024:1024")
        check_user_namespace(check, agent)
    score = check.one("oom_score_adj")
    check.true(score is not None and int(score) > 0, f"oom_score_adj is {score}")
    for name in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
        value = check.one(f"ns_{name}")
        check.true(value and (value != host.namespace("self", name) or (name, agent.tier) == ("user", "chroot")),
                   f"the {name} namespace is the host's")


def check_mounts(check, agent):
    mounts = {key[6:]: values[-1].split() for key, values in check.facts.items() if key.startswith("mount /")}
    allowed = rf"/(usr|lib|lib64|bin|sbin|opt|dev/\w+|proc|proc/.+|tmp|var/tmp|run|etc|etc/.+|{agent.home[1:]})?"
    for target, (options, fstype, _) in mounts.items():
        flags = options.split(",")
        check.true(re.fullmatch(allowed, target), f"{target} is mounted")
        check.true("nosuid" in flags, f"{target} lacks nosuid")
        device = target.startswith("/dev/") and target != "/dev/shm" or fstype == "devtmpfs"
        check.true("nodev" in flags or device, f"{target} lacks nodev")
        if target not in (*WRITABLE, agent.home, "/dev/pts", "/proc"):
            check.true("ro" in flags, f"{target} is writable")
    for target in ("/", "/usr", "/proc", "/dev/pts", "/etc", agent.home, "/proc/sys", *WRITABLE):
        check.true(target in mounts, f"{target} is not mounted")
    check.true("propagating" not in check.facts, f"propagation: {check.facts.get('propagating')}")


def check_view(check, agent):
    pids = check.facts.get("pid", [])
    check.true(0 < len(pids) <= 5 and all(int(pid) < 200 for pid in pids), f"pids {pids}")
    interfaces = check.facts.get("interface", [])
    check.true(len(interfaces) == 1 and interfaces[0].strip().startswith("lo:"), f"interfaces {interfaces}")
    check.true("route" not in check.facts, f"routes {check.facts.get('route')}")
    routes = check.facts.get("route6", [])
    check.true(all(line.split()[-1] == "lo" for line in routes), f"routes {routes}")
    check.true(any(line.startswith("0" * 31 + "1 80") for line in routes), "the loopback interface is down")
    check.true(not check.facts.get("unix"), f"unix sockets {check.facts.get('unix')}")
    names = [line.split(":")[0] for line in check.facts.get("passwd", [])]
    check.true(sorted(names) == sorted({"root", "nobody", agent.name}), f"passwd {names}")
    groups = {line.split(":")[0] for line in check.facts.get("group", [])}
    check.true(groups <= {"root", "nogroup", "nobody", agent.name}, f"group {groups}")
    fds = {key[3:] for key in check.facts if key.startswith("fd ")}
    check.true(fds == {"0", "1", "2"}, f"fds {fds}")
    devices = set(check.facts.get("dev", []))
    check.true(devices == DEV_NAMES, f"/dev has {devices ^ DEV_NAMES} too many or too few")
    for name, numbers in DEVICES.items():
        check.equal(f"device {name}", numbers)
    check.true(check.facts.get("home") == [agent.name], f"/home has {check.facts.get('home')}")
    check.equal("cwd", agent.home)
    for path in MASKED:
        value = check.one(f"hidden {path}")
        check.true(value == "0" or value is None or value.startswith("E"), f"{path} gives {value} bytes")
    for key, values in check.facts.items():
        if key.startswith("hidden ") and key[7:] not in MASKED:
            check.true(values[0].startswith("E") or values[0] == "0", f"{key[7:]} can be read")
    for key in ("connect abstract", "connect path"):
        check.true((check.one(key) or "").startswith("E"), f"{key}: {check.one(key)}")


def check_attempts(check):
    attempts = {key: values[0] for key, values in check.facts.items()
                if len(values) == 1 and re.fullmatch(r"ok|killed|E[A-Z0-9]+|SIG[A-Z]+", values[0])
                and not key.startswith(("hidden ", "open ", "connect ", "device "))
                and key not in ("keyring", "route", "keys")}
    check.true(len(attempts) > 100, f"only {len(attempts)} attempts were made")
    for name, result in attempts.items():
        check.true(result != "ok" or name in HARMLESS, f"{name} succeeded")
    for name in NEEDED:
        check.true(attempts.get(name) == "ok", f"{name}: {attempts.get(name)}")
    for name, wanted in EXACTLY.items():
        check.true(attempts.get(name) == wanted, f"{name}: {attempts.get(name)}, not {wanted}")


def check_rest(check, term):
    cgroups = check.facts.get("cgroup-line", [])
    check.true(cgroups and all(line.endswith(":/") for line in cgroups), f"cgroups {cgroups}")
    check.equal("term", term)
    check.true(len(check.facts.get("etc", [])) == 3, f"/etc has only {check.facts.get('etc')}")
    inside = check.facts.get("outside cgroups", [])
    check.true(inside and all(int(count) >= 1 for count in inside), "a process is in no cgroup of agentsh's")
    check.true("agentsh-init" in check.facts.get("outside process", []), "process 1 is not agentsh-init")


def violations(facts, agent, fake_root=False, term="xterm"):
    """What the facts of a session say that must not be."""
    check = Check(facts)
    check_identity(check, agent, 0 if fake_root else agent.uid, fake_root)
    check_mounts(check, agent)
    check_view(check, agent)
    check_attempts(check)
    check_rest(check, term)
    return check.found
