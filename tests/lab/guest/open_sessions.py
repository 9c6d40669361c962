"""Leaves sessions open for the reboot: an account that stays, one session by ssh and one by su, deaf to signals."""
import json
import pathlib
import subprocess

import accounts
import lab
from sshd import Client, environment

SCRIPT = "trap '' TERM HUP INT; echo x > /tmp/x; echo y > kept; echo up; while :; do sleep 1; done"


def open_sessions():
    directory = pathlib.Path("/var/lib/lab")
    agent = accounts.Agent(f"{accounts.AGENT_PREFIX}60", accounts.make_key(directory / "key"))
    commands = [Client(lab.OwnSshd(directory), agent).command(SCRIPT), ["su", "-", agent.name, "-c", SCRIPT]]
    for command in commands:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment(),
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        assert process.stdout.readline() == b"up\n"
    assert len(lab.units()) == len(commands)
    (directory / "open.json").write_text(json.dumps({"sessions": len(commands), "account": agent.name}))


if __name__ == "__main__":
    open_sessions()
