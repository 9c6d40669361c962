"""agentshctl sessions and kill, with processes that stand for monitors."""
import ctypes
import os
import pathlib
import pwd
import subprocess
import sys
import time

import pytest
from private_ctl import PREFIX

LIVING_MONITOR = """
import pathlib, shutil, signal, sys, time
def end(*_):
    shutil.rmtree(sys.argv[1])
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[2] == "deaf" else end)
print("up", flush=True)
time.sleep(60)
"""


class State(ctypes.Structure):
    """struct session_state of common/session_state.h."""
    _fields_ = [("magic", ctypes.c_uint32), ("id", ctypes.c_char * 17), ("account", ctypes.c_char * 33),
                ("service", ctypes.c_char * 64), ("tty", ctypes.c_char * 64), ("rhost", ctypes.c_char * 256),
                ("ruser", ctypes.c_char * 64), ("tier", ctypes.c_char * 16), ("uid", ctypes.c_uint32),
                ("monitor_pid", ctypes.c_int32), ("init_pid", ctypes.c_int32), ("channels", ctypes.c_uint32),
                ("monitor_start_time", ctypes.c_uint64), ("opened_at", ctypes.c_int64),
                ("cgroups", (ctypes.c_char * 256) * 8)]


class Session:
    """A session's directory and a process that stands for its monitor."""

    def __init__(self, tool, number, account, kind="monitor", **fields):
        self.id = number
        self.directory = tool.sessions / number
        self.directory.mkdir()
        self.process = subprocess.Popen([sys.executable, "-c", LIVING_MONITOR, self.directory, kind],
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"up\n"
        start = int(pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
        values = {"magic": 0x41475304, "id": number.encode(), "account": account.encode(), "service": b"sshd",
                  "rhost": b"192.0.2.1", "tier": b"jail", "monitor_pid": self.process.pid, "channels": 2,
                  "monitor_start_time": start, "opened_at": int(time.time()) - 90, **fields}
        state = State(**values)
        (self.directory / "state").write_bytes(bytes(state))
        (self.directory / "state").chmod(0o600)

    def running(self):
        return self.process.poll() is None

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def session(tool):
    made = []

    def make(*args, **kwargs):
        made.append(Session(tool, *args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_sessions(tool, session):
    assert tool.json("sessions") == []
    usage = tool.root / "cgroup"
    usage.mkdir(exist_ok=True)
    for name, value in (("memory.current", 3 << 20), ("pids.current", 7)):
        (usage / name).write_text(f"{value}\n")
    (usage / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    session("0123456789abcdef", f"{PREFIX}01", cgroups=(ctypes.c_char * 256 * 8)((ctypes.c_char * 256)(
        *str(usage).encode())))
    session("0123ffffffffffff", f"{PREFIX}02", monitor_start_time=1, service=b"su-l", rhost=b"", ruser=b"me\x1b[2J",
            tty=b"pts/3")
    (tool.sessions / "not-a-session").mkdir()
    (tool.sessions / "00000000000000aa").mkdir()
    found = {entry["id"]: entry for entry in tool.json("sessions")}
    assert set(found) == {"0123456789abcdef", "0123ffffffffffff"}
    one = found["0123456789abcdef"]
    assert one["live"] and one["account"] == f"{PREFIX}01" and one["memory"] == 3 << 20 and one["tasks"] == 7
    assert one["cpu_usec"] == 1500000 and one["channels"] == 2
    assert not found["0123ffffffffffff"]["live"]
    text = tool("sessions").stdout
    assert "stale" in text and "3M" in text and "1.5s" in text and "\x1b" not in text and "1m3" in text


@pytest.mark.parametrize("damage", ["short", "magic", "unterminated", "owner", "mode", "other id", "link"])
def test_a_damaged_state_is_passed_over(tool, session, damage):
    one = session("0123456789abcdef", f"{PREFIX}01")
    state = one.directory / "state"
    content = state.read_bytes()
    if damage == "short":
        state.write_bytes(content[:-1])
    elif damage == "magic":
        state.write_bytes(b"\0" + content[1:])
    elif damage == "unterminated":
        state.write_bytes(content[:21] + b"x" * 33 + content[54:])
    elif damage == "owner":
        os.chown(state, 65534, 65534)
    elif damage == "mode":
        state.chmod(0o666)
    elif damage == "other id":
        state.write_bytes(content.replace(b"0123456789abcdef", b"0123456789abcdee"))
    else:
        state.rename(tool.root / "state-elsewhere")
        state.symlink_to(tool.root / "state-elsewhere")
    assert tool.json("sessions") == []
    tool("kill", "0123456789abcdef", status=1)
    assert one.running()


def test_kill(tool, session):
    first, second = session("0123456789abcdef", f"{PREFIX}01"), session("0123ffffffffffff", f"{PREFIX}01")
    third = session("aaaaaaaaaaaaaaaa", f"{PREFIX}02")
    assert "several" in tool("kill", "0123", status=1).stderr
    for bad in ("", "zz", "0123456789abcdef0", "bbbb", "../aaaa"):
        tool("kill", bad, status=1)
    assert first.running() and second.running() and third.running()
    tool("kill", "01234")
    assert not first.directory.exists() and second.running() and third.running()
    tool("kill", "--account", f"{PREFIX}01")
    assert not second.directory.exists() and third.running()
    tool("kill", "--account", f"{PREFIX}01")
    tool("kill", status=2)
    tool("kill", "aaaa", "--account", "x", status=2)
    tool("kill", "aaaa", "bbbb", status=1)
    assert not third.directory.exists()


def test_kill_never_hits_another_process(tool, session):
    """The monitor died and its pid went to another process: that one is left alone."""
    innocent = session("0123456789abcdef", f"{PREFIX}01", monitor_start_time=12345)
    assert "stale" in tool("kill", "0123456789abcdef", status=1).stderr
    time.sleep(0.1)
    assert innocent.running()


def test_remove_and_live_sessions(tool, session):
    name = f"{PREFIX}01"
    tool("account", "add", name)
    live = session("0123456789abcdef", name)
    other = session("aaaaaaaaaaaaaaaa", f"{PREFIX}02")
    assert "live sessions" in tool("account", "remove", name, status=1).stderr
    assert (tool.config / "accounts" / f"{name}.ini").exists() and live.running()
    tool("account", "remove", "--force", name)
    assert not live.directory.exists() and other.running()
    with pytest.raises(KeyError):
        pwd.getpwnam(name)
