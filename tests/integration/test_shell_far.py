"""What test_shell_relay.py says of a session must hold where agentsh-relay and agentsh-guest stand between the login
shell and agentsh-init, joined by a socket pair instead of a machine's serial port: the login shell knows no difference.
"""
import hashlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from test_shell_relay import (  # noqa: F401 - its tests, on the session below
    Lab, REFUSED, RUNTIME, STATUS_CLOSED, processes_of_agent, programs, run, shell, spawn, terminal, wait_until,
    test_exit_status, test_death_by_signal_is_repeated_without_a_core, test_stderr_apart_and_nothing_of_its_own,
    test_large_binary_through_cat, test_half_close_both_ways, test_reader_that_goes_away,
    test_streams_can_be_reopened_by_name, test_only_three_descriptors_inside, test_login_without_terminal,
    test_command_of_a_login_shell, test_state_of_a_channel, test_environment, test_forced_command,
    test_forced_internal_sftp, test_nine_channels_share_processes,
    test_background_process_outlives_its_channel_but_not_the_session, test_killed_login_shell_hangs_its_command_up,
    test_signals_are_forwarded, test_long_command, test_streams_that_are_refused, test_closed_stdio,
    test_hostile_client, test_calls_that_must_be_tried_again,
    test_silent_clients_are_dropped_and_cost_others_nothing, test_too_many_channels,
    test_garbage_after_the_start_hangs_up, test_signals_that_may_not_be_forwarded, test_other_uid_is_not_served,
    test_request_left_by_a_login_that_gave_up, test_double_forked_children_are_reaped,
    test_processes_of_init_are_closed_to_the_agent, test_monitor_gone, test_monitor_that_does_not_answer,
    test_init_killed, test_announced_end_and_limits, test_limits_are_named_on_terminals_only,
    test_terminal_is_the_isolations_own, test_job_control, test_resize, test_full_screen_program,
    test_settings_are_carried_over, test_last_bytes_are_not_lost, test_background_holder_of_the_terminal,
    test_background_writer_to_the_terminal, test_terminal_after_a_signal, test_terminal_after_the_monitors_death,
    test_outer_hangup, test_terminal_that_nobody_reads, test_signal_while_the_terminal_is_stuck,
    test_stop_from_outside_and_continue, test_background_job_leaves_the_terminal_alone,
    test_terminal_that_is_not_the_controlling_one, test_mixed_terminal_and_pipes, test_ssh_tty,
    test_idle_terminal_does_not_wake_up)


@pytest.fixture
def lab(programs):
    made = Lab(far=(RUNTIME / "bin" / "agentsh-relay", RUNTIME / "bin" / "agentsh-guest"))
    yield made
    if made.process.poll() is None:
        made.end()
    assert made.process.returncode == 0
    assert not processes_of_agent()


def test_streams_that_are_passed(lab, tmp_path):
    """As in the jail, but that a socket as standard input goes one way only: what stands for it inside is a pipe."""
    file = tmp_path / "f"
    file.write_bytes(b"content")
    os.mkfifo(tmp_path / "fifo")
    ours, theirs = socket.socketpair()
    ours.send(b"socket\n")
    fifo = os.open(tmp_path / "fifo", os.O_RDWR)
    os.write(fifo, b"fifo\n")
    for fd, command, expected in ((os.open(file, os.O_RDONLY), "cat", b"content"), (fifo, "head -1", b"fifo\n"),
                                  (os.open("/dev/zero", os.O_RDWR), "head -c 3", b"\0\0\0"),
                                  (theirs.fileno(), "head -1", b"socket\n")):
        process = spawn("-c", command, stdin=fd, stdout=subprocess.PIPE)
        assert process.communicate(timeout=5)[0] == expected
    assert spawn("-c", "echo x", stdin=subprocess.DEVNULL, stdout=theirs.fileno()).wait(5) == 0
    assert ours.recv(10) == b"x\n"
    with open(tmp_path / "out", "ab") as out:
        assert spawn("-c", "echo appended", stdin=subprocess.DEVNULL, stdout=out).wait(5) == 0
    assert (tmp_path / "out").read_bytes() == b"appended\n"


@pytest.mark.skipif("AGENTSH_RELAY_SANITIZE" in os.environ, reason="the sanitizer's own memory")
def test_memory_of_an_idle_session(lab):
    shell = terminal("-c", "echo up; sleep 99")
    shell.expect("up")
    time.sleep(0.5)
    text = pathlib.Path(f"/proc/{lab.init}/smaps_rollup").read_text()
    assert int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M).group(1)) < 300  # KiB: the relay's
    shell.close()


def test_256_mib_each_way(lab):
    """Against one checksum, with terminals and commands in between: each is a frame that must not wait for all others."""
    size = 256 << 20
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    for _ in range(size >> 20):
        digest.update(block)
    process = spawn("-c", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    writer = threading.Thread(target=feed, args=(process.stdin, block, size >> 20))
    writer.start()
    got, count = hashlib.sha256(), 0
    while data := os.read(process.stdout.fileno(), 1 << 20):
        got.update(data)
        count += len(data)
    writer.join()
    assert process.wait(5) == 0 and count == size and got.digest() == digest.digest()


def feed(stream, block, times):
    for _ in range(times):
        stream.write(block)
    stream.close()


def test_one_blocked_and_eight_that_run(lab):
    """A client that reads nothing keeps its own channel waiting, and the program inside, and nobody else."""
    blocked = spawn("-c", "echo up; exec cat /dev/zero", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert blocked.stdout.read(3) == b"up\n"
    time.sleep(0.3)
    unfed = spawn("-c", "exec sleep 60", stdin=subprocess.PIPE)
    os.set_blocking(unfed.stdin.fileno(), False)
    full = 0
    while full < 5:  # the pipe, the credit and the pipe inside
        try:
            os.write(unfed.stdin.fileno(), bytes(4096))
            full = 0
        except BlockingIOError:
            full += 1
            time.sleep(0.05)
    data = os.urandom(1 << 20)
    others = [spawn("-c", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
    threads = [threading.Thread(target=feed, args=(p.stdin, data, 4)) for p in others]
    results = [None] * 8

    def read(n):
        results[n] = hashlib.sha256(others[n].stdout.read()).digest()
    threads += [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [hashlib.sha256(data * 4).digest()] * 8
    shell = terminal("-c", "stty size; exit 4")
    shell.expect("24 80\r\n")
    assert shell.wait() == 4
    shell.close()
    for process in (blocked, unfed):
        assert process.poll() is None
        process.kill()
        process.wait()
    lab.wait_report(STATUS_CLOSED, 11)


def test_descriptors_are_given_back(lab):
    assert run("-c", "true")[0] == 0
    assert wait_until(lambda: len(os.listdir(f"/proc/{lab.init}/fd")) == 6)
    for _ in range(10):
        assert run("-c", "cat", input=b"x")[1] == b"x"
        shell = terminal("-c", "exit 3")
        assert shell.wait() == 3, shell.drain()
        shell.close()
    assert wait_until(lambda: len(os.listdir(f"/proc/{lab.init}/fd")) == 6)


def test_shared_streams_stay_as_they_are(lab):
    """The caller's descriptors never become non-blocking: other programs have them too."""
    inner, outer = os.pipe(), os.pipe()
    process = spawn("-c", "read x; echo $x; read y", stdin=inner[0], stdout=outer[1])
    os.write(inner[1], b"word\n")
    assert os.read(outer[0], 100) == b"word\n"
    assert os.get_blocking(inner[0]) and os.get_blocking(outer[1])
    for fd in (*inner, *outer):
        os.close(fd)
    assert process.wait(5) == 1


# -- a guest that is not ours

GUEST = '''#!/usr/bin/python3
"""Says hello, says ready, and does to the first channel what its name says."""
import os, socket, struct, sys
line = socket.socket(fileno=int(sys.argv[2]))
header = struct.Struct("<IHBB")
def send(kind, channel=0, flags=0, payload=b"", size=None):
    line.sendall(header.pack(len(payload) if size is None else size, channel, kind, flags) + payload)
def take(size):
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data
def wait(kind):
    while True:
        size, channel, got, flags = header.unpack(take(8))
        payload = take(size)
        if got == kind:
            return channel, payload
def ended(kind=5, status=0):
    return struct.pack("=IIiII256s", 0x41475303, kind, status, 0, 0, b"")
def reply(channel, kind, status=0):
    send(9, channel, 0, ended(kind, status))
send(1, payload=wait(1)[1])
wait(2)
send(3)
channel, _ = wait(8)
reply(channel, 2)
try:
    {act}
    while line.recv(65536):
        pass
except OSError:
    pass
'''

ACTS = {
    "garbage": "line.sendall(os.urandom(100000))",
    "a size that lies": "send(14, channel, 1, b'x', 0xffffffff)",
    "a flood": "[send(14, channel, 1, bytes(32768)) for _ in range(10000)]",
    "a flood for nobody": "[send(14, 99, 1, bytes(32768)) for _ in range(2000)]; send(14, 99, 9)",
    "credit": "send(16, channel, 0, b'\\xff\\xff\\xff\\xff')",
    "two ends": "one = header.pack(276, channel, 9, 0) + ended(); line.sendall(one + one)",
    "a channel of its own": "send(8, 7, 0, b'x')",
    "a second hello": "send(1, payload=struct.pack('<II', 0x41475347, 1))",
    "a close": "send(13, channel)",
    "the end": "line.shutdown(socket.SHUT_RDWR)",
    "a status that cannot be": "reply(channel, 5, 0x137f)",
}


@pytest.fixture
def far(programs):
    """Starts sessions with a guest of our own; yields a function."""
    made = []

    def start(act):
        path = RUNTIME / "bin" / "guest"
        path.write_text(GUEST.replace("{act}", act))
        path.chmod(0o755)
        made.append(Lab(far=(RUNTIME / "bin" / "agentsh-relay", path)))
        return made[-1]
    yield start
    for session in made:
        if session.process.poll() is None:
            session.end()


@pytest.mark.parametrize("act", ACTS)
def test_hostile_guest(far, act):
    """It ends the session, which is its own, and the login shell says so."""
    session = far(ACTS[act])
    process = spawn("-c", "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.wait(10) == REFUSED
    assert process.stderr.read() == b"agentsh: the session ended\n"
    session.process.stdin.close()
    session.process.wait(10)


def test_guest_that_floods_costs_no_memory(far):
    """A stream of frames that are allowed, or are for nobody, without end."""
    session = far("[send(14, 99, 1, bytes(32768)) for _ in range(100000)]")
    process = spawn("-c", "true", stdin=subprocess.DEVNULL)

    def resident():
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{session.init}/status").read_text()).group(1))

    def received():
        text = pathlib.Path(f"/proc/{session.init}/io").read_text()
        return int(re.search(r"rchar: (\d+)", text).group(1))
    assert wait_until(lambda: received() > 50 << 20)
    first = resident()
    assert wait_until(lambda: received() > 400 << 20, 30)
    assert resident() <= first + 64
    process.kill()
    process.wait()
    session.process.kill()
    session.process.wait()
    os.kill(session.init, signal.SIGKILL)


def test_guest_that_takes_nothing(far):
    """What is typed for it waits outside; the end of the session does not wait for it."""
    session = far("p = __import__('select').poll(); p.register(line, 0x2010); p.poll()")  # HUP or RDHUP
    process = spawn("-c", "true", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    os.set_blocking(process.stdin.fileno(), False)
    put = 0
    for _ in range(100):
        try:
            put += os.write(process.stdin.fileno(), bytes(65536))
        except BlockingIOError:
            time.sleep(0.02)
    assert put < 2 << 20
    session.end()
    assert process.wait(10) == REFUSED
