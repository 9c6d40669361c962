"""pytest plugin (-p patience): on a slow machine the time limits that tests give to subprocess, socket and pexpect are
longer, by AGENTSH_TEST_PATIENCE. host.wait_until has its own. One place, so that no test has to think of it."""
import socket
import subprocess

import pexpect.expect

import host


def longer(seconds):
    return None if seconds is None else seconds * host.PATIENCE


class Popen(subprocess.Popen):
    """`communicate` calls `wait` with what is left of its own time: that is long enough as it is."""

    communicating = False

    def wait(self, timeout=None):
        return super().wait(timeout if self.communicating else longer(timeout))

    def communicate(self, input=None, timeout=None):  # pylint: disable=redefined-builtin
        self.communicating = True
        try:
            return super().communicate(input, longer(timeout))
        finally:
            self.communicating = False


def expect_loop(self, timeout=-1, original=pexpect.expect.Expecter.expect_loop):
    return original(self, longer(timeout))


def settimeout(self, seconds, original=socket.socket.settimeout):
    return original(self, longer(seconds))


subprocess.Popen = Popen
pexpect.expect.Expecter.expect_loop = expect_loop
socket.socket.settimeout = settimeout
