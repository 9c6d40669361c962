"""pytest plugin: each test is a line of TAP on the report's descriptor, LAB_FD, with the reason behind a failure."""
import os

import pytest

# The port can be open only once, so it is inherited. What the tests start shall not have it.
PORT = os.fdopen(int(os.environ["LAB_FD"]), "w", encoding="utf-8", buffering=1)
os.set_inheritable(PORT.fileno(), False)
DONE = set()


def write(line):
    PORT.write(line.replace("\n", " ") + "\n")


def diagnose(report):
    for line in str(report.longrepr).splitlines()[-60:]:
        write(f"#     {line}")


def pytest_runtest_logreport(report):
    name = report.nodeid.replace("#", "_")
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        write(f"ok {name} # SKIP {reason}")
    elif report.failed:
        write(f"not ok {name}" + ("" if report.when == "call" else f" ({report.when})"))
        diagnose(report)
    elif report.when == "call":
        write(f"ok {name} # {report.duration:.1f} s")


def pytest_collectreport(report):
    if report.failed:
        write(f"not ok {report.nodeid} (collection)")
        diagnose(report)


@pytest.hookimpl(trylast=True)
def pytest_internalerror(excrepr):
    write("not ok pytest itself")
    for line in str(excrepr).splitlines()[-30:]:
        write(f"#     {line}")
