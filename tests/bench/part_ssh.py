"""`ssh host true`: a fresh connection, and a further channel of one that is open, beside a plain account."""
import subprocess
import sys
import time

import lab as labs
from part_session import timed
from rounds import Contender, Row, measure

SSH = "/usr/bin/ssh"
ACCOUNTS = ("agentsh", labs.AGENT), ("plain", labs.PLAIN)
COMMAND = "echo ."  # `true`, heard


class Master:
    """An open connection that others go through."""

    def __init__(self, lab, user):
        self.lab, self.user = lab, user
        self.path = f"{lab.directory}/master-{user}"
        self.options = lab.ssh_options()
        self.process = None
        self.open()

    def open(self):
        with open(f"{self.path}.log", "ab") as log:
            self.process = self.lab.spawn(SSH, *self.options, "-M", "-S", self.path, "-N", f"{self.user}@127.0.0.1",
                                          stderr=log)
        labs.wait_for(self.is_open, 15, f"an ssh connection to {self.user}")

    def is_open(self):
        return self.control("check") == 0

    def control(self, command):
        return subprocess.run([SSH, "-S", self.path, "-O", command, f"{self.user}@127.0.0.1"], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True).returncode

    def argv(self, *options):
        return [*self.options, "-S", self.path, *options, f"{self.user}@127.0.0.1"]

    def measured(self, function):
        """function(self); once more when the connection was lost under it."""
        try:
            return function(self)
        except labs.LabError:
            if self.is_open():
                raise
            print(f"  the connection to {self.user} was lost and is opened again", file=sys.stderr)
            self.open()
            return function(self)

    def close(self):
        self.control("exit")
        self.process.wait(10)


def fresh(lab, user):
    return lambda: timed("exec", 0, SSH, "ssh", *lab.ssh_options(), f"{user}@127.0.0.1", COMMAND)


def further(master):
    return lambda: master.measured(lambda one: timed("exec", 0, SSH, "ssh", *one.argv(), COMMAND))


def rows(label, what, agentsh, plain, aim):
    ours, reference = agentsh.values("ended"), plain.values("ended")
    return [Row(f"plain: {label}", what, reference, "s"),
            Row(f"agentsh: {label}", what, ours, "s", reference, "plain", aim)]


def difference(agentsh, plain):
    added = [a - b for a, b in zip(agentsh.values("ended"), plain.values("ended"))]
    return Row("agentsh less plain: fresh ssh host true", "of the same round", added, "s")


def run(lab, rounds, progress):
    lab.start_sshd()
    fresh_ones = [Contender(name, "", fresh(lab, user)) for name, user in ACCOUNTS]
    measure(fresh_ones, rounds, progress=progress)
    masters = [Master(lab, user) for _, user in ACCOUNTS]
    time.sleep(0.5)
    further_ones = [Contender(name, "", further(master)) for (name, _), master in zip(ACCOUNTS, masters)]
    measure(further_ones, rounds, progress=progress)
    for master in masters:
        master.close()
    return [*rows("fresh ssh host true", "ssh, no ControlMaster, start to end", *fresh_ones, None),
            difference(*fresh_ones),
            *rows("further channel", "ssh over an open ControlMaster, start to end", *further_ones, ("<=", 1.2))]
