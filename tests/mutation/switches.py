#!/usr/bin/python3
"""Each switch of common/fault_switches.def whose test is a unit test: with it, the test goes red; without, it is green.

switches.py BUILD    BUILD: objects of a build with FAULTS=1. Ends with 1 when a test does not notice.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
TABLE = TOP / "common/fault_switches.def"
# These take their switches from the table themselves.
BY_THEMSELVES = {"test_jail_mutation", "test_mutation", "test_side_doors"}
SECONDS = 120


def table():
    """(name, test) of each line."""
    return re.findall(r'^SWITCH\("([^"]+)", (\w+)\)$', TABLE.read_text(), re.M)


def failed_cases(program, omitted=None):
    """Names of the cases that fail; a program that dies counts as one."""
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    environment.pop("AGENTSH_OMIT", None)
    if omitted is not None:
        environment["AGENTSH_OMIT"] = omitted
    try:
        done = subprocess.run([program], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ["it hangs"]
    bad = [case for case in re.findall(r"^not ok \d+ - (.*)$", done.stdout, re.M) if "# SKIP" not in case]
    return bad or ([f"ended with {done.returncode}"] if done.returncode != 0 else [])


def check(program, names):
    """What one program makes of the switches that it is named for: (lines to print, names that it did not notice)."""
    green = failed_cases(program)
    if green:
        return [f"red without any switch: {program.name}: {', '.join(green)}"], names
    lines, silent = [], []
    for name in names:
        bad = failed_cases(program, name)
        lines += [f"noticed: {name}: {program.name}: {bad[0]}"] if bad else []
        silent += [] if bad else [name]
    return lines, silent


def main():
    tests = pathlib.Path(sys.argv[1]).resolve() / "tests"
    programs = {}
    for name, test in table():
        if test not in BY_THEMSELVES:
            programs.setdefault(tests / test, []).append(name)
    # They wait more than they work.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(check, programs.keys(), programs.values()))
    silent = []
    for lines, names in results:
        print("\n".join(lines))
        silent += names
    print(f"switches without a mutation test: {', '.join(silent) or 'none'}")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
