"""sshd's sixteen side doors, each shown open with what shuts it taken away, and shut by each measure alone.

Everything of agentsh's that bears on a door is a field of World; its defaults are a host on which nothing of it was
done: Debian's own sshd_config, a key that root put into the passwd home, no egress guard. The jail and the login shell
are there all the same: these doors do not pass them. The table is printed at the end.
"""
import contextlib
import dataclasses
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import threading
import time
import typing

import accounts
import host
import installation
import netns
import pytest
from need import need, need_program
from sshd import PACKAGED, Client, Sshd, debians, end, environment, free_port, listening

SECRET = b"host secret\n"
MARKER = pathlib.Path("/var/tmp/agtest-side-door")
SOCKET = pathlib.Path(f"/tmp/agtest-side-door-{os.getpid()}.sock")
EVERY_KEY = "AuthorizedKeysFile /etc/agentsh/keys/%u"


@dataclasses.dataclass(frozen=True)
class World:
    snippet: bool = False           # sshd_config.d/50-agentsh.conf
    keys: str = "home"              # "home": root's, in the passwd home; "file": keys/NAME; "options": that by
                                    # agentshctl; "both": in the home, and that
    extra: str = ""                 # more lines of sshd_config
    sftp: str = ""                  # instead of Debian's
    use_pam: str = "yes"
    sshd: str = "any"               # [account] sshd
    guard: bool = False
    naive: bool = False             # the home that the agent writes is the passwd home
    dynamic: bool = False           # the login shell is no static program
    omit: str = ""                  # a check of the monitor's
    shells: bool = False            # agentsh stands in /etc/shells
    shell: str = ""                 # another login shell
    password: bool = False          # the account has one


SNIPPET = {"snippet": True, "keys": "file"}
OPTIONS = {"extra": EVERY_KEY, "keys": "options"}
LOGIN = {"sshd": "strict"}
GUARD = {"guard": True}
# The measures that shut what sshd does by itself. "ssh login" is the monitor's own look at how sshd let somebody in.
SSHD = {"snippet": SNIPPET, "key's options": OPTIONS, "ssh login": LOGIN}
LD = "AcceptEnv *"


class Scene:
    """A world that stands: an account, an sshd, a service on the host."""

    def __init__(self, world, agent, server, service, work, plain):
        self.world, self.agent, self.server, self.service = world, agent, server, service
        self.work, self.plain = work, plain
        self.client = Client(server, agent) if server else None

    def forward(self, *flags):
        return self.client.popen(flags=["-N", "-o", "ExitOnForwardFailure=yes", *flags])


def greets(port, seconds=2):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.settimeout(seconds)
        return connection.recv(100) == SECRET
    return False


def while_running(process, condition, seconds):
    """Whether the condition comes true before the process ends or the time is over."""
    try:
        host.wait_until(lambda: condition() or process.poll() is not None, seconds)
        return bool(condition())
    finally:
        end(process)


# ---- the doors: each returns whether it is open

def tcp(scene):
    return scene.client.run(flags=["-W", f"127.0.0.1:{scene.service}"]).stdout.encode() == SECRET


def remote_tcp(scene):
    port = free_port()
    return while_running(scene.forward("-R", f"{port}:127.0.0.1:{scene.service}"), lambda: greets(port, 0.5), 2.5)


def unix_socket(scene):
    """A socket of the host is reached, and sees the agent's uid."""
    peers = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(SOCKET))
        SOCKET.chmod(0o777)
        server.listen()

        def serve():
            while not peers or peers[-1] != 0:
                connection, _ = server.accept()
                with connection, contextlib.suppress(BrokenPipeError):
                    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                    peers.append(int.from_bytes(credentials[4:8], "little"))
                    connection.sendall(SECRET)
        thread = threading.Thread(target=serve)
        thread.start()
        port = free_port()
        process = scene.forward("-L", f"{port}:{SOCKET}")
        try:
            host.wait_until(lambda: listening(port) or process.poll() is not None, 6)
            greets(port)
        finally:
            end(process)
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(SOCKET))
        thread.join()
    SOCKET.unlink()
    return scene.agent.uid in peers


def remote_unix_socket(scene):
    try:
        return while_running(scene.forward("-R", f"{SOCKET}:127.0.0.1:{scene.service}"), SOCKET.exists, 4)
    finally:
        SOCKET.unlink(missing_ok=True)


def agent_socket(scene):
    """sshd makes a socket for the client's agent on the host, with the agent's uid."""
    own = scene.work / "ssh-agent.sock"
    daemon = subprocess.Popen(["ssh-agent", "-D", "-a", own], stdout=subprocess.DEVNULL)
    try:
        host.wait_until(own.exists, 5)

        def there():
            return {path for path in pathlib.Path("/tmp").glob("ssh-*") if path.stat().st_uid == scene.agent.uid}

        before = there()  # what an sshd that was killed has left

        def made():
            return there() - before
        process = scene.client.popen("sleep 1", flags=["-A"], env=environment(SSH_AUTH_SOCK=str(own)))
        return while_running(process, made, 6)
    finally:
        end(daemon)
        own.unlink(missing_ok=True)


def x11(scene):
    need_program("xauth")
    process = scene.client.popen("sleep 1", flags=["-X"], env=environment(DISPLAY="127.0.0.1:77"))
    return while_running(process, lambda: listening(6010), 4)


def marked(scene):
    """Whether code of the agent's has run on the host since the last look."""
    there = MARKER.exists() and MARKER.stat().st_uid == scene.agent.uid
    MARKER.unlink(missing_ok=True)
    return there


def planted(scene, *names):
    """Files that the agent writes into its home, and a library of its own."""
    library = scene.agent.install(library_that_marks(scene.work), "planted.so")
    path = f"{scene.agent.home}/{library.name}"
    texts = {".pam_environment": f"LD_PRELOAD DEFAULT={path}\n", ".ssh/rc": "true\n",
             ".ssh/environment": f"LD_PRELOAD={path}\n"}
    for name in names:
        scene.agent.write(name, texts[name])
    try:
        scene.client.run("true")
        return marked(scene)
    finally:
        for name in (*names, library.name):
            (scene.agent.data / name).unlink()


def rc_and_pam_environment(scene):
    """/bin/sh, which sshd runs for ~/.ssh/rc, loads the agent's library on the host."""
    return planted(scene, ".pam_environment", ".ssh/rc")


def pam_environment(scene):
    return planted(scene, ".pam_environment")


def accepted_environment(scene):
    """The client sets a variable of programs on the host. The library is one that lies there."""
    library = library_that_marks(scene.work)
    Client(scene.server, scene.agent, options=[f"SetEnv=LD_PRELOAD={library}"]).run("true")
    return marked(scene)


def user_environment(scene):
    return planted(scene, ".ssh/environment")


def key_from_inside(scene):
    stranger = scene.work / "stranger"
    if not stranger.exists():
        accounts.make_key(stranger)
    text = pathlib.Path(f"{stranger}.pub").read_text().strip()
    before = scene.agent.data / ".ssh/authorized_keys"
    kept = before.read_text() if before.exists() else None
    done = scene.client.run(f"mkdir -p -m 700 ~/.ssh && echo '{text}' >>~/.ssh/authorized_keys && echo written")
    assert done.stdout == "written\n", done.stderr
    try:
        return Client(scene.server, scene.agent, key=stranger).run("echo in-$((40+2))").stdout == "in-42\n"
    finally:
        before.write_text(kept) if kept is not None else before.unlink()


def internal_sftp(scene):
    done = host.run("sftp", "-b", "-", *scene.client.options("-P"), scene.client.address, env=environment(),
                    input=f"ls /var/lib/dpkg\nput /etc/hostname {MARKER}\n")
    wrote = marked(scene)
    assert wrote == ("/var/lib/dpkg/status" in done.stdout)
    return wrote


def service(name):
    """A PAM application that would run something for the agent gets a yes, in both phases."""
    def door(scene):
        need_program("pamtester")
        said = {host.run("pamtester", name, scene.agent.name, phase).returncode == 0
                for phase in ("acct_mgmt", "open_session")}
        assert len(said) == 1
        return said.pop()
    return door


# cron with a /run and crontabs of its own: jobs of the boot are run at once, and nobody else's.
CRON = """
mkdir -p {0}/cron/tabs {0}/cron/run
chown root:crontab {0}/cron/tabs && chmod 1730 {0}/cron/tabs
mount --bind {0}/cron/tabs /var/spool/cron/crontabs
mount --bind /run/agentsh {0}/cron/run
mount -t tmpfs -o mode=755 none /run
mkdir -m 711 /run/agentsh
mount --bind {0}/cron/run /run/agentsh
for user in {1}; do printf '@reboot touch %s.%s\\n' {2} $user | crontab -u $user -; done
exec cron -f
"""


def cron(scene):
    need_program("cron")
    script = CRON.format(scene.work, f"{scene.agent.name} {scene.plain.name}", MARKER)
    marks = {user.name: pathlib.Path(f"{MARKER}.{user.name}") for user in (scene.agent, scene.plain)}
    daemon = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-ec", script],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if not host.wait_until(lambda: marks[scene.plain.name].exists() or daemon.poll() is not None, 10):
            daemon.terminate()
        assert marks[scene.plain.name].exists(), f"cron runs no job at all: {daemon.communicate()[1]}"
        return bool(host.wait_until(marks[scene.agent.name].exists, 1.5))
    finally:
        end(daemon)
        for path in marks.values():
            path.unlink(missing_ok=True)


def as_plain(scene, argv, mounts, **kwargs):
    """A command of another user's of this machine."""
    user = ["setpriv", f"--reuid={scene.plain.uid}", f"--regid={scene.plain.gid}", "--clear-groups", *argv]
    script = f"{mounts}\nexec {shlex.join(map(str, user))}"
    return host.run("unshare", "-m", "--propagation", "private", "sh", "-ec", script, env=environment(), **kwargs)


def other_shell_by_su(scene):
    """Somebody who knows the account's password."""
    shells = scene.work / "shells"
    shells.write_text("/bin/sh\n/bin/bash\n" + (f"{host.SHELL}\n" if scene.world.shells else ""))
    accounts.set_password(scene.agent.name)
    try:
        as_plain(scene, ["su", "-s", "/bin/sh", scene.agent.name, "-c", f"touch {MARKER}"],
                 f"mount --bind {shells} /etc/shells", input=f"{accounts.PASSWORD}\n")
    finally:
        host.run("passwd", "-l", scene.agent.name, check=True)
    return marked(scene)


def sudo(scene):
    need_program("sudo")
    host.run("sudo", "-n", "-u", scene.agent.name, "touch", MARKER)
    return marked(scene)


def by_root(scene):
    """Not a door but root's own hand: nothing asks the module, or what it asks is whether root may be root."""
    host.run("runuser", "-u", scene.agent.name, "touch", MARKER, check=True)
    first = marked(scene)
    host.run("su", "-s", "/bin/sh", scene.agent.name, "-c", f"touch {MARKER}")
    return first and marked(scene)


def without_pam(scene):
    scene.client.run(f"touch {MARKER}")
    return marked(scene)


def library_that_marks(work):
    library = work / "marks.so"
    if not library.exists():
        (work / "marks.c").write_text(f"""
            #include <fcntl.h>
            #include <unistd.h>
            __attribute__((constructor)) static void mark(void)
            {{
                    close(open("{MARKER}", O_CREAT | O_WRONLY, 0666));
            }}""")
        host.run("gcc", "-shared", "-fPIC", "-o", library, work / "marks.c", check=True)
    return library


@dataclasses.dataclass
class Door:
    name: str
    is_open: typing.Callable
    without: dict = dataclasses.field(default_factory=dict)   # the world without any measure against it
    shut_by: dict = dataclasses.field(default_factory=dict)   # measure: what it changes


HOME = {"home is root's": {"naive": False, "keys": "home"}}
NAIVE = {"naive": True}
SERVICES = {"omit": "services"}
LISTED = {"PAM service list": {"omit": ""}}

DOORS = {
    "1": Door("ssh -L, -D, -W", tcp, {}, {**SSHD, "guard": GUARD}),
    "2": Door("ssh -R", remote_tcp, {}, {**SSHD, "guard": GUARD}),
    "3": Door("-L to a unix socket", unix_socket, {}, SSHD),
    "4": Door("-R of a unix socket", remote_unix_socket, {}, SSHD),
    "5": Door("ssh -A", agent_socket, {}, SSHD),
    "6": Door("ssh -X", x11, {}, {**SSHD, "guard": GUARD}),
    "7": Door(".pam_environment and .ssh/rc", rc_and_pam_environment, NAIVE, {**SSHD, **HOME}),
    "8": Door(".pam_environment", pam_environment, {**NAIVE, "dynamic": True},
              {"static login shell": {"dynamic": False}, **HOME}),
    "9": Door("AcceptEnv *", accepted_environment, {"extra": LD, "dynamic": True},
              {"static login shell": {"dynamic": False}, "snippet": {**SNIPPET, "extra": LD}}),
    "9 b": Door("PermitUserEnvironment, .ssh/environment", user_environment,
                {**NAIVE, "extra": "PermitUserEnvironment yes", "dynamic": True},
                {"static login shell": {"dynamic": False}, **HOME}),
    "10": Door("a key added from inside", key_from_inside, NAIVE, {**SSHD, "ssh login": {**LOGIN, "keys": "both"}, **HOME}),
    "11": Door("internal-sftp", internal_sftp, {"sftp": "internal-sftp"}, SSHD),
    "12": Door("systemd --user", service("systemd-user"), SERVICES, LISTED),
    "13": Door("cron", cron, SERVICES, LISTED),
    "13 b": Door("at", service("atd"), SERVICES, LISTED),
    "14": Door("su -s, by who knows the password", other_shell_by_su, {"shells": True},
               {"not in /etc/shells": {"shells": False}}),
    "15": Door("sudo -u", sudo, SERVICES, LISTED),
    "16": Door("UsePAM no", without_pam, {"use_pam": "no", "shell": "/bin/sh", "password": True},
               {"login shell asks for a session": {"shell": ""}, "no password": {"password": False}}),
}
NO_SSHD = {"12", "13", "13 b", "14", "15"}


def merge(without, change):
    """One more line of sshd_config does not take away the other."""
    lines = [part["extra"] for part in (without, change) if "extra" in part]
    return World(**{**without, **change, "extra": "\n".join(dict.fromkeys(lines))})


CASES = [(number, None) for number in DOORS] + [(number, measure) for number, door in DOORS.items()
                                               for measure in door.shut_by]


# ---- making a world

@pytest.fixture(scope="module")
def net(installed):
    """A network of its own, for the guard's sake."""
    need(PACKAGED.exists(), f"{PACKAGED} is Debian's", reference_machine=True)
    need_program("nft", "nftables")
    with netns.inside():
        yield


@pytest.fixture(scope="module")
def secret_service(net):
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(BrokenPipeError):
                    connection.sendall(SECRET)
    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


@pytest.fixture(scope="module")
def dynamic_shell(work, faults_monitor):
    """The login shell linked like any other program."""
    objects = faults_monitor.parent / "shell"
    # make/objects.mk: what agentsh is made of; the rest of shell/ are other programs' parts.
    others = ("init", "relay", "guest", "frame", "mux", "endpoint", "transport")
    parts = [path for path in sorted(objects.glob("*.o")) if not path.name.startswith(others)]
    program = work / "agentsh-dynamic"
    host.run("gcc", "-pie", "-o", program, *parts, objects.parent / "libcommon.a", check=True)
    return program


def place_keys(world, agent, raw):
    """The key where the world has it, and nowhere else. The account's own file is as `account add` wrote it, or bare."""
    keys = host.CONFIG / "keys" / agent.name
    own = pathlib.Path(agent.home) / ".ssh"
    if world.keys == "file":
        keys.write_text(raw)
    elif world.keys == "home":
        keys.unlink()
    if world.naive:
        agent.write(".ssh/authorized_keys", raw if world.keys in ("home", "both") else "", 0o600)
    elif world.keys == "home":
        own.mkdir(mode=0o755)
        (own / "authorized_keys").write_text(raw)


def remove_keys(agent, written):
    keys = host.CONFIG / "keys" / agent.name
    keys.write_bytes(written)
    shutil.rmtree(pathlib.Path(agent.home) / ".ssh", ignore_errors=True)
    shutil.rmtree(agent.data / ".ssh", ignore_errors=True)


def mounts_of(world, agent, work, dynamic):
    lines = []
    if world.naive:
        lines.append(f"mount --bind {agent.data} {agent.home}")
    if world.dynamic:
        lines.append(f"mount --bind {dynamic} {host.SHELL}")
    if world.shell:
        lines += [f"sed '/^{agent.name}:/s|[^:]*$|{world.shell}|' /etc/passwd >{work}/passwd",
                  f"mount --bind {work}/passwd /etc/passwd"]
    return "\n".join(lines) or None


@pytest.fixture(scope="module")
def servers(work, net):
    """One sshd for each configuration, started when first asked for."""
    running = {}

    def get(world, mounts):
        key = (world.snippet, world.extra, world.sftp, world.use_pam, mounts)
        if key not in running:
            template = debians(world.snippet, world.sftp).replace("UsePAM yes", f"UsePAM {world.use_pam}")
            running[key] = Sshd(work / f"door{len(running)}", snippet=world.snippet, extra=world.extra,
                                template=template, mounts=mounts)
        return running[key]
    yield get
    for server in running.values():
        server.stop()


def end_all(uid):
    """What ran on the host: xauth comes late, and waits for a lock. True when two looks found none."""
    for _ in range(2):
        if host.processes_of(uid):
            accounts.kill_all_of(uid)
            return False
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def guard():
    host.run(host.CTL, "guard", "on", check=True)
    try:
        yield
    finally:
        host.run(host.CTL, "guard", "off", check=True)


@pytest.fixture
def scene(request, work, agent, plain, secret_service, servers, key, faults_monitor):
    number, measure = request.param
    door = DOORS[number]
    world = merge(door.without, door.shut_by[measure] if measure else {})
    agent.policy({"account": {"sshd": world.sshd}})
    written = (host.CONFIG / "keys" / agent.name).read_bytes()
    dynamic = request.getfixturevalue("dynamic_shell") if world.dynamic else None
    MARKER.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        stack.callback(remove_keys, agent, written)
        if world.guard:
            stack.enter_context(guard())
        if world.omit:
            stack.enter_context(installation.Listener(work, program=faults_monitor,
                                                      variables={"AGENTSH_OMIT": world.omit}))
        if world.password:
            accounts.set_password(agent.name)
            stack.callback(host.run, "passwd", "-l", agent.name, check=True)
        server = None
        if number not in NO_SSHD:
            place_keys(world, agent, pathlib.Path(f"{key}.pub").read_text())
            server = servers(world, mounts_of(world, agent, work, dynamic))
        yield Scene(world, agent, server, secret_service, work, plain)
    host.wait_until(lambda: end_all(agent.uid), 6)


# ---- the tests

@pytest.fixture(scope="module")
def seen(request):
    """What was seen of each door; the table."""
    found = {number: {} for number in DOORS}
    yield found
    lines = [f"{'':6}{'door':42}{'open without':14}shut by"]
    for number, door in DOORS.items():
        verdict = {True: "yes", False: "NO", None: "-"}[found[number].get(None)]
        shut = [measure for measure, is_open in found[number].items() if measure and not is_open]
        lines.append(f"{number:6}{door.name:42}{verdict:14}{', '.join(shut)}")
    lines.append(f"{'':6}{'su -s, runuser, setpriv by root':42}{'yes':14}nothing: root's own decision")
    manager = request.config.pluginmanager.getplugin("capturemanager")
    with manager.global_and_fixture_disabled():
        print("\n" + "\n".join(lines))


def test_all_are_here():
    assert {number.split()[0] for number in DOORS} == {str(number) for number in range(1, 17)}
    assert all(door.shut_by for door in DOORS.values())


@pytest.mark.parametrize("scene", CASES, indirect=True, ids=[f"{n}-{m or 'open'}".replace(" ", "_") for n, m in CASES])
def test_door(scene, seen, request):
    number, measure = request.node.callspec.params["scene"]
    is_open = DOORS[number].is_open(scene)
    seen[number][measure] = is_open
    if measure is None:
        assert is_open, "the test does not see this door"
    else:
        assert not is_open, f"{measure} does not shut it"


@pytest.mark.parametrize("scene", [("15", "PAM service list")], indirect=True, ids=["root"])
def test_roots_own_hand(scene):
    """Documented as open: it must not look shut."""
    assert by_root(scene)


@pytest.mark.parametrize("snippet", [False, True], ids=["without_the_snippet", "with_it"])
def test_as_installed(servers, agent, secret_service, work, plain, snippet):
    """Nothing taken away. With the snippet the account is used as ever; without it sshd finds no key to let it in by."""
    server = servers(World(snippet=snippet), None)
    done = Client(server, agent).run("echo in-$((40+2))")
    assert (done.stdout == "in-42\n") is snippet, done.stderr
    scene = Scene(World(), agent, server, secret_service, work, plain)
    for door in (tcp, remote_tcp, unix_socket, remote_unix_socket, internal_sftp):
        assert not door(scene), door.__name__
