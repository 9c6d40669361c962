"""su: by root, by an ordinary user with the password, from callers in an odd state. The same jail each time."""
import os
import resource
import signal
import subprocess

import accounts
import host
import pexpect
import pytest
from sshd import environment, spawn
from tiers import BOTH

FACTS = ("id -u; grep -E '^(NoNewPrivs|Seccomp|Cap|SigIgn|SigBlk)' /proc/self/status | grep -v Filters; "
         "umask; ulimit -n; cat /proc/self/oom_score_adj; nice; readlink /proc/self/fd/3; ls /proc/self/fd | wc -w; hostname")


def su(agent, script, **kwargs):
    kwargs.setdefault("env", environment())
    return host.run("su", "-", agent.name, "-c", script, **kwargs)


@pytest.fixture
def usual(agent):
    done = su(agent, FACTS)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def with_password(agent):
    accounts.set_password(agent.name)
    return agent


@BOTH
class TestByRoot:
    def test_command(self, agent):
        done = su(agent, "id -un; echo err >&2; exit 7")
        assert (done.stdout, done.stderr, done.returncode) == (f"{agent.name}\n", "err\n", 7)

    def test_without_dash(self, agent):
        done = host.run("su", agent.name, "-c", "id -un; readlink /proc/self/ns/pid", env=environment())
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == agent.name
        assert done.stdout.splitlines()[1] != host.namespace("self", "pid")

    def test_interactive(self, agent):
        child = spawn(["su", "-", agent.name])
        child.sendline("echo me=$(id -un) tty=$(tty)")
        child.expect(f"me={agent.name} tty=/dev/pts/0")
        child.sendline("exit 5")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 5

    def test_terminal_is_cooked_afterwards(self, agent):
        child = spawn(["bash", "--norc", "-c",
                       f"before=$(stty -g); su - {agent.name} -c 'stty raw -echo; exit 0'; "
                       "[ \"$before\" = \"$(stty -g)\" ] && echo same settings"])
        child.expect("same settings")
        child.close()

    def test_control_c_ends_the_command_inside(self, agent):
        child = spawn(["su", "-", agent.name, "-c", "sleep 1077"])
        assert host.wait_until(lambda: any("1077" in p.command for p in agent.processes()), 10)
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert host.wait_until(lambda: not agent.processes())

    def test_callers_terminal_is_not_inside(self, agent):
        child = spawn(["su", "-", agent.name, "-c", "for f in 0 1 2; do readlink /proc/self/fd/$f; done; "
                                                    "exec 9<>/dev/tty && stat -Lc 'dev=%d rdev=%r' /proc/self/fd/9"])
        child.expect(pexpect.EOF)
        outer = os.ttyname(child.child_fd) if os.isatty(child.child_fd) else ""
        assert child.before.count("/dev/pts/0") >= 3
        assert outer == "" or outer == "/dev/pts/0" or outer not in child.before

    def test_pipes(self, agent):
        assert su(agent, "tr a-z A-Z", input="through\n").stdout == "THROUGH\n"

    def test_death_by_signal(self, agent):
        assert su(agent, "kill -TERM $$").returncode in (143, 15)

    @pytest.mark.parametrize("command", ["--help", "-c", "", "-x", "exit 9; #"])
    def test_odd_commands_end_as_for_a_plain_user(self, agent, plain, command):
        assert su(agent, command).returncode == su(plain, command).returncode


class TestByOrdinaryUser:
    def login(self, plain, agent, script):
        child = spawn(["runuser", "-u", plain.name, "--", "su", "-", agent.name, "-c", script])
        child.expect("(?i)password:")
        child.sendline(accounts.PASSWORD)
        return child

    def test_command(self, plain, with_password):
        child = self.login(plain, with_password, "echo me=$(id -un); exit 7")
        child.expect(f"me={with_password.name}")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 7

    def test_interactive(self, plain, with_password):
        child = spawn(["runuser", "-u", plain.name, "--", "su", "-", with_password.name])
        child.expect("(?i)password:")
        child.sendline(accounts.PASSWORD)
        child.sendline("echo me=$(id -un) tty=$(tty)")
        child.expect(f"me={with_password.name} tty=/dev/pts/0")
        child.sendline("exit")
        child.expect(pexpect.EOF)
        child.close()

    def test_wrong_password(self, plain, with_password):
        child = spawn(["runuser", "-u", plain.name, "--", "su", "-", with_password.name, "-c", "id"])
        child.expect("(?i)password:")
        child.sendline("wrong")
        child.expect("(?i)failure", timeout=30)
        child.close()

    def test_another_shell_is_not_given(self, plain, with_password):
        """agentsh is not in /etc/shells, so su -s is refused by su itself."""
        child = spawn(["runuser", "-u", plain.name, "--", "su", "-s", "/bin/bash", with_password.name, "-c",
                       "echo pid namespace $(readlink /proc/self/ns/pid)."])
        child.expect("(?i)password:")
        child.sendline(accounts.PASSWORD)
        child.expect(r"pid namespace (\S+)\.")
        assert child.match.group(1) != host.namespace("self", "pid")
        child.expect(pexpect.EOF)
        child.close()

    def test_the_same_jail_as_by_root(self, plain, with_password, usual):
        child = self.login(plain, with_password, FACTS)
        child.expect(pexpect.EOF)
        child.close()
        inside = child.before.replace("\r", "").strip()
        for line in usual.splitlines():
            if line.startswith(("Cap", "NoNewPrivs", "Seccomp")) or line == str(with_password.uid):
                assert line in inside


@BOTH
class TestOddCaller:
    """The caller's limits, mask, signals, stdio and niceness do not reach the jail."""

    def check(self, agent, usual, preexec):
        done = su(agent, FACTS, preexec_fn=preexec)
        assert done.returncode == 0, done.stderr
        assert done.stdout == usual

    def test_few_open_files(self, agent, usual):
        self.check(agent, usual, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)))

    def test_umask(self, agent, usual):
        self.check(agent, usual, lambda: os.umask(0o777))

    def test_sigchld_ignored(self, agent, usual):
        self.check(agent, usual, lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))

    def test_exit_status_with_sigchld_ignored(self, agent):
        done = su(agent, "exit 3", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert done.returncode in (3, 1)  # 1: su itself has lost the status of its child
        assert not agent.processes()

    def test_all_signals_ignored(self, agent, usual):
        def ignore():
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)
        self.check(agent, usual, ignore)

    def test_signals_blocked(self, agent, usual):
        self.check(agent, usual, lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP}))

    def test_nice(self, agent, usual):
        self.check(agent, usual, lambda: os.nice(7))

    def test_scheduling(self, agent):
        def change():
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        show = "grep Cpus_allowed_list /proc/self/status; chrt -p $$ | cut -d: -f2; ulimit -Sa; ulimit -Ha"
        assert su(agent, show, preexec_fn=change).stdout == su(agent, show).stdout

    def test_small_file_size_and_cpu_limits(self, agent, usual):
        def limit():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
        self.check(agent, usual, limit)

    def test_closed_stdio(self, agent, usual):
        target = agent.data / "facts"

        def close():
            for fd in (0, 1, 2):
                os.close(fd)
        process = subprocess.Popen(["su", "-", agent.name, "-c", f"({FACTS}) > facts 2>/dev/null"],
                                   env=environment(), preexec_fn=close)
        assert process.wait(20) == 0
        assert target.read_text() == usual
        target.unlink()

    def test_other_directory_and_environment(self, agent):
        done = su(agent, "pwd; env", cwd="/proc",
                  env=environment(LD_PRELOAD="/nonexistent.so", GLIBC_TUNABLES="glibc.malloc.check=3",
                                  AGENTSH_SOCKET="/tmp/x", BASH_ENV="/etc/passwd", LOCPATH="/tmp"))
        lines = done.stdout.splitlines()
        assert lines[0] == agent.home
        assert not [line for line in lines if line.startswith(("LD_", "GLIBC_", "AGENTSH_", "BASH_ENV", "LOCPATH"))]

    def test_caller_in_its_own_namespaces(self, agent, usual):
        done = host.run("unshare", "-m", "su", "-", agent.name, "-c", FACTS, env=environment())
        assert done.stdout == usual, done.stderr
