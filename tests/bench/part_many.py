"""100 sessions opened one after another and kept: the time of each, the memory of each, and the end of all."""
import os
import statistics
import subprocess
import time

import lab as labs
from part_session import SHELL, TIMER
from rounds import Row

SESSIONS = 100
ENDS = 10
PAYLOAD = "echo .; exec sleep 100000"
OURS = ("agentsh-monitor", "agentsh-init", "agentsh")
KERNEL = ("Slab", "KernelStack", "PageTables", "Percpu", "SecPageTables")


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def memory(pid):
    """(PSS, private) in KiB."""
    values = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for line in file:
                word, _, rest = line.partition(":")
                if rest:
                    values[word] = int(rest.split()[0]) if rest.split()[0].isdigit() else 0
    except OSError:
        return 0, 0
    return values.get("Pss", 0), values.get("Private_Dirty", 0) + values.get("Private_Clean", 0)


def ours():
    """Pids of our processes by name."""
    found = {name: [] for name in OURS}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and comm(entry) in found:
            found[comm(entry)].append(entry)
    return found


def total_pss():
    return {name: sum(memory(pid)[0] for pid in pids) for name, pids in ours().items()}


def kernel_kib():
    with open("/proc/meminfo", encoding="utf-8") as file:
        values = dict(line.split(":", 1) for line in file)
    return sum(int(values[name].split()[0]) for name in KERNEL if name in values)


def settle_namespaces():
    """The kernel frees network namespaces in the background."""
    time.sleep(1)


def run(lab, rounds, progress):
    del rounds
    lab.set_policy("/bin/bash")
    settle_namespaces()
    before, kernel_before = total_pss(), kernel_kib()
    held = subprocess.Popen([TIMER, "hold", str(SESSIONS), "su", labs.AGENT, SHELL, "agentsh", "-c", PAYLOAD],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    times = []
    for line in held.stdout:
        if line.strip() == "held":
            break
        times.append(float(line) / 1e6)
        progress(len(times), SESSIONS)
    if len(times) != SESSIONS:
        raise labs.LabError(f"only {len(times)} of {SESSIONS} sessions could be opened")
    time.sleep(1)
    after, kernel_after = total_pss(), kernel_kib()
    held.stdin.close()
    ended = float(held.stdout.readline()) / 1e6
    held.wait(30)
    added = {name: (after[name] - before[name]) / SESSIONS for name in OURS}
    return [
        Row(f"sessions 1 to {ENDS}: first byte", "PAM session, bash -c, all kept", times[:ENDS], "s"),
        Row(f"sessions {SESSIONS - ENDS + 1} to {SESSIONS}: first byte", "the same", times[-ENDS:], "s",
            [statistics.median(times[:ENDS])], f"1 to {ENDS}", ("<=", 1.25)),
        Row(f"ending {SESSIONS} sessions, each", "close_session one after another", [ended / SESSIONS], "s"),
        Row("memory added per idle session", " + ".join(OURS), [sum(added.values())], "KiB PSS", aim=("<=", 1024)),
        *(Row(f"of it {name}", "", [kib], "KiB PSS") for name, kib in added.items()),
        Row("kernel memory added per idle session", "growth of " + " + ".join(KERNEL) + ", whole machine, payload too",
            [(kernel_after - kernel_before) / SESSIONS], "KiB"),
    ]
