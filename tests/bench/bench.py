"""agentsh beside its peers, on this machine, in one table.

usage: bench.py [--quick] [--rounds N] [--json FILE] [--keep] [PART...]     (root; `make bench` builds first)

PARTs: session ssh bulk many vm (default: all but vm), or none. --quick: 8 rounds. --keep: $SHELL in the private machine then.
"""
import argparse
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import lab as labs
import rounds as measuring

PARTS = {"session": "part_session", "ssh": "part_ssh", "bulk": "part_bulk", "many": "part_many",
         "vm": "part_vm"}
ALL = [part for part in PARTS if part != "vm"]  # which needs QEMU and a kernel
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
QUICK_ROUNDS = 8
PR_SET_PDEATHSIG = 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=" ".join(PARTS) + ", or none")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds: to see that it works")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="run $SHELL in the private machine afterwards")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for part in arguments.part:
        if part not in (*PARTS, "none"):
            parser.error(f"no part {part}: there are {' '.join(PARTS)}")
    arguments.part = [part for part in arguments.part or ALL if part != "none"]
    if arguments.quick:
        arguments.rounds = QUICK_ROUNDS
    if arguments.json:
        arguments.json = os.path.abspath(arguments.json)
    return arguments


def enter_namespaces():
    """Runs this program again in namespaces of its own; its exit status, once they are gone."""
    directory = tempfile.mkdtemp(prefix="agentsh-bench-")
    argv = [*NAMESPACES, sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--inside", directory]
    try:
        return subprocess.run(argv, check=False).returncode
    finally:
        labs.remove_cgroups()
        os.rmdir(directory)


def run_worker(function):
    """Ends the process; nothing of the parent's is unwound here."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1
    try:
        status = function()
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


def run_as_init(function):
    """As process 1 of the namespace: waits for the worker, and for every orphan."""
    worker = os.fork()
    if worker == 0:
        run_worker(function)
    while True:
        pid, status = os.wait()
        if pid == worker:
            return os.waitstatus_to_exitcode(status)


def show_progress(part):
    def show(done, total):
        if sys.stderr.isatty():
            print(f"\r  {part}: {max(done, 0)}/{total} ", end="\n" if done == total else "", file=sys.stderr, flush=True)
    return show


def number(value, unit):
    if unit == "s":
        return f"{value * 1000:.2f} ms"
    return f"{value:.1f} {unit}"


def cells(row):
    return (row.name, number(row.least, row.unit), number(row.median, row.unit), number(row.p95, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f}", row.against or "",
            "" if row.aim is None else f"{row.aim[0]} {row.aim[1]:.4g}", {None: "", True: "yes", False: "NO"}[row.met],
            str(row.runs), row.what)


def print_table(results, machine, rounds):
    left = (0, 5, 9)
    lines = [("what", "min", "median", "p95", "ratio", "to", "aim", "met", "runs", "measured"), *map(cells, results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    print(f"\n{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, load {machine['load']}; "
          f"{rounds} rounds. Ratios are medians over the rounds.\n")
    for line in lines:
        print("  ".join(word.ljust(width) if column in left else word.rjust(width)
                        for column, (word, width) in enumerate(zip(line, widths))).rstrip())


def measure(private, arguments):
    """The rows of all parts."""
    results = []
    private.make()
    private.make_accounts()
    for part in arguments.part:
        print(f"== {part}", file=sys.stderr, flush=True)
        results += importlib.import_module(PARTS[part]).run(private, arguments.rounds, show_progress(part))
    if arguments.keep:
        private.start_sshd()
        subprocess.run([os.environ.get("SHELL", "/bin/sh")], check=False)
    return results


def work(arguments):
    """Makes the private machine, measures, reports. The exit status."""
    machine = measuring.machine()
    private = labs.Lab(arguments.inside)
    try:
        results = measure(private, arguments)
    except labs.LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        private.print_logs()
        return 1
    finally:
        private.stop()
    if results:
        print_table(results, machine, arguments.rounds)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "time": int(time.time()), "rounds": arguments.rounds,
                       "rows": [row.as_dict() for row in results]}, file, indent=1)
    return 0


def main():
    arguments = parse_arguments()
    if os.geteuid() != 0:
        print("bench: root is needed, for namespaces, accounts and PAM sessions", file=sys.stderr)
        return 77
    if arguments.inside:
        return run_as_init(lambda: work(arguments))
    return enter_namespaces()


if __name__ == "__main__":
    sys.exit(main())
