"""The capabilities that the systemd unit leaves to a monitor are enough for every kind of session."""
import ctypes
import pathlib
import re

import host
import installation
import pytest
from sshd import environment

UNIT = pathlib.Path(__file__).parents[2] / "etc/systemd/agentsh@.service"
PR_CAPBSET_READ = 23
KINDS = {
    "jail": {},
    "fake_root": {"kernel": {"fake_root": "yes"}},
    "ephemeral": {"home": {"mode": "ephemeral"}},
    "nested": {"kernel": {"nested": "yes"}},
    "chroot": {"account": {"tier": "chroot"}},
}


def of_the_unit():
    """What the unit names, as far as this machine's root has it."""
    header = pathlib.Path("/usr/include/linux/capability.h").read_text()
    numbers = {name: int(number) for name, number in re.findall(r"^#define (CAP_\w+)\s+(\d+)$", header, re.M)}
    libc = ctypes.CDLL(None)
    named = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.M)).split()
    assert named
    return [name for name in named if libc.prctl(PR_CAPBSET_READ, numbers[name], 0, 0, 0) == 1]


@pytest.fixture(scope="module")
def bounded(work, make_agent):
    # systemd delegates a cgroup to the unit. A listener makes one at the top of the tree, which may take CAP_DAC_OVERRIDE
    # to write to (0555): the first is not bounded.
    with installation.Listener(work):
        host.run("su", "-", make_agent().name, "-c", "true", check=True, env=environment())
    wanted = ",".join(f"+{name[4:].lower()}" for name in of_the_unit())
    with installation.Listener(work, mounts=f'set -- setpriv --bounding-set=-all,{wanted} "$@"') as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_session(bounded, make_agent, kind):
    agent = make_agent(KINDS[kind])
    done = host.run("su", "-", agent.name, "-c", "touch ~/x && echo inside-$((40+2))", env=environment())
    assert done.stdout == "inside-42\n", done.stderr + bounded.read_log()
