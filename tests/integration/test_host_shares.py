"""What agents and the host's own programs draw from one pool of the kernel's: an agent must not empty it for root."""
import ctypes
import os
import subprocess

from sshd import environment

TAKE_ALL = """
import ctypes, time
libc = ctypes.CDLL(None)
taken = 0
while libc.inotify_init() >= 0:
    taken += 1
print(taken, flush=True)
input()
"""


class TestKernelPools:
    def test_inotify_instances_are_the_agents_own(self, agent):
        session = subprocess.Popen(["su", "-", agent.name, "-c", f"exec python3 -c '{TAKE_ALL}'"], env=environment(),
                                   text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert int(session.stdout.readline()) > 0
            libc = ctypes.CDLL(None)
            fd = libc.inotify_init()
            assert fd >= 0, "an agent has left root without inotify instances"
            os.close(fd)
        finally:
            session.stdin.write("\n")
            session.stdin.close()
            session.wait(10)
