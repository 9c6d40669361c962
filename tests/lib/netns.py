"""A network namespace for tests: whatever is done to packet filters, sysctls and interfaces stays in it."""
import contextlib
import ctypes
import os
import subprocess

import host

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# The host's end of the cable, and the far end.
HERE, THERE = "10.99.0.1", "10.99.0.2"
HERE6, THERE6 = "fd99::1", "fd99::2"


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def inside():
    """This thread, and all that it starts, are in a new namespace with a loopback interface; then back again."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    checked(LIBC.unshare(CLONE_NEWNET))
    try:
        host.run("ip", "link", "set", "lo", "up", check=True)
        yield
    finally:
        checked(LIBC.setns(before, CLONE_NEWNET))
        os.close(before)


@contextlib.contextmanager
def other_host():
    """From inside(): a second namespace at the other end of a cable, with a process in it. Gives the process's pid."""
    far = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 3600"],
                           stdout=subprocess.PIPE)
    try:
        assert far.stdout.readline() == b"up\n"
        host.run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(far.pid),
                 check=True)
        near, remote = [], ["nsenter", "-t", str(far.pid), "-n"]
        for prefix, name, v4, v6 in ((near, "here", HERE, HERE6), (remote, "there", THERE, THERE6)):
            host.run(*prefix, "ip", "addr", "add", f"{v4}/24", "dev", name, check=True)
            host.run(*prefix, "ip", "addr", "add", f"{v6}/64", "dev", name, "nodad", check=True)
            host.run(*prefix, "ip", "link", "set", name, "up", check=True)
        yield far.pid
    finally:
        far.kill()
        far.wait()
        far.stdout.close()


def in_other(pid, function):
    """The function's result, called in the namespace of the process."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(LIBC.setns(there, CLONE_NEWNET))
        return function()
    finally:
        checked(LIBC.setns(before, CLONE_NEWNET))
        os.close(there)
        os.close(before)
