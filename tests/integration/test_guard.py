"""The egress guard: sockets of an agent's uid on the host reach nothing, nobody else notices. In a network of its own.

No account of the machine is touched, no rule of its packet filter, no interface: agentshctl is a private build, and
the test is in a network namespace of its own.
"""
import contextlib
import errno
import grp
import os
import pathlib
import pwd
import select
import socket
import subprocess
import threading
import time

import accounts
import host
import netns
import private_ctl
import pytest
from need import need, need_program
from private_ctl import PREFIX, in_private_mounts, make_person, settle, snapshot
from sshd import Client, Sshd, end, environment, free_port, listening

MPTCP = 262
STRANGER = 54399  # no account's
AGENT = f"{PREFIX}01"


@pytest.fixture
def tool(private_build):
    need_program("nft", "nftables")
    need_program("ip", "iproute2")
    with netns.inside(), private_ctl.clean(private_build) as clean:
        yield clean


@pytest.fixture
def uid(tool):
    """The uid of an agent, with the guard on."""
    tool("account", "add", AGENT)
    tool("guard", "on")
    return pwd.getpwnam(AGENT).pw_uid


def ruleset():
    return host.run("nft", "list", "ruleset", check=True).stdout


def uids_of_set():
    """The single uids and ranges of the set, as nft prints them."""
    text = host.run("nft", "list", "set", "inet", "agentsh", "agents", check=True).stdout
    if "elements" not in text:
        return set()
    return {part.strip() for part in text.split("elements = {")[1].split("}")[0].split(",")}


def as_uid(uid, function):
    """The function's result as text, called by a process with that uid and nothing else; "E..." for an OSError."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            said = str(function())
        except TimeoutError:
            said = "ETIMEDOUT"
        except OSError as failure:
            said = errno.errorcode.get(failure.errno, str(failure))
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(pid, 0)
    return said


def database():
    """What the user database has of the test's accounts."""
    files = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
    own = {name: [line for line in pathlib.Path("/etc", name).read_text().splitlines() if line.startswith(PREFIX)]
           for name in files}
    return own, sorted(name for name in grp.getgrnam("agents").gr_mem if name.startswith(PREFIX))


def everything(tool):
    """What must be the same after a change that failed."""
    return database(), uids_of_set(), snapshot(tool)[2:], sorted(path.name for path in pathlib.Path("/home").iterdir()
                                                                 if path.name.startswith(AGENT[:-1]))


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port, protocol=0):
    def run():
        with socket.socket(family_of(address), socket.SOCK_STREAM, protocol) as client:
            client.settimeout(3)
            client.connect((address, port))
            client.sendall(b"x")
            return "through"
    return run


def send(address, port):
    def run():
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as client:
            client.sendto(b"x", (address, port))
            return "through"
    return run


def ping(address):
    def run():
        six = family_of(address) == socket.AF_INET6
        protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
        with socket.socket(family_of(address), socket.SOCK_DGRAM, protocol) as client:
            client.settimeout(3)
            client.sendto((b"\x80" if six else b"\x08") + bytes(7), (address, 0))
            client.recv(100)
            return "through"
    return run


def serve_once(address, family=socket.AF_INET, protocol=0):
    server = socket.socket(family, socket.SOCK_STREAM, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 0))
    server.listen(16)
    return server, server.getsockname()[1]


@pytest.fixture
def outside(tool):
    with netns.other_host() as pid:
        yield pid


# ---- what is refused, and to whom

class TestOutgoing:
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", netns.HERE, netns.HERE6])
    @pytest.mark.parametrize("protocol", [0, MPTCP], ids=["tcp", "mptcp"])
    def test_stream_on_the_host(self, outside, uid, address, protocol):
        server, port = serve_once("::" if ":" in address else "0.0.0.0", family_of(address), protocol)
        with server:
            before = time.monotonic()
            assert as_uid(uid, connect(address, port, protocol)) == "ECONNREFUSED"
            assert time.monotonic() - before < 2 * host.PATIENCE, "a refusal must be told at once"
            assert as_uid(STRANGER, connect(address, port, protocol)) == "through"
            assert as_uid(0, connect(address, port, protocol)) == "through"

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", netns.HERE, netns.HERE6, netns.THERE, netns.THERE6])
    def test_datagram(self, outside, uid, address):
        assert as_uid(uid, send(address, 9)) == "EPERM"
        assert as_uid(STRANGER, send(address, 9)) == "through"
        assert as_uid(0, send(address, 9)) == "through"

    @pytest.mark.parametrize("address", [netns.THERE, netns.THERE6])
    def test_stream_to_another_host(self, outside, uid, address):
        server, port = netns.in_other(outside, lambda: serve_once(address, family_of(address)))
        with server:
            assert as_uid(uid, connect(address, port)) == "ECONNREFUSED"
            assert as_uid(STRANGER, connect(address, port)) == "through"
            server.settimeout(1)
            server.accept()[0].close()
            with pytest.raises(TimeoutError):
                server.accept()

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", netns.THERE])
    def test_ping(self, outside, uid, address):
        pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        # The kernel does not tell the sender of an ICMPv6 packet.
        assert as_uid(uid, ping(address)) == ("ETIMEDOUT" if ":" in address else "EPERM")
        assert as_uid(STRANGER, ping(address)) == "through"

    def test_broadcast_and_multicast(self, outside, uid):
        def shout(address):
            def run():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    client.sendto(b"x", (address, 9))
                    return "through"
            return run
        host.run("ip", "route", "add", "default", "via", netns.THERE, check=True)
        for address in ("10.99.0.255", "255.255.255.255", "239.1.2.3"):
            assert as_uid(uid, shout(address)) == "EPERM"
            assert as_uid(STRANGER, shout(address)) == "through"

    def test_the_refusal_is_no_packet_to_somewhere(self, outside, uid):
        """With a source address that is not the host's, an answer to the agent would go out: there is none."""
        foreign = "fd99::77"

        def spoof():
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
                client.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
                client.bind((foreign, 0))
                client.settimeout(1)
                client.connect((netns.THERE6, 9))
            return "through"

        def tcp_packets():
            """Source and destination of each that came to the other host until now."""
            found = []
            while select.select([tap], [], [], 0.5)[0]:
                packet = tap.recv(2000)
                if packet[6] == socket.IPPROTO_TCP:
                    found.append(tuple(socket.inet_ntop(socket.AF_INET6, packet[at:at + 16]) for at in (8, 24)))
            return found
        far = ["nsenter", "-t", outside, "-n", "ip"]
        host.run(*far, "addr", "add", f"{foreign}/64", "dev", "there", "nodad", check=True)
        link = host.run(*far, "-br", "link", "show", "there", check=True).stdout.split()[2]
        host.run("ip", "neigh", "add", foreign, "lladdr", link, "dev", "here", check=True)
        tap = netns.in_other(outside, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86dd)))
        with tap:
            assert as_uid(uid, spoof) == "ETIMEDOUT"
            assert tcp_packets() == []
            as_uid(STRANGER, spoof)
            assert (foreign, netns.THERE6) in tcp_packets(), "the test does not see what it must"

    def test_subordinate_uids(self, uid):
        """What newuidmap gives a process of the agent's is the agent's."""
        ranges = [line.split(":") for line in pathlib.Path("/etc/subuid").read_text().splitlines()]
        ranges = [line for line in ranges if line[0] == AGENT]
        need(ranges, "useradd gives no subordinate uids", reference_machine=False)
        first, count = int(ranges[0][1]), int(ranges[0][2])
        assert as_uid(first, send("127.0.0.1", 9)) == as_uid(first + count - 1, send("127.0.0.1", 9)) == "EPERM"

    def test_a_wrong_subuid_file_takes_nobody_elses_network(self, tool):
        tool("account", "add", AGENT)
        name = f"{PREFIX}02"
        make_person(name, "--uid", "3000070")
        text = "".join(f"{AGENT}:{first}:{count}\n" for first, count in ((500, 100000),))
        other = f"{AGENT}:3000000:65536\n"
        for content in (text, other):
            script = f"printf '{content}' >/mnt/subuid && mount --bind /mnt/subuid /etc/subuid"
            done = in_private_mounts(tool, f"mount -t tmpfs none /mnt && {script}", "guard", "on")
            assert done.returncode == 0, done.stderr
            assert uids_of_set() == {str(pwd.getpwnam(AGENT).pw_uid)}


class TestListener:
    # (backlog, protocol): 0 is full before the first, 128 is sshd's.
    LISTENERS = [(0, 0), (1, 0), (5, 0), (128, 0), (0, MPTCP), (5, MPTCP)]

    def listener(self, ready, backlog, family=socket.AF_INET, protocol=0, address="0.0.0.0"):
        """What a listener of this uid hears before and after its answer, which the kernel may send once it is gone."""
        def run():
            server = socket.socket(family, socket.SOCK_STREAM, protocol)
            server.bind((address, 0))
            server.listen(backlog)
            os.write(ready, str(server.getsockname()[1]).encode())
            server.settimeout(1.8)
            connection = server.accept()[0]
            connection.settimeout(0.4)
            got = connection.recv(5)
            connection.send(b"leak")
            with contextlib.suppress(OSError):
                got += connection.recv(5)
            connection.close()
            time.sleep(0.7)
            return f"accepted, {got}"
        return run

    def talk(self, address, port, count, patience=0.6):
        """`count` clients at once, twice; each says two words. What was answered to any of them."""
        answers = b""
        for _ in range(2):
            clients = [socket.socket(family_of(address), socket.SOCK_STREAM) for _ in range(count)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex((address, port))
            for word in (b"hello", b"more"):
                time.sleep(0.2)
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.send(word)
            time.sleep(patience)
            for client in clients:
                with contextlib.suppress(OSError):
                    answers += client.recv(10)
                client.close()
        return answers

    def try_listener(self, uid, address, backlog, talk=None, protocol=0):
        reader, writer = os.pipe()
        said = {}
        bound = "::" if ":" in address else "0.0.0.0"
        thread = threading.Thread(target=lambda: said.update(server=as_uid(uid, self.listener(
            writer, backlog, family_of(address), protocol, bound))))
        thread.start()
        port = int(os.read(reader, 10))
        os.close(reader)
        os.close(writer)
        answers = (talk or self.talk)(address, port, 200 if backlog == 128 else 8)
        thread.join()
        return said["server"], answers

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    @pytest.mark.parametrize("backlog,protocol", LISTENERS)
    def test_no_connection(self, uid, address, backlog, protocol):
        """A full queue makes SYN cookies, whose packets belong to no socket: they must not get through either."""
        assert self.try_listener(uid, address, backlog, protocol=protocol) == ("ETIMEDOUT", b"")

    def test_the_test_works_for_another_user(self, uid):
        assert self.try_listener(STRANGER, "127.0.0.1", 5) == ("accepted, b'hellomore'", b"leak")

    @pytest.mark.parametrize("address", [netns.HERE, netns.HERE6])
    @pytest.mark.parametrize("backlog,protocol", LISTENERS[:4])
    def test_no_connection_from_another_host(self, outside, uid, address, backlog, protocol):
        def talk(*arguments):
            return netns.in_other(outside, lambda: self.talk(*arguments))
        assert self.try_listener(uid, address, backlog, talk, protocol) == ("ETIMEDOUT", b"")

    def test_with_cookies_always_there_is_no_answer(self, uid):
        """The documented limit, which doctor names: such a listener may receive, but not answer, and then no more."""
        pathlib.Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("2")

        def patient(*arguments):  # the kernel sends the rest of a closed socket again after more than a second
            return self.talk(*arguments, patience=2.5)
        assert self.try_listener(uid, "127.0.0.1", 5, patient) == ("accepted, b'hello'", b"")
        assert self.try_listener(STRANGER, "127.0.0.1", 5) == ("accepted, b'hellomore'", b"leak")

    def test_datagrams_are_not_answered(self, uid):
        reader, writer = os.pipe()
        said = {}

        def answer():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind(("127.0.0.1", 0))
                os.write(writer, str(server.getsockname()[1]).encode())
                server.settimeout(3)
                _, peer = server.recvfrom(10)
                server.sendto(b"leak", peer)
                return "answered"
        for who, expected in ((uid, "EPERM"), (STRANGER, "answered")):
            thread = threading.Thread(target=lambda who=who: said.update(server=as_uid(who, answer)))
            thread.start()
            port = int(os.read(reader, 10))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"hello", ("127.0.0.1", port))
                thread.join()
                assert said["server"] == expected


class TestConnectionsThatAreThere:
    def test_roots_connection_in_an_agents_process_works(self, uid):
        """What sshd does: root accepts, a process of the agent's goes on with the connection."""
        server, port = serve_once("127.0.0.1")
        with server, socket.create_connection(("127.0.0.1", port), 3) as client:
            connection = server.accept()[0]

            def echo():
                connection.sendall(connection.recv(10).upper())
                return "through"
            client.sendall(b"hello")
            assert as_uid(uid, echo) == "through"
            connection.close()
            client.settimeout(3)
            assert client.recv(10) == b"HELLO"

    def test_an_agents_connection_is_cut_when_the_guard_is_loaded(self, outside, uid, tool):
        tool("guard", "off")
        server, port = netns.in_other(outside, lambda: serve_once(netns.THERE))
        go, gone = os.pipe()

        def hold():
            with socket.create_connection((netns.THERE, port), 3) as client:
                client.sendall(b"before")
                os.read(go, 1)
                client.settimeout(1.5)
                try:
                    client.send(b"after")
                except OSError:
                    pass
                return client.recv(10)
        said = {}
        thread = threading.Thread(target=lambda: said.update(agent=as_uid(uid, hold)))
        with server:
            thread.start()
            connection = server.accept()[0]
            assert connection.recv(10) == b"before"
            tool("guard", "on")
            connection.sendall(b"in")
            os.write(gone, b"x")
            thread.join()
            connection.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.recv(10)
            connection.close()
        assert said["agent"] == "ETIMEDOUT"


# ---- the verbs

def test_on_and_off_touch_no_other_table(tool):
    tool("account", "add", AGENT)
    host.run("nft", "-f", "-", check=True, input="""
        table inet filter { set agents { type uid; elements = { 7 }; };
            chain output { type filter hook output priority 0; policy accept; meta skuid @agents drop; }; }
        table ip agentsh { chain mine { }; }
        table ip6 nat { chain post { type nat hook postrouting priority 100; }; }""")
    before = ruleset()
    for _ in range(3):
        tool("guard", "on")
    loaded = ruleset()
    assert loaded.count("table inet agentsh {") == 1
    tool("guard", "sync")
    assert "table inet filter" in ruleset()
    for _ in range(2):
        tool("guard", "off")
        assert ruleset() == before


def test_status(tool):
    assert tool.json("guard", "status", status=1) == {"on": False, "good": False}
    assert "off" in tool("guard", "status", status=1).stdout
    tool("account", "add", AGENT)
    tool("guard", "on")
    uid = pwd.getpwnam(AGENT).pw_uid
    found = tool.json("guard", "status")
    assert found["on"] and found["good"] and found["in_step"] and found["tried"]
    assert found["agents"] == [{"name": AGENT, "uid": uid, "open": None}]
    before = tool.json("guard", "status")["refused_packets"]
    for _ in range(50):
        as_uid(uid, send("127.0.0.1", 9))
    assert tool.json("guard", "status")["refused_packets"] >= before + 50
    for verb in ("on", "sync", "status"):
        assert tool.json("guard", verb)["good"]
    assert not tool.json("guard", "off")["on"]
    for arguments in (("guard",), ("guard", "maybe"), ("guard", "on", "now"), ("guard", "on", "--force")):
        tool(*arguments, status=2)


def test_without_a_loopback_interface_it_is_loaded_but_not_tried(tool):
    """As at boot, before the network."""
    tool("account", "add", AGENT)
    host.run("ip", "link", "set", "lo", "down", check=True)
    found = tool.json("guard", "on")
    assert found["on"] and not found["tried"] and not found["good"]
    assert "not tried" in tool("guard", "status", status=1).stdout


BROKEN = {
    "a rule is gone": ("flush chain inet agentsh output", "UDP", "guard on"),
    "tcp is let through": ("insert rule inet agentsh output ip protocol tcp accept", "TCP", "guard on"),
    "the set is empty": ("flush set inet agentsh agents", "UDP", "guard sync"),
    "one more uid": ("add element inet agentsh agents { 4242 }", None, "guard sync"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found_and_repaired(tool, uid, what):
    change, open_way, verb = BROKEN[what]
    host.run("nft", change, check=True)
    found = tool.json("guard", "status", status=1)
    assert found["on"] and not found["good"]
    assert found["agents"][0]["open"] == open_way
    about = [one for one in tool.json("doctor", status=1)["findings"]
             if one["check"] == "guard" and one["severity"] != "ok"]
    assert any(verb in one["remedy"] for one in about), about
    assert (any(one["severity"] == "bad" for one in about)) == (open_way is not None)
    tool(*verb.split())
    assert tool.json("guard", "status")["good"]


def test_doctor(tool):
    def about():
        return [(one["severity"], one["text"], one["remedy"]) for one in tool.json("doctor", status=1)["findings"]
                if one["check"] == "guard"]
    tool("account", "add", AGENT)
    severity, text, remedy = about()[0]
    assert severity == "warning" and "off" in text and "guard" in remedy
    tool("guard", "on")
    assert [severity for severity, text, _ in about() if "next boot" not in text] == ["ok"]
    pathlib.Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("2")
    assert any("tcp_syncookies" in remedy for _, _, remedy in about())


def test_a_foreign_set_is_not_understood(tool):
    """A table of that name that is not the guard's is replaced by `on`, and nothing is believed of it before."""
    tool("account", "add", AGENT)
    for content in ("", "set agents { type uid; };", "set agents { type ipv4_addr; flags interval; };",
                    "chain agents { };"):
        host.run("nft", f"table inet agentsh {{ {content} }}", check=True)
        assert "agentshctl" in tool("guard", "status", status=1).stderr
        tool("guard", "on")
        assert tool.json("guard", "status")["good"]
        tool("guard", "off")


# ---- nft is missing, or fails

NO_NFT = "mount --bind /dev/null /usr/sbin/nft"
FAILING_NFT = 'mount -t tmpfs none /mnt && printf "#!/bin/sh\\necho Error: no rules today >&2; exit 1\\n" >/mnt/nft' \
              " && chmod 755 /mnt/nft && mount --bind /mnt/nft /usr/sbin/nft"


def test_without_nft(tool):
    done = in_private_mounts(tool, NO_NFT, "guard", "on")
    assert done.returncode == 1 and "nft" in done.stderr and "apt-get install nftables" in done.stderr
    assert in_private_mounts(tool, NO_NFT, "guard", "off").returncode == 0
    done = in_private_mounts(tool, NO_NFT, "account", "add", AGENT)
    assert done.returncode == 0, "an account needs no nft while the guard is off"
    tool("guard", "on")
    for verb in ("status", "sync", "off"):
        done = in_private_mounts(tool, NO_NFT, "guard", verb)
        assert done.returncode == 1 and "apt-get install nftables" in done.stderr


@pytest.mark.parametrize("nft,said", [(NO_NFT, "not installed"), (FAILING_NFT, "no rules today")])
@pytest.mark.parametrize("convert", [False, True], ids=["add", "convert"])
def test_an_account_that_cannot_be_guarded_is_not_made(tool, uid, nft, said, convert):
    settle(tool)
    name = f"{PREFIX}02"
    if convert:
        make_person(name)
    before = everything(tool)
    done = in_private_mounts(tool, nft, "account", "add", name, *(["--convert"] if convert else []))
    assert done.returncode == 1 and said in done.stderr and "egress guard" in done.stderr
    assert "cannot take back" not in done.stderr
    assert everything(tool) == before


@pytest.mark.parametrize("step", ["egress guard", "data home", "policy"])
def test_a_step_that_fails_takes_the_uid_back(tool, uid, step):
    settle(tool)
    before = everything(tool)
    done = tool("account", "add", f"{PREFIX}02", status=1, env={"AGENTSH_FAULT": step})
    assert step in done.stderr and "cannot take back" not in done.stderr
    assert everything(tool) == before


def test_a_removal_that_cannot_update_the_guard_is_finished_later(tool, uid):
    done = in_private_mounts(tool, FAILING_NFT, "account", "remove", AGENT)
    assert done.returncode == 1 and "no rules today" in done.stderr
    tool("account", "remove", AGENT)
    assert uids_of_set() == set()
    assert not (tool.state / "homes" / AGENT).exists()


# ---- accounts

def test_accounts_come_and_go(tool):
    tool("guard", "on")
    assert uids_of_set() == set()
    names = [f"{PREFIX}{number:02d}" for number in range(1, 4)]
    for number, name in enumerate(names):
        tool("account", "add", name)
        assert as_uid(pwd.getpwnam(name).pw_uid, send("127.0.0.1", 9)) == "EPERM"
        assert len(tool.json("guard", "status")["agents"]) == number + 1
    uids = [pwd.getpwnam(name).pw_uid for name in names]
    tool("account", "remove", names[1])
    assert [as_uid(uid, send("127.0.0.1", 9)) for uid in uids] == ["EPERM", "through", "EPERM"]
    for name in (names[0], names[2]):
        tool("account", "remove", name)
    assert uids_of_set() == set()
    assert as_uid(uids[0], send("127.0.0.1", 9)) == "through"


def test_a_person_who_becomes_an_agent(tool):
    tool("guard", "on")
    make_person(AGENT)
    uid = pwd.getpwnam(AGENT).pw_uid
    assert as_uid(uid, send("127.0.0.1", 9)) == "through"
    tool("account", "add", "--convert", AGENT)
    assert as_uid(uid, send("127.0.0.1", 9)) == "EPERM"


def test_an_open_listener_stays_shut_when_accounts_change(tool, uid):
    """The set is changed, the table is not made again: what it has learned stays."""
    refused = tool.json("guard", "status")["refused_packets"]
    tool("account", "add", f"{PREFIX}02")
    tool("account", "remove", f"{PREFIX}02")
    tool("guard", "sync")
    assert tool.json("guard", "status")["refused_packets"] >= refused > 0


def test_accounts_made_at_once_are_all_in_the_set(tool):
    tool("guard", "on")
    names = [f"{PREFIX}{number:02d}" for number in range(1, 5)]
    running = [subprocess.Popen([tool.program, "account", "add", name], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE) for name in names]
    made = []
    for name, process in zip(names, running):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0 or b"egress guard" not in said
        if process.returncode == 0:  # else useradd did not get its lock in time
            made.append(name)
    assert made
    assert tool.json("guard", "status")["good"]
    assert {one["name"] for one in tool.json("guard", "status")["agents"]} == set(made)


# ---- the real sshd, as Debian configures it, without the project's snippet

SECRET = b"host secret\n"


@pytest.fixture
def service(tool):
    """A service on the loopback interface that greets with a secret."""
    server, port = serve_once("127.0.0.1")
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            if select.select([server], [], [], 0.1)[0]:
                connection = server.accept()[0]
                connection.sendall(SECRET)
                connection.close()
    thread = threading.Thread(target=serve)
    thread.start()
    yield port
    stop.set()
    thread.join()
    server.close()


class StandIn:
    """What Client needs to know of an account. Its login shell is a stand-in that runs every command on the host."""

    def __init__(self, tool, name, key):
        tool.shell.write_text('#!/bin/sh\nexec /bin/sh "$@"\n')
        tool("account", "add", name)
        # Without the options that account add writes, by which sshd would not forward: here the guard alone does.
        (tool.config / "keys" / name).write_text(pathlib.Path(f"{key}.pub").read_text())
        self.name, self.key = name, key
        self.uid = pwd.getpwnam(name).pw_uid


@pytest.fixture(scope="module")
def client_key(tmp_path_factory):
    return accounts.make_key(tmp_path_factory.mktemp("guard") / "key")


@pytest.fixture
def agent_account(tool, client_key):
    account = StandIn(tool, AGENT, client_key)
    yield account
    accounts.kill_all_of(account.uid)
    tool.shell.write_text("#!/bin/false\n")


@pytest.fixture
def server(tool, agent_account, tmp_path):
    extra = f"AuthorizedKeysFile {tool.config}/keys/%u\nGatewayPorts clientspecified"
    with Sshd(tmp_path, snippet=False, extra=extra) as running:
        yield running


def read_from(port, seconds=3):
    try:
        with socket.create_connection(("127.0.0.1", port), seconds) as connection:
            connection.settimeout(seconds)
            return connection.recv(100)
    except OSError:
        return b""


def by_stdio(client, service):
    return client.run(flags=["-W", f"127.0.0.1:{service}"]).stdout.encode()


def forwarding(client, *flags):
    """ssh with these flags and no command, once it is connected."""
    process = client.popen("echo up; sleep 60", flags=["-o", "ExitOnForwardFailure=no", *flags])
    assert process.stdout.readline() == b"up\n"
    return process


def by_local(client, service):
    port = free_port()
    process = forwarding(client, "-L", f"127.0.0.1:{port}:127.0.0.1:{service}")
    try:
        return read_from(port)
    finally:
        end(process)


def by_dynamic(client, service):
    port = free_port()
    process = forwarding(client, "-D", f"127.0.0.1:{port}")
    try:
        with socket.create_connection(("127.0.0.1", port), 3) as proxy:
            proxy.settimeout(3)
            proxy.sendall(b"\x05\x01\x00")
            assert proxy.recv(2) == b"\x05\x00"
            proxy.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + service.to_bytes(2, "big"))
            proxy.recv(10, socket.MSG_WAITALL)
            return proxy.recv(100)
    except OSError:
        return b""
    finally:
        end(process)


def by_remote(client, service):
    port = free_port()
    process = forwarding(client, "-R", f"127.0.0.1:{port}:127.0.0.1:{service}")
    try:
        return read_from(port)
    finally:
        end(process)


def by_remote_for_everybody(client, service):
    """More connections at once than sshd's listener has room for."""
    port = free_port()
    process = forwarding(client, "-R", f"0.0.0.0:{port}:127.0.0.1:{service}")
    try:
        rushing = []
        for _ in range(140):
            rushing.append(socket.socket())
            rushing[-1].setblocking(False)
            rushing[-1].connect_ex(("127.0.0.1", port))
        got = read_from(port, 10)
        for connection in rushing:
            connection.close()
        return got
    finally:
        end(process)


WAYS = {"-W": by_stdio, "-L": by_local, "-D": by_dynamic, "-R": by_remote, "-R, a rush": by_remote_for_everybody}


class TestSshd:
    @pytest.mark.parametrize("way", WAYS)
    def test_forwarding(self, tool, server, agent_account, service, way):
        """Open without the guard, shut with it, and open again."""
        client = Client(server, agent_account)
        assert WAYS[way](client, service) == SECRET
        tool("guard", "on")
        assert WAYS[way](client, service) == b""
        tool("guard", "off")
        assert WAYS[way](client, service) == SECRET

    def test_x11(self, tool, server, agent_account):
        """sshd listens for X11 clients with the agent's uid."""
        need_program("xauth")
        tool("guard", "on")
        argv = Client(server, agent_account).command("sleep 20", flags=["-X"])
        process = subprocess.Popen(argv, env=environment(DISPLAY="127.0.0.1:77"), stdin=subprocess.DEVNULL)
        try:
            time.sleep(2)
            assert not [port for port in range(6000, 6020) if listening(port)]
        finally:
            end(process)

    def test_sessions_work(self, tool, server, agent_account):
        tool("guard", "on")
        client = Client(server, agent_account)
        done = client.run("cat; id -u; exit 7", input="x" * 1_000_000)
        assert done.returncode == 7 and done.stdout == "x" * 1_000_000 + f"{agent_account.uid}\n"
        terminal = client.spawn()
        terminal.sendline("echo in-$((40+2))")
        terminal.expect("in-42")
        terminal.sendline("exit")
        terminal.expect(["closed", "exit", terminal.terminator if hasattr(terminal, "terminator") else "logout"])
        terminal.close(force=True)

    def test_a_session_outlives_the_guard_being_loaded(self, tool, server, agent_account):
        process = Client(server, agent_account).popen("cat", stdin=subprocess.PIPE)
        try:
            for verb in ("on", "on", "sync", "off", "on"):
                process.stdin.write(verb.encode() + b"\n")
                process.stdin.flush()
                assert process.stdout.readline() == verb.encode() + b"\n"
                tool("guard", verb)
        finally:
            end(process)

    def test_the_connection_belongs_to_root(self, tool, server, agent_account):
        """sshd's process has the agent's uid, the socket that it talks through has not."""
        tool("guard", "on")
        process = Client(server, agent_account).popen("echo up; sleep 20")
        try:
            assert process.stdout.readline() == b"up\n"
            below = [one for one in host.descendants(server.process.pid) if one.uid == agent_account.uid]
            assert [one for one in below if "sshd" in one.name]
            table = pathlib.Path("/proc/self/net/tcp").read_text().splitlines()[1:]
            fields = [line.split() for line in table]
            mine = [one for one in fields if int(one[1].split(":")[1], 16) == server.port and one[3] == "01"]
            assert mine and all(one[7] == "0" for one in mine)
        finally:
            end(process)

    def test_what_runs_on_the_host_as_the_agent_has_no_network(self, tool, server, agent_account, service):
        """The stand-in shell runs commands outside of an isolation: what a hole would give an agent."""
        client = Client(server, agent_account)
        command = f"bash -c 'cat </dev/tcp/127.0.0.1/{service}'"
        assert client.run(command).stdout.encode() == SECRET
        tool("guard", "on")
        done = client.run(command)
        assert done.stdout == "" and "refused" in done.stderr

    def test_others_forward_as_before(self, tool, server, agent_account, service):
        tool("guard", "on")
        make_person(f"{PREFIX}03")
        person = type("Person", (), {"name": f"{PREFIX}03", "key": agent_account.key})
        (tool.config / "keys" / person.name).write_text(pathlib.Path(f"{agent_account.key}.pub").read_text())
        for way in WAYS.values():
            assert way(Client(server, person), service) == SECRET


class TestWithAgentsh:
    """The installed agentsh, in a network namespace: the jail's own network is not the guard's business."""

    def test_a_real_session(self, installed, work, agent):
        need_program("nft", "nftables")
        with netns.inside():
            host.run(host.CTL, "guard", "on", check=True)
            with Sshd(work / "guarded", snippet=False, extra="AuthorizedKeysFile /etc/agentsh/keys/%u") as running:
                client = Client(running, agent)
                server, port = serve_once("127.0.0.1")
                with server:
                    assert client.run(flags=["-W", f"127.0.0.1:{port}"]).stdout == ""
                done = client.run("python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); "
                                  "c = socket.create_connection(s.getsockname()); c.send(b\"x\"); "
                                  "print(s.accept()[0].recv(1))'")
                assert done.stdout == "b'x'\n", done.stderr
