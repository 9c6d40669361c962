"""Throughput over an open connection: 256 MiB by cat in both directions and by sftp, and a terminal's output."""
import os
import subprocess
import time

import lab as labs
from part_ssh import ACCOUNTS, SSH, Master
from rounds import Contender, Row, measure

MIB = int(os.environ.get("AGENTSH_BENCH_MIB", "256"))
LINES = 1000000  # of seq on the terminal: 6.9 MB
SFTP = "/usr/bin/sftp"
BULK = str(labs.TOOLS / "bulk")


def must(argv, **kwargs):
    """Seconds that the command takes."""
    began = time.monotonic()
    done = subprocess.run(argv, stderr=subprocess.PIPE, check=False, **kwargs)
    if done.returncode != 0:
        raise labs.LabError(f"status {done.returncode} ({done.stderr.decode(errors='replace')}): {' '.join(argv)}")
    return time.monotonic() - began


def plant():
    """One file for everybody: how fast a file is read depends on where its pages happen to lie."""
    with open(BULK, "wb") as file:
        for _ in range(MIB):
            file.write(os.urandom(1024) * 1024)
    os.chmod(BULK, 0o644)


def download(master):
    return must([SSH, *master.argv(), f"cat {BULK}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def upload(master):
    with open(BULK, "rb") as file:
        return must([SSH, *master.argv(), "cat > /dev/null"], stdin=file, stdout=subprocess.DEVNULL)


def sftp_get(master):
    options = [*master.options]
    options[options.index("-p")] = "-P"
    return must([SFTP, *options, "-q", "-o", f"ControlPath={master.path}", f"{master.user}@127.0.0.1:{BULK}",
                 "/dev/null"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def terminal(master):
    # A stdin that stays open: its end would be typed as ^D.
    reader, writer = os.pipe()
    try:
        return must([SSH, *master.argv("-tt"), f"seq {LINES}"], stdin=reader, stdout=subprocess.DEVNULL)
    finally:
        os.close(reader)
        os.close(writer)


KINDS = (
    ("ssh host cat", f"{MIB} MiB out, open connection", download, ("<=", 1 / 0.95)),
    ("ssh host 'cat > /dev/null'", f"{MIB} MiB in, open connection", upload, ("<=", 1 / 0.95)),
    ("sftp get", f"{MIB} MiB, open connection", sftp_get, ("<=", 1 / 0.95)),
    ("ssh -tt host seq", f"{LINES} lines, open connection", terminal, ("<=", 1.5)),
)


def contender(function, master, label):
    return Contender(label, "", lambda: {"seconds": master.measured(function)})


def run(lab, rounds, progress):
    lab.start_sshd()
    plant()
    masters = {name: Master(lab, user) for name, user in ACCOUNTS}
    pairs = [[contender(function, master, name) for name, master in masters.items()] for _, _, function, _ in KINDS]
    measure([one for pair in pairs for one in pair], rounds, warmup=1, progress=progress)
    for master in masters.values():
        master.close()
    os.unlink(BULK)
    rows = []
    for (label, what, _, aim), pair in zip(KINDS, pairs):
        agent, plain = (one.values("seconds") for one in pair)
        rows.append(Row(f"plain: {label}", what, plain, "s"))
        rows.append(Row(f"agentsh: {label}", what, agent, "s", plain, "plain", aim))
    return rows
