"""Sessions in virtual machines: what they are made of, their accounts, and how to get in."""
import contextlib
import re
import subprocess

import guest
import host
import pytest
from need import need_program
from sshd import end, environment, wait_for_line

PLACE = host.pathlib.Path("/var/lib/agtest-vm")
STATE = host.pathlib.Path("/var/lib/agentsh")
SLOW = 120


@pytest.fixture(scope="session")
def parts(installed):
    """Where root's own files lie: kernel, modules, root as a directory and as an image."""
    need_program("qemu-system-x86_64", "qemu-system-x86")
    need_program("mkfs.erofs", "erofs-utils")
    need_program("modinfo", "kmod")
    host.run("rm", "-rf", PLACE)
    PLACE.mkdir(mode=0o755)
    image = guest.kernel()
    host.run("cp", "-r", image.parent.parent / "boot", PLACE, check=True)
    (PLACE / "lib").mkdir()
    modules = image.parent.parent / "lib/modules"
    host.run("cp", "-r", modules if modules.exists() else "/usr/lib/modules", PLACE / "lib", check=True)
    guest.root_image(PLACE / "root.erofs", guest.root_tree(PLACE / "base"))
    yield PLACE
    host.run("rm", "-rf", PLACE, STATE / "vm", STATE / "roots")


def settings(parts, **more):
    base = {"account": {"tier": "vm"}, "root": {"source": f"image:{parts}/root.erofs"},
            "vm": {"accel": "tcg", "kernel": next((parts / "boot").glob("vmlinuz-*")), "home": "64M"},
            "limits": {"cpus": "0"}}
    for section, keys in more.items():
        base.setdefault(section, {}).update(keys)
    return base


@pytest.fixture(scope="session")
def template(parts):
    done = host.run(host.CTL, "vm", "build", "--accel", "tcg", "--kernel", next((parts / "boot").glob("vmlinuz-*")),
                    timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[0-9a-f]{16}\n", done.stdout)
    return done.stdout.strip()


@pytest.fixture
def virtual(agent, parts, template):
    agent.policy(settings(parts))
    return agent


def su(agent, script, timeout=SLOW):
    return host.run("su", "-", agent.name, "-c", script, env=environment(), timeout=timeout)


def qemus():
    return [p for p in host.processes() if "qemu-system" in p.command and p.uid >= 0x70000000]


@contextlib.contextmanager
def session(agent, *words):
    """A session of the account that stands, with its su as the value."""
    process = subprocess.Popen(["su", "-", agent.name, *words, "-c", "echo up; sleep 100"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    try:
        assert wait_for_line(process, SLOW) == b"up\n", process.stderr.read()
        yield process
    finally:
        end(process)
