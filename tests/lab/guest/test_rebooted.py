"""After a reboot with sessions open: nothing stale, everything up, the record complete."""
import json
import pathlib

import host
import installation
import lab
import pytest
from sshd import Client, environment

pytestmark = pytest.mark.quick
DIRECTORY = pathlib.Path("/var/lib/lab")


@pytest.fixture(scope="module")
def before():
    return json.loads((DIRECTORY / "open.json").read_text())


def test_nothing_stale():
    assert lab.systemctl("is-active", "agentsh.socket").stdout == "active\n"
    assert not any(lab.traces().values()), lab.traces()


def test_nothing_failed():
    host.run("systemctl", "is-system-running", "--wait", timeout=120)
    assert lab.systemctl("list-units", "--failed", "--no-legend", "--plain").stdout == ""


def test_sessions_did_not_hold_it_up():
    asked = int((DIRECTORY / "reboot-asked").read_text())
    last = json.loads(host.run("journalctl", "--boot=-1", "--lines=1", "--output=json", check=True).stdout)
    seconds = int(last["__REALTIME_TIMESTAMP"]) / 1e6 - asked
    assert 0 <= seconds < 40, "from the request to the journal's last line"


def test_record_has_an_end_for_each(before):
    lines = installation.audit_lines(before["account"])
    assert len(lines) >= before["sessions"], lines
    for line in lines[-before["sessions"]:]:
        assert line.get("end") or line.get("ended"), line


def test_login_works_and_the_home_was_kept(before):
    done = host.run("su", "-", before["account"], "-c", "cat kept; ls /tmp", env=environment())
    assert done.stdout == "y\n", done.stdout + done.stderr


def test_ssh_login_works(before):
    class Account:
        name, key = before["account"], DIRECTORY / "key"
    assert Client(lab.OwnSshd(DIRECTORY), Account).run("echo in").stdout == "in\n"
