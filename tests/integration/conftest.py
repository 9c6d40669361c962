"""Fixtures: agentsh installed, a private sshd, accounts; and after each test, nothing may be left."""
import itertools
import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import accounts  # noqa: E402
import host  # noqa: E402
import installation  # noqa: E402
import private_ctl  # noqa: E402
import traces  # noqa: E402
from machines import parts, template, virtual  # noqa: E402,F401
from sshd import Client, Sshd, end, end_children  # noqa: E402

NUMBERS = itertools.count(1)


# Files whose tests need no installed agentsh, but where they say so, and share nothing with the others but /etc:
# tests/run has them run beside the others, with an /etc of their own.
APART = {"test_agentshctl.py", "test_agentshctl_doctor.py", "test_agentshctl_sessions.py", "test_guard.py",
         "test_shell_far.py", "test_shell_relay.py"}


def pytest_addoption(parser):
    parser.addoption("--apart", choices=["only", "without"], help="what needs no installation, or the rest")


def pytest_collection_modifyitems(config, items):
    choice = config.getoption("--apart")
    if choice is None:
        return
    parts = {True: [], False: []}
    for item in items:
        parts[item.path.name in APART and "installed" not in item.fixturenames].append(item)
    items[:] = parts[choice == "only"]
    config.hook.pytest_deselected(items=parts[choice != "only"])


def pytest_configure(config):
    config.addinivalue_line("markers", "leaves: the test cleans up by itself; no check for traces behind it")
    if os.geteuid() != 0:
        raise pytest.UsageError("the integration tests need root")


@pytest.fixture(scope="session")
def work():
    """A directory that every user may pass (pytest's own are closed): sockets and keys are guarded by their modes."""
    with tempfile.TemporaryDirectory(prefix="agentsh-test.", dir="/tmp") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


@pytest.fixture(scope="session")
def installed(work):
    found = installation.Installation()
    found.begin()
    accounts.remove_left_over()
    traces.remove_left_over()
    yield found
    accounts.remove_left_over()
    left = host.wait_until(lambda: not traces.cgroup_dirs() and not traces.runtime_entries(), 5)
    found.end()
    assert left, f"left behind: {traces.cgroup_dirs()} {traces.runtime_entries()}"


@pytest.fixture(scope="session")
def key(work):
    return accounts.make_key(work / "key")


@pytest.fixture(scope="session")
def sshd(work, installed):
    with Sshd(work / "sshd") as server:
        yield server


@pytest.fixture(scope="session")
def plain(work, key, installed):
    user = accounts.Plain(f"{accounts.PLAIN_PREFIX}01", key)
    yield user
    user.remove()


@pytest.fixture(scope="session")
def other(work, key, installed):
    """A second ordinary user."""
    user = accounts.Plain(f"{accounts.PLAIN_PREFIX}02", key)
    yield user
    user.remove()


@pytest.fixture(scope="session")
def make_agent(work, key, installed):
    """make_agent(settings) gives a new agent account, removed at the end."""
    made = []

    def make(settings=None):
        agent = accounts.Agent(f"{accounts.AGENT_PREFIX}{next(NUMBERS):02d}", key, settings)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.remove()


@pytest.fixture(scope="module")
def agent(make_agent):
    """One agent account for each file of tests; its policy is the default again before each test."""
    return make_agent()


@pytest.fixture
def tier(request):
    """The tier that `agent` is in: tests marked with tiers.BOTH run once in each."""
    return getattr(request, "param", "jail")


@pytest.fixture(autouse=True)
def default_policy(request, tier):
    if "agent" in request.fixturenames:
        agent = request.getfixturevalue("agent")
        agent.tier = tier
        agent.policy()
    yield


@pytest.fixture(scope="session")
def private_build():
    with private_ctl.build() as tool:
        yield tool


@pytest.fixture
def tool(private_build):
    """agentshctl with folders of its own, and no account of a test before it."""
    with private_ctl.clean(private_build) as clean:
        yield clean


@pytest.fixture
def client(sshd, agent):
    return Client(sshd, agent)


@pytest.fixture
def control(work, sshd, agent):
    """A client whose channels share one connection; the master is ended with the test."""
    path = work / f"c{next(NUMBERS)}"
    shared = Client(sshd, agent, control=path)
    processes = []
    start = shared.master

    def master():
        processes.append(start())
        return processes[-1]

    shared.master = master
    yield shared
    for process in processes:
        end(process)


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Whatever a test did, two seconds later no trace of a session may be there."""
    if "installed" not in request.fixturenames and "agent" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("installed")
    before = traces.Snapshot()
    yield
    end_children()
    if request.node.get_closest_marker("leaves"):
        return
    left = traces.wait_for_none(before)
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture(scope="session")
def faults_monitor():
    """The monitor of the build with fault injection."""
    program = host.FAULTS_BUILD / "agentsh-monitor"
    assert program.exists(), f"{program} is missing: make FAULTS=1 O={host.FAULTS_BUILD}"
    return program
