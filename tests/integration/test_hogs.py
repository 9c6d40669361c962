"""Each kind of thing that a kernel has a bounded number of is taken by an agent until the kernel refuses: the host and a
session of another account can still have one, logins are answered, and what the kernel lets one see is in the record."""
import contextlib
import pathlib
import re
import subprocess
import time

import host
import installation
import probes
import pytest
from sshd import environment, wait_for_line

MB = 1 << 20
ENOUGH = 100_000  # of probe_hogs
TIERS = ("jail", "chroot")
LIMITS = {"memory": "96M", "tmp": "8M", "cpus": "2", "tasks": "64", "session_time": "2m"}

# kind: at least and at most how many a session gets; "memory" when the memory limit ends it (there is no other).
KINDS = {
    "inotify": (1, 128), "watches": (1, 65_536), "epoll": (1, ENOUGH), "pty": (1, 256), "mqueue": (1, 16),
    "sem": "memory", "msg": "memory", "shm": "memory", "memfd": "memory", "pipe": (1, 520), "key": (0, 0),
    "flight": (1, 1100), "fd": (1, 1024), "timer": (1, 4096), "locked": (1, 128), "signal": (1, 4096),
    "huge": (0, 0), "huge_memfd": (0, 0), "huge_shm": (0, 0),
}


@pytest.fixture(scope="module")
def hog(installed):
    return probes.compile_one(host.TOP / "tests/probes/probe_hogs.c")


@pytest.fixture(scope="module", params=TIERS)
def tier(request):
    return request.param


@pytest.fixture(scope="module")
def greedy(make_agent, hog, tier):
    """The agent that takes all."""
    agent = make_agent({"account": {"tier": tier}, "home": {"mode": "ephemeral", "size": "4M"}, "limits": LIMITS})
    return agent


@pytest.fixture(scope="module")
def neighbour(make_agent, hog, tier):
    agent = make_agent({"account": {"tier": tier}})
    agent.install(hog)
    return agent


@pytest.fixture(scope="module")
def public_hog(hog, work):
    """The probe where everybody outside may run it. Sessions get it through their standard input."""
    target = work / "probe_hogs"
    target.write_bytes(hog.read_bytes())
    target.chmod(0o755)
    return target


@contextlib.contextmanager
def hogging(agent, public_hog, commands):
    """A session in which the commands (of the program ./hog) have taken all that they can get, and hold it."""
    script = "cd /run/user/*; cat > hog; chmod 755 hog; " + commands + " echo all; sleep 100"
    # Not in /tmp, which is to be filled, nor in the home; and it must not be one of the things that are counted.
    with open(public_hog, "rb") as program:
        process = subprocess.Popen(["su", "-", agent.name, "-c", script], stdin=program, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        host.wait_until(lambda: not agent.processes(), 5)


def read_until_all(process, seconds=60):
    lines = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = process.stdout.readline().decode()
        assert line, (lines, process.stderr.read())
        if line.strip() == "all":
            return lines
        lines.append(line.strip())
    raise AssertionError(f"the hog did not come to an end: {lines}")


def take_one(kind, public_hog, *prefix):
    done = host.run(*prefix, public_hog, kind, 1, "/tmp", env=environment(), cwd="/tmp")
    return done.stdout.strip() or done.stderr


def neighbours_are_well(kind, public_hog, neighbour, plain):
    """A neighbour's session, another user and root can still have what the hog has taken."""
    start = time.monotonic()
    if kind in KINDS and KINDS[kind] != (0, 0):
        inside = host.run("su", "-", neighbour.name, "-c", f"./probe_hogs {kind} 1 /tmp", env=environment())
        assert inside.stdout.strip() == f"{kind}=1 ok", inside.stderr
        assert take_one(kind, public_hog) == f"{kind}=1 ok"
        assert take_one(kind, public_hog, "setpriv", f"--reuid={plain.uid}", f"--regid={plain.gid}",
                        "--clear-groups") == f"{kind}=1 ok"
    else:
        assert host.run("su", "-", neighbour.name, "-c", "echo in", env=environment()).stdout == "in\n"
    assert time.monotonic() - start < 10 * host.PATIENCE


def record_of(agent, before):
    assert host.wait_until(lambda: len(installation.audit_lines(agent.name)) > before, 5)
    return installation.audit_lines(agent.name)[-1]


def hit(record):
    """Limits that were hit. An emulated processor that stands still for a while gets all that time charged at once."""
    return [limit for limit in record["limits_hit"] if limit != "cpus"]


def until_first_line(count):
    """Shell text that waits until the hogs of hogging(), `count` of them, have written a line each, or have gone."""
    return (f"for i in $(seq 600); do [ $(cat out* | wc -l) -ge {count} ] && break; "
            "[ -z \"$(jobs -r)\" ] && break; sleep 0.05; done; cat out*;")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind] == "memory"])
def test_kind_that_is_memory(greedy, neighbour, plain, public_hog, kind):
    """The session's memory limit ends it, whatever of the session goes with it."""
    before = len(installation.audit_lines(greedy.name))
    with hogging(greedy, public_hog, f"exec ./hog {kind} 0 /tmp;") as process:
        host.wait_until(lambda: process.poll() is not None, 30)
        neighbours_are_well(kind, public_hog, neighbour, plain)
    record = record_of(greedy, before)
    assert record["oom_kills"] > 0 and "memory" in record["limits_hit"], record
    assert 0 < record["memory_peak"] <= 96 * MB


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind] != "memory"])
def test_kind_that_has_a_number(greedy, neighbour, plain, public_hog, kind):
    least, most = KINDS[kind]
    with hogging(greedy, public_hog, f"./hog {kind} 0 /tmp hold >out 2>&1 & " + until_first_line(1)) as process:
        lines = read_until_all(process)
        neighbours_are_well(kind, public_hog, neighbour, plain)
    name, _, rest = lines[-1].partition("=")
    number, word = rest.split()
    assert name == kind and least <= int(number) <= most, lines
    assert word != "ok" or int(number) == ENOUGH, lines


@pytest.mark.parametrize("place, limit", [("/tmp", "tmp"), ("/dev/shm", "tmp"), ("/var/tmp", "tmp"),
                                          ("/run/user/*", "tmp"), ("~", "home_size")])
@pytest.mark.parametrize("kind", ["bytes", "inodes"])
def test_full_file_system(greedy, neighbour, plain, public_hog, place, limit, kind):
    before = len(installation.audit_lines(greedy.name))
    free = [pathlib.Path(path) for path in ("/tmp", "/dev/shm", "/run")]
    used = {path: host.run("stat", "-f", "-c", "%f %d", path).stdout for path in free}
    with hogging(greedy, public_hog, f"./hog {kind} 0 {place};") as process:
        lines = read_until_all(process)
        assert lines[-1].endswith("ENOSPC"), lines
        assert int(lines[-1].split("=")[1].split()[0]) <= (8 if kind == "bytes" else 4096)
        for path, then in used.items():
            blocks, files = (int(a) - int(b) for a, b in
                             zip(then.split(), host.run("stat", "-f", "-c", "%f %d", path).stdout.split()))
            assert blocks < 1000 and files < 1000, f"{path} of the host filled up"
        neighbours_are_well("bytes", public_hog, neighbour, plain)
    record = record_of(greedy, before)
    assert hit(record) == [limit] and record["oom_kills"] == 0


def test_not_named_when_not_full(greedy, public_hog):
    before = len(installation.audit_lines(greedy.name))
    with hogging(greedy, public_hog, "./hog bytes 2 /tmp; ./hog bytes 2 ~; ./hog inodes 50 /dev/shm;") as process:
        assert read_until_all(process) == ["bytes=2 ok", "bytes=2 ok", "inodes=50 ok"]
    assert hit(record_of(greedy, before)) == []


def test_full_is_named_at_logout(greedy, sshd):
    """On the terminal of the channel that ends."""
    from sshd import Client
    child = Client(sshd, greedy).spawn("dd if=/dev/zero of=/tmp/fill bs=64k; exit 4")
    child.expect("memory file system is full: the tmp limit was reached")
    child.wait()
    assert child.exitstatus == 4


class TestHugePages:
    POOL = pathlib.Path("/proc/sys/vm/nr_hugepages")

    def test_pool_of_the_host_is_not_touched(self, greedy, public_hog):
        """With huge pages set aside for a database, an agent gets none of them, and root still can."""
        before = self.POOL.read_text()
        self.POOL.write_text(str(int(before) + 4))
        try:
            free = int(host.run("grep", "HugePages_Free", "/proc/meminfo").stdout.split()[1])
            assert free >= 4, "the kernel has no four huge pages in a row"
            commands = "".join(f"./hog {kind} 0 /tmp 2>&1;" for kind in ("huge", "huge_memfd", "huge_shm"))
            with hogging(greedy, public_hog, commands) as process:
                lines = read_until_all(process)
            assert [line.split()[0] for line in lines] == ["huge=0", "huge_memfd=0", "huge_shm=0"]
            assert take_one("huge", public_hog) == "huge=1 ok"
        finally:
            self.POOL.write_text(before)


class TestSockets:
    """Queues of internet sockets are memory of the session: not of the host's share for TCP and UDP. On v2 that is the
    memory limit, which ends the session as with other memory; on v1 they have a quarter of it for themselves, and are
    refused. The kernel lets each connection have one segment beyond it."""

    @staticmethod
    def pages(protocol):
        for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
            fields = line.split()
            if fields[0] == f"{protocol}:":
                return int(fields[fields.index("mem") + 1])
        return 0

    @pytest.mark.parametrize("protocol, sockets", [("TCP", 100), ("UDP", 500)])
    def test_queues_count(self, greedy, neighbour, plain, public_hog, protocol, sockets):
        kind = protocol.lower()
        start, before = self.pages(protocol), len(installation.audit_lines(greedy.name))
        command = f"./hog {kind} {sockets} /tmp hold >out 2>&1 & " + until_first_line(1)
        with hogging(greedy, public_hog, command) as process:
            is_held = "all" in (line.decode().strip() for line in process.stdout)
            taken = (self.pages(protocol) - start) * 4096
            neighbours_are_well(kind, public_hog, neighbour, plain)
        assert taken < 96 * MB / 2, f"{taken // MB} MB of the host's {protocol} memory"
        if not is_held:
            record = record_of(greedy, before)
            assert host.cgroup_is_v2() and record["oom_kills"] > 0 and record["memory_peak"] <= 100 * MB, record
            assert "memory" in record["limits_hit"], record


def test_route_sockets_in_strict(make_agent, public_hog, tier):
    """The one kind of socket whose queue no kernel charges to anybody: seccomp = strict has none."""
    agent = make_agent({"account": {"tier": tier}, "kernel": {"seccomp": "strict"}, "limits": LIMITS})
    with hogging(agent, public_hog, "./hog netlink 0 /tmp;") as process:
        assert read_until_all(process) == ["netlink=0 EAFNOSUPPORT"]


def may_raise_limits():
    """Whether the monitor has CAP_SYS_RESOURCE: without it, namespaces inherit the bound that their maker had."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"^CapEff:\s*(\w+)", status, re.M).group(1), 16) >> 24 & 1 == 1


class TestOtherSessionsOfTheAccount:
    """What the kernel counts by uid, or charges to the owner of a namespace, all sessions of the account share."""

    @pytest.mark.parametrize("kind", ["inotify", "mqueue"])
    def test_shared(self, greedy, public_hog, tier, kind):
        own = tier == "jail" and kind == "mqueue" and may_raise_limits()
        with hogging(greedy, public_hog, f"./hog {kind} 0 /tmp hold >out 2>&1 & " + until_first_line(1)) as first:
            read_until_all(first)
            with hogging(greedy, public_hog, f"./hog {kind} 1 /tmp;") as second:
                lines = read_until_all(second)
        assert lines[-1].endswith("ok") == own, lines
