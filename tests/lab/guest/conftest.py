"""Fixtures of the lab: an agent with limits of its own, and clients of the guest's own sshd."""
import accounts
import lab
import pytest
from sshd import Client, end_children

LIMITS = {"account": {"max_sessions": "8"}, "limits": {"memory": "96M", "tasks": "40", "cpus": "0.5"}}


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    path = tmp_path_factory.mktemp("lab")
    for parent in [path, *path.parents]:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def key(work):
    return accounts.make_key(work / "key")


@pytest.fixture(scope="session")
def own_sshd(work):
    return lab.OwnSshd(work)


@pytest.fixture(scope="session")
def agent(key):
    found = accounts.Agent(f"{accounts.AGENT_PREFIX}50", key, LIMITS)
    yield found
    found.remove()


@pytest.fixture
def client(own_sshd, agent):
    return Client(own_sshd, agent)


@pytest.fixture(autouse=True)
def clean():
    """Whatever a test did, systemd and the host have nothing of it afterwards."""
    yield
    end_children()
    left = lab.nothing_left()
    assert not left, f"left behind: {left}"
