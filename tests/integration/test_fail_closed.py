"""Whatever system call of a session's set-up fails, and wherever its monitor or the builder of its jail is killed: the
login is refused, or it is confined as ever. Never anything between, and nothing is left.

tests/lib/inject.c makes the Nth call fail. A run takes a sample of N in a time that CI has, AGENTSH_SWEEP_SECONDS=7200
each once, with one of the ways to fail in turn; AGENTSH_FULL=1 each in each way."""
import contextlib
import errno
import os
import re
import subprocess
import time

import host
import installation
import pytest
import traces
from sshd import environment

SOURCE = host.TOP / "tests/lib/inject.c"
ACTIONS = (errno.EPERM, errno.ENOSPC, errno.EMFILE, errno.EAGAIN, "kill")
FULL = bool(os.environ.get("AGENTSH_FULL"))
SECONDS = float(os.environ.get("AGENTSH_SWEEP_SECONDS", "12"))  # for each of the two processes, when not in full
NEVER = 1_000_000
LOGIN_SECONDS = 60  # of a login that hangs: the longest time limit of ours is 30
# Facts of a confined process.
SCRIPT = ("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; readlink /proc/self/ns/*; "
          "ls /var/lib/agentsh /etc/shadow 2>&1; echo inside-$((40+2))")
MARK = "inside-42"


@pytest.fixture(scope="module")
def program(installed):
    if os.uname().machine != "x86_64":
        pytest.skip("inject.c writes the registers of x86-64")
    target = host.BUILD / "inject"
    host.run("cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-o", target, SOURCE, check=True)
    return target


@pytest.fixture(scope="module")
def stopped(installed):
    installation.stop_listener()
    yield
    installation.start_listener()


class Injected:
    """The listener of one experiment. `text` is what it said once it is over."""

    def __init__(self, program, role, number, action):
        self.argv = [program, host.MONITOR, host.CONTROL, role, number, action]
        self.text = ""

    def __enter__(self):
        self.process = subprocess.Popen([str(word) for word in self.argv], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert self.process.stdout.readline().startswith("listening")
        return self

    def wait_for_monitors(self):
        return host.wait_until(lambda: not host.descendants(self.process.pid), 10)

    def __exit__(self, *_):
        self.wait_for_monitors()
        for process in host.descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, 9)
        self.process.kill()
        self.text = self.process.communicate()[0]


def login(agent):
    done = host.run("su", "-", agent.name, "-c", SCRIPT, env=environment(), timeout=LOGIN_SECONDS)
    return done.returncode, done.stdout, done.stderr


def own_namespaces():
    return {os.readlink(f"/proc/self/ns/{kind}") for kind in traces.NAMESPACES}


def unconfined(output):
    """What the output of SCRIPT has that no agent may see."""
    found = [line for line in output.splitlines() if re.match(r"Cap", line) and int(line.split()[1], 16) != 0]
    found += [line for line in output.splitlines() if line in own_namespaces()]
    for wanted in ("NoNewPrivs:\t1", "Seccomp:\t2", "cannot access '/etc/shadow'", "cannot access '/var/lib/agentsh'"):
        if wanted not in output:
            found.append(f"not: {wanted}")
    return found


def experiment(program, agent, role, number, action):
    """One login; what is wrong about it, what it said."""
    before = traces.Snapshot()
    with Injected(program, role, number, action) as injected:
        status, output, errors = login(agent)
    problems = []
    if MARK in output:
        problems += unconfined(output)
    elif status == 0:
        problems.append(f"neither refused nor inside: {output!r} {errors!r}")
    problems += traces.wait_for_none(before)
    return [f"{role} call {number} {action} ({injected.text.split()}): {problem}" for problem in problems], \
        MARK in output, injected.text


def count_calls(program, agent):
    _, inside, text = experiment(program, agent, "monitor", NEVER, errno.EPERM)
    assert inside, text
    monitor, builder = re.search(r"calls (\d+) (\d+)", text).groups()
    return {"monitor": int(monitor), "builder": int(builder)}


def numbers(total):
    """Each number once, the sample spread over all of them whenever it ends: 1/2, 1/4, 3/4, 1/8, ..."""
    if FULL:
        yield from range(1, total + 1)
        return
    seen, width = set(), 2
    while width <= 2 * total:
        for part in range(1, width, 2):
            number = 1 + total * part // width
            if number not in seen:
                seen.add(number)
                yield number
        width *= 2


@pytest.mark.parametrize("role", ["monitor", "builder"])
def test_any_call_may_fail(program, stopped, agent, role, capsys):
    total = count_calls(program, agent)[role]
    assert total > 100, "the count is wrong, or nothing was traced"
    deadline, done, refused, problems = time.monotonic() + SECONDS, 0, 0, []
    for index, number in enumerate(numbers(total)):
        if not FULL and time.monotonic() > deadline:
            break
        for action in ACTIONS if FULL else [ACTIONS[index % len(ACTIONS)]]:
            found, inside, _ = experiment(program, agent, role, number, action)
            problems += found
            done, refused = done + 1, refused + (not inside)
    with capsys.disabled():
        print(f"\n{role}: {done} logins with a failure at one of {total} system calls: {refused} refused, "
              f"{done - refused} confined")
    assert problems == []
    assert done >= 5 and refused > 0
