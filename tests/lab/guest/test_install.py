"""install.sh in a guest without a network, run as a user would."""
import os
import re

import host
import pytest


def systemctl(*words):
    return host.run("systemctl", *words)


@pytest.mark.quick
def test_the_guest_is_what_it_should_be():
    assert os.readlink("/proc/1/exe").endswith("/systemd")
    assert host.run("stat", "-fc", "%T", "/sys/fs/cgroup").stdout == "cgroup2fs\n"
    assert systemctl("is-active", "ssh.service").stdout == "active\n"


@pytest.mark.quick
def test_nothing_is_missing():
    done = host.run("./install.sh", "--check-deps", cwd=host.TOP)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installation():
    return host.run("./install.sh", cwd=host.TOP, timeout=900)


@pytest.fixture
def output(installation):
    if installation.returncode != 0:
        pytest.skip("install.sh did not succeed")
    return installation.stdout


@pytest.mark.quick
def test_install(installation):
    output = installation.stdout
    assert installation.returncode == 0, output + installation.stderr
    assert "is installed" in output
    assert "accounts that are no agents log in as before" in output


@pytest.mark.quick
def test_socket_is_active(output):
    assert systemctl("is-active", "agentsh.socket").stdout == "active\n"
    assert systemctl("is-enabled", "agentsh.socket").stdout == "enabled\n"
    assert systemctl("list-units", "--no-legend", "agentsh@*").stdout == ""


@pytest.mark.quick
def test_units_are_valid(output):
    done = host.run("systemd-analyze", "verify", "--man=no", "agentsh.socket", "agentsh@x.service", "agentsh.slice",
                    timeout=120)
    complaints = {line for line in (done.stdout + done.stderr).splitlines() if "agentsh" in line}
    assert not complaints


def test_demo(output):
    """An installation on top of an installation."""
    done = host.run("./install.sh", "--demo", cwd=host.TOP, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("agent-demo", done.stdout)


@pytest.mark.quick
def test_nothing_failed(output):
    failed = systemctl("list-units", "--failed", "--no-legend", "--plain").stdout
    assert failed == ""
