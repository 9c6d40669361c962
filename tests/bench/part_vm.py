"""A session in a virtual machine, beside the cold boot of the same guest, and of one that starts from Debian's bzImage."""
import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import lab as labs
from part_many import memory
from part_session import SHELL, TIMER, timed
from part_ssh import Master, SSH
from rounds import Contender, Row, measure

sys.path.insert(0, str(labs.TOP / "tests/lib"))
import guest  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS, COLD_ROUNDS, SESSIONS, MIB = 20, 5, 10, 64
BOOT_SECONDS = 60
# The relay's hello (shell/frame.h): size of the payload, channel, type, flags; magic, version. The guest answers it.
HELLO = struct.pack("=IHBBII", 8, 0, 1, 0, 0x41475347, 1)
CTL = "/usr/local/sbin/agentshctl"
COMMAND = "echo ."  # `true`, heard
POLICY = """\
[account]
tier = vm
services = su su-l sshd
max_sessions = 50
[root]
source = image:{root}
[home]
mode = ephemeral
size = 16M
[vm]
accel = {accel}
kernel = {kernel}
[limits]
memory = 1G
cpus = 0
tmp = 128M
"""


def accelerator():
    """KVM where the tier would take it."""
    done = subprocess.run([CTL, "vm", "build", "--accel", "kvm", "--kernel", str(guest.kernel())], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)
    return "kvm" if done.returncode == 0 else "tcg"


def prepare(lab):
    """What root keeps for the guests; the policy of the account. The kernel and the accelerator."""
    place = lab.directory / "vm"
    place.mkdir(mode=0o755)
    # No link on the way, as the policy wants it.
    kernel = guest.kernel()
    shutil.copytree(kernel.parent, place / "boot")
    modules = kernel.parent.parent / "lib/modules"
    shutil.copytree(modules if modules.exists() else "/usr/lib/modules", place / "lib/modules", symlinks=True)
    guest.root_image(place / "root.erofs", guest.root_tree(place / "root"))
    accel = accelerator()
    path = f"/etc/agentsh/accounts/{labs.AGENT}.ini"
    with open(path, "w", encoding="utf-8") as file:
        file.write(POLICY.format(root=place / "root.erofs", accel=accel, kernel=place / "boot" / kernel.name))
    return place / "boot" / kernel.name, accel


class Cold:
    """The guest that a template is made of, as QEMU was started for it: taken from a build that runs."""

    def __init__(self, lab, kernel, accel):
        self.directory = lab.directory / "cold"
        self.directory.mkdir()
        self.argv = None
        labs.run(CTL, "vm", "remove", "--all")
        taker = threading.Thread(target=self.take)
        taker.start()
        labs.run(CTL, "vm", "build", "--accel", accel, "--kernel", kernel)
        taker.join()
        if self.argv is None:
            raise labs.LabError("the build's QEMU was not seen")
        self.bzimage = kernel

    def take(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline and self.argv is None:
            for entry in os.listdir("/proc"):
                with contextlib.suppress(OSError):
                    if entry.isdigit():
                        self.copy(entry)
            time.sleep(0.01)

    def copy(self, pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = file.read().decode().split("\0")[:-1]
        if not argv or "qemu-system" not in argv[0] or "-kernel" not in argv:
            return
        for option in ("-kernel", "-initrd"):
            shutil.copy(f"/proc/{pid}/fd/{argv[argv.index(option) + 1].rsplit('/', 1)[1]}", self.directory / option[1:])
        self.argv = argv

    def boot(self, argv):
        """Seconds until the guest's first program says hello on its channel."""
        ours, theirs = socket.socketpair()
        ours.sendall(HELLO)
        ram = os.open(self.directory / "ram", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.ftruncate(ram, 256 << 20)
        qmp = socket.socketpair()
        moved = {3: theirs.fileno(), 4: qmp[1].fileno(), 5: ram}
        began = time.monotonic()
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              close_fds=False, preexec_fn=lambda: place_fds(moved)) as process:
            theirs.close()
            ours.settimeout(BOOT_SECONDS)
            try:
                if not ours.recv(1):
                    raise labs.LabError("QEMU ended before its guest said hello")
                return time.monotonic() - began
            except TimeoutError as error:
                raise labs.LabError(f"no hello within {BOOT_SECONDS} s") from error
            finally:
                process.kill()
                os.close(ram)
                for one in (ours, *qmp):
                    one.close()

    def with_kernel(self, kernel):
        argv = [*self.argv]
        argv[argv.index("-kernel") + 1] = str(kernel)
        argv[argv.index("-initrd") + 1] = str(self.directory / "initrd")
        return {"first": self.boot(argv)}

    def same(self):
        return self.with_kernel(self.directory / "kernel")

    def from_bzimage(self):
        """Debian's bzImage as it is, which firmware starts and which unpacks itself."""
        return self.with_kernel(self.bzimage)


def place_fds(moved):
    """In the child: each at its number, above what others have first."""
    high = {number: os.dup(fd) for number, fd in moved.items()}
    for number, fd in high.items():
        os.dup2(fd, number)


def login():
    return timed("pam", "su", labs.AGENT, SHELL, "agentsh", "-c", COMMAND)


def held(count, progress):
    """`count` sessions kept: seconds to the first byte of each, and PSS of all their processes together."""
    process = subprocess.Popen([TIMER, "hold", str(count), "su", labs.AGENT, SHELL, "agentsh", "-c",
                                "echo .; exec sleep 100000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    times = []
    for line in process.stdout:
        if line.strip() == "held":
            break
        times.append(float(line) / 1e6)
        progress(len(times), count)
    if len(times) != count:
        raise labs.LabError(f"only {len(times)} of {count} machines could be had")
    time.sleep(2)
    sizes = {"QEMU": 0, "the rest": 0}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read()
            if re.search(rb"qemu-system|agentsh", words) and b"timer" not in words and b"--listen" not in words:
                sizes["QEMU" if b"qemu-system" in words else "the rest"] += memory(entry)[0]
    process.stdin.close()
    process.wait(60)
    return times, sizes


def through(master, command, **streams):
    began = time.monotonic()
    done = subprocess.run([SSH, *master.argv(), command], stderr=subprocess.PIPE, check=False, **streams)
    if done.returncode != 0:
        raise labs.LabError(f"{command}: status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return time.monotonic() - began


def bulk(lab, progress):
    lab.start_sshd()
    master = Master(lab, labs.AGENT)
    data = os.urandom(MIB << 20)
    further, inwards, outwards = [], [], []
    through(master, f"head -c {MIB << 20} /dev/zero > /tmp/f", stdin=subprocess.DEVNULL)
    for number in range(3):
        inwards.append(MIB / through(master, "cat > /dev/null", input=data))
        outwards.append(MIB / through(master, "cat /tmp/f", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        progress(number + 1, 3)
    for _ in range(ROUNDS):
        further.append(through(master, COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    master.close()
    return further, inwards, outwards


def run(lab, rounds, progress):
    kernel, accel = prepare(lab)
    cold = Cold(lab, kernel, accel)
    warm = Contender("login", "", login)
    measure([warm], min(rounds, ROUNDS), progress=progress)
    colds = [Contender("same", "", cold.same), Contender("bzImage", "", cold.from_bzimage)]
    measure(colds, COLD_ROUNDS, warmup=1, progress=progress)
    times, sizes = held(SESSIONS, progress)
    further, inwards, outwards = bulk(lab, progress)
    first, same, compressed = warm.values("first"), colds[0].values("first"), colds[1].values("first")
    return [
        Row(f"cold boot of the same guest ({accel})", "QEMU microvm to its first program's hello; no disk, no channel", same, "s"),
        Row("cold boot with Debian's bzImage", "the same machine and initrd, to the same hello", compressed, "s", same, "same guest"),
        Row(f"agentsh: login to first byte ({accel})", "PAM session in a restored machine, bash -c", first, "s", same,
            "same guest, cold", ("<=", 0.1)),
        Row("agentsh: login, start to end", "with close_session", warm.values("closed"), "s"),
        Row(f"sessions 1 to {SESSIONS}, all kept: first byte", "the same", times, "s"),
        Row("memory per session: QEMU", "PSS of ten, by ten", [sizes["QEMU"] / SESSIONS / 1024], "MiB PSS"),
        Row("memory per session: the rest", "monitor, relay, login shell", [sizes["the rest"] / SESSIONS / 1024], "MiB PSS"),
        Row("further channel in a running machine", "ssh over an open ControlMaster, start to end", further, "s"),
        Row(f"ssh host 'cat > /dev/null', {MIB} MiB", "into the machine", inwards, "MiB/s"),
        Row(f"ssh host cat, {MIB} MiB", "out of the machine", outwards, "MiB/s"),
    ]
