"""Accounts that are no agents log in whatever has become of agentsh. The host is changed for sshd and su only."""
import host
import installation
import pytest
from sshd import Client, Sshd, environment

FULL = ("mount -t tmpfs -o size=64k,mode=755 full {0}; dd if=/dev/zero of={0}/fill bs=4k 2>/dev/null || true")
EMPTY = "mount -t tmpfs -o mode=755 empty {0}"
BROKEN = {
    "policy directory cannot be entered": "mount -t tmpfs -o mode=000,uid=65534 none /etc/agentsh",
    "policy directory is empty": EMPTY.format("/etc/agentsh"),
    "accounts is no directory": "mount --bind /dev/null /etc/agentsh/agentsh.ini; "
                                "mount -t tmpfs none /etc/agentsh; touch /etc/agentsh/accounts",
    "policy directory is a loop": "mount -t tmpfs none /etc/agentsh; ln -s accounts /etc/agentsh/accounts",
    "socket is missing": EMPTY.format("/run/agentsh"),
    "socket is a file": EMPTY.format("/run/agentsh") + "; touch /run/agentsh/control",
    "disk is full": "; ".join(FULL.format(path) for path in
                              ("/run/agentsh", "/var/lib/agentsh", "/var/log", "/etc/agentsh", "/var/tmp")),
    "runtime directory is read-only": EMPTY.format("/run/agentsh") + "; mount -o remount,ro /run/agentsh",
}


@pytest.mark.parametrize("mounts", BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
class TestBrokenHost:
    def test_ssh(self, work, installed, plain, mounts, request):
        directory = work / request.node.name.replace("/", "-")
        with Sshd(directory, mounts=mounts) as server:
            done = Client(server, plain).run("id -un")
        assert (done.stdout, done.returncode) == (f"{plain.name}\n", 0), done.stderr

    def test_su(self, installed, plain, mounts):
        done = host.run("unshare", "-m", "sh", "-ec", f"{mounts}\nexec su - {plain.name} -c 'id -un'",
                        env=environment())
        assert done.stdout == f"{plain.name}\n", done.stderr
        done = host.run("unshare", "-m", "sh", "-ec", f"{mounts}\nexec su - root -c 'id -un'", env=environment())
        assert done.stdout == "root\n", done.stderr


@pytest.mark.parametrize("mounts", BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
def test_agent_is_refused_where_the_host_is_broken(installed, agent, mounts):
    """The other side: none of this opens an unconfined way in."""
    done = host.run("unshare", "-m", "sh", "-ec", f"{mounts}\nexec su - {agent.name} -c 'echo in $(readlink "
                    "/proc/self/ns/pid)'", env=environment())
    assert host.namespace("self", "pid") not in done.stdout


class TestListenerStopped:
    @pytest.fixture(autouse=True)
    def stopped(self, installed):
        installation.stop_listener()
        yield
        installation.start_listener()

    def test_plain_user(self, sshd, plain):
        assert Client(sshd, plain).run("id -un").stdout == f"{plain.name}\n"
        assert host.run("su", "-", plain.name, "-c", "id -un").stdout == f"{plain.name}\n"

    def test_root(self):
        assert host.run("su", "-", "root", "-c", "id -un").stdout == "root\n"

    def test_no_waiting(self, plain):
        import time
        start = time.monotonic()
        host.run("su", "-", plain.name, "-c", "true", check=True)
        assert time.monotonic() - start < 2 * host.PATIENCE


class TestModuleOptions:
    """An unknown option of the PAM line refuses agents and nobody else."""

    @pytest.mark.parametrize("line", ["nonsense", "timeout=abc", "socket=", "timeout=0"])
    def test_wrong_option(self, installed, agent, plain, line):
        def login(name):
            script = (f"mount -t tmpfs none /mnt; cp -r /etc/pam.d/. /mnt/; "
                      f"sed -i 's/pam_agentsh.so.*/pam_agentsh.so {line}/' /mnt/common-*; "
                      f"mount --bind /mnt /etc/pam.d; exec su - {name} -c 'echo in'")
            return host.run("unshare", "-m", "sh", "-ec", script, env=environment())
        assert login(plain.name).stdout == "in\n"
        refused = login(agent.name)
        assert refused.stdout == "" and refused.returncode != 0
        assert "option" in refused.stderr or "timeout" in refused.stderr or "socket" in refused.stderr
