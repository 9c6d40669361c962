"""Every way of using an account through the real sshd: terminals, commands, files, many channels."""
import concurrent.futures
import hashlib
import os
import re
import signal
import subprocess
import time

import host
import installation
import pexpect
import pytest
from need import need_program
from sshd import end, wait_for_line

PROMPT = "READY> "
BIG = 256 * 1024 * 1024


@pytest.fixture
def shell(client):
    """An interactive login with a prompt that nothing else prints."""
    child = client.spawn()
    child.setecho(False)
    child.sendline(f"PS1='{PROMPT[:3]}''{PROMPT[3:]}'; PROMPT_COMMAND=; bind 'set enable-bracketed-paste off'; "
                   "stty -echo")
    child.expect_exact(PROMPT)
    return child


def ask(child, line, timeout=20):
    """Send a line, return what it printed."""
    child.sendline(line)
    child.expect_exact(PROMPT, timeout=timeout)
    return child.before.replace("\r", "").strip()


class TestInteractive:
    def test_is_a_login_shell_on_a_terminal_of_its_own(self, shell, agent):
        assert ask(shell, "id -un") == agent.name
        assert ask(shell, "tty") == "/dev/pts/0"
        assert ask(shell, "shopt login_shell").endswith("on")
        assert ask(shell, "pwd") == agent.home

    def test_control_c_ends_the_job_not_the_shell(self, shell):
        shell.sendline("sleep 100; echo status $?")
        time.sleep(0.5)
        shell.sendintr()
        shell.expect_exact(PROMPT)
        assert ask(shell, "echo alive") == "alive"

    def test_control_z_and_fg(self, shell):
        shell.sendline("sleep 100")
        time.sleep(0.5)
        shell.sendcontrol("z")
        shell.expect("Stopped")
        shell.expect_exact(PROMPT)
        assert "Stopped" in ask(shell, "jobs")
        shell.sendline("fg")
        shell.expect("sleep 100")
        time.sleep(0.3)
        shell.sendintr()
        shell.expect_exact(PROMPT)
        assert ask(shell, "jobs") == ""

    def test_control_d_ends_the_session(self, shell):
        shell.sendeof()
        shell.expect(pexpect.EOF)
        shell.close()
        assert shell.exitstatus == 0

    def test_exit_status(self, shell):
        shell.sendline("exit 7")
        shell.expect(pexpect.EOF)
        shell.close()
        assert shell.exitstatus == 7

    def test_window_size_at_the_start_and_when_it_changes(self, shell):
        assert ask(shell, "stty size") == "24 80"
        shell.sendline("bash -c 'trap \"echo size \\$(stty size); exit\" WINCH; echo set; while :; do sleep 0.1; done'")
        shell.expect("set\r\n")
        shell.setwinsize(50, 132)
        shell.expect("size 50 132", timeout=10)
        shell.expect_exact(PROMPT)
        assert ask(shell, "stty size") == "50 132"

    def test_editor(self, shell, agent):
        need_program("vi", "vim-tiny")
        shell.sendline("vi -u NONE note.txt")
        shell.expect("note.txt")
        shell.send("ihello from inside\x1b:wq\r")
        shell.expect_exact(PROMPT)
        assert ask(shell, "cat note.txt") == "hello from inside"
        assert (agent.data / "note.txt").read_text() == "hello from inside\n"

    def test_pager(self, shell):
        need_program("less")
        shell.sendline("seq 1 500 | less")
        shell.expect("20")
        shell.send("G")
        shell.expect("500")
        shell.send("q")
        shell.expect_exact(PROMPT)

    def test_terminal_settings_are_carried_over(self, client):
        for setting, wanted in (("iutf8", r"(?<!-)iutf8"), ("-iutf8", "-iutf8"), ("intr ^X", r"intr = \^X")):
            child = client.spawn("stty -a", before=f"stty {setting}")
            child.expect(pexpect.EOF)
            assert re.search(wanted, child.before)

    def test_no_last_line_is_lost(self, client):
        for _ in range(3):
            child = client.spawn("seq 20000")
            child.expect(pexpect.EOF)
            child.close()
            assert re.search(r"\r\n20000\r\n(Connection to .* closed\.\s*)?$", child.before)
            assert child.exitstatus == 0

    def test_terminal_hangup_ends_the_session(self, client, agent):
        child = client.spawn()
        child.sendline("trap '' HUP TERM; sleep 1000")
        assert host.wait_until(lambda: any("sleep" in p.command for p in agent.processes()), 10)
        child.close(force=True)
        assert host.wait_until(lambda: not agent.processes())


class TestCommand:
    @pytest.mark.parametrize("status", [0, 7, 255])
    def test_status(self, client, status):
        assert client.run(f"exit {status}").returncode == status

    @pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV"])
    def test_death_by_signal(self, client, name):
        done = client.run(f"kill -{name} $$", flags=["-o", "LogLevel=DEBUG1"])
        assert done.returncode == 255
        assert "exit-signal" in done.stderr

    def test_death_by_signal_leaves_no_core(self, client, agent):
        client.run("kill -SEGV $$")
        assert not list(agent.data.glob("core*"))

    def test_stderr_is_apart(self, client):
        done = client.run("echo out; echo err >&2")
        assert (done.stdout, done.stderr) == ("out\n", "err\n")

    def test_nothing_but_the_command_on_stdout(self, client):
        assert client.run("true").stdout == ""

    def test_no_terminal(self, client):
        assert client.run("tty; test -t 0").stdout == "not a tty\n"

    def test_end_of_input(self, client):
        assert client.run("wc -c", input="12345").stdout.strip() == "5"

    def test_half_close(self, client):
        """The command goes on writing after its input ended."""
        assert client.run("cat; sleep 0.3; echo after", input="before\n").stdout == "before\nafter\n"

    def test_script_on_stdin(self, client, agent):
        assert client.run("bash -s", input="id -un\nexit 3\n").stdout == f"{agent.name}\n"

    def test_stdout_can_be_opened_again(self, client):
        done = client.run("echo again > /dev/stdout; echo wrong > /dev/stderr")
        assert (done.stdout, done.stderr) == ("again\n", "wrong\n")

    def test_quoting_arrives_as_it_was_sent(self, client):
        assert client.run("printf '%s|' 'a b' \"c\" '$HOME' 'new\nline'").stdout == "a b|c|$HOME|new\nline|"

    def test_long_command(self, client):
        word = "x" * 60_000
        assert client.run(f"printf %s {word} | wc -c").stdout.strip() == "60000"

    def test_command_with_terminal(self, client):
        child = client.spawn("tty; exit 4")
        child.expect("/dev/pts/0")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 4

    def test_background_process_does_not_hold_the_channel_of_a_terminal(self, client):
        start = time.monotonic()
        child = client.spawn("sleep 300 & echo started")
        child.expect("started")
        child.expect(pexpect.EOF)
        assert time.monotonic() - start < 15 * host.PATIENCE

    def test_environment(self, client):
        lines = dict(line.split("=", 1) for line in client.run("env").stdout.splitlines() if "=" in line)
        assert lines["HOME"].endswith(client.account.name)
        assert lines["USER"] == lines["LOGNAME"] == client.account.name
        assert "SSH_CONNECTION" in lines
        assert "AGENTSH_SOCKET" not in lines
        assert not [name for name in lines if name.startswith("LD_")]


class TestData:
    @pytest.fixture(scope="class")
    def big(self, work):
        path = work / "big"
        digest = hashlib.sha256()
        with open(path, "wb") as out:
            for _ in range(BIG // (1 << 20)):
                block = os.urandom(1 << 20)
                digest.update(block)
                out.write(block)
        yield path, digest.hexdigest()
        path.unlink()

    def test_256_mib_through_cat(self, client, big):
        path, wanted = big
        digest = hashlib.sha256()
        with open(path, "rb") as source:
            with client.popen("cat", stdin=source) as process:
                while block := process.stdout.read(1 << 20):
                    digest.update(block)
                assert process.wait(60) == 0
                assert process.stderr.read() == b""
        assert digest.hexdigest() == wanted

    def sftp(self, client, batch):
        options = client.options("-P")
        return host.run("sftp", "-b", "-", *options, client.address, input=batch, timeout=120)

    def test_sftp_both_ways(self, client, big, work, agent):
        path, wanted = big
        done = self.sftp(client, f"put {path} up\nget up {work}/down\nrm up\nls -l\n")
        assert done.returncode == 0, done.stderr
        assert hashlib.sha256((work / "down").read_bytes()).hexdigest() == wanted
        (work / "down").unlink()
        assert not (agent.data / "up").exists()

    def test_sftp_sees_the_inside_only(self, client):
        done = self.sftp(client, "ls /var/lib/agentsh\n")
        assert done.returncode != 0
        done = self.sftp(client, "get /etc/passwd /dev/stdout\n")
        assert "agplain" not in done.stdout

    @pytest.mark.parametrize("legacy", [False, True], ids=["sftp protocol", "scp protocol"])
    def test_scp_both_ways(self, client, work, agent, legacy):
        flag = ["-O"] if legacy else []
        source = work / "scp-source"
        source.write_bytes(os.urandom(300_000))
        done = host.run("scp", *flag, *client.options("-P"), source, f"{client.address}:copied")
        assert done.returncode == 0, done.stderr
        assert (agent.data / "copied").read_bytes() == source.read_bytes()
        assert (agent.data / "copied").stat().st_uid == agent.uid
        done = host.run("scp", *flag, *client.options("-P"), f"{client.address}:copied", work / "scp-back")
        assert done.returncode == 0, done.stderr
        assert (work / "scp-back").read_bytes() == source.read_bytes()
        (agent.data / "copied").unlink()

    def test_rsync_both_ways(self, client, work, agent):
        need_program("rsync")
        tree = work / "tree"
        for name in ("a/one", "a/b/two", "three"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(os.urandom(50_000))
        shell = " ".join(["ssh", *client.options()])
        done = host.run("rsync", "-a", "--no-o", "--no-g", "-e", shell, f"{tree}/", f"{client.address}:tree/")
        assert done.returncode == 0, done.stderr
        done = host.run("rsync", "-a", "--no-o", "--no-g", "-e", shell, f"{client.address}:tree/", f"{work}/tree-back/")
        assert done.returncode == 0, done.stderr
        assert host.run("diff", "-r", tree, work / "tree-back").returncode == 0
        host.run("rm", "-r", agent.data / "tree")

    def test_git_clone_and_push(self, client, work, agent):
        need_program("git")
        assert client.run("git init -q --bare project.git").returncode == 0
        environment = {"PATH": os.environ["PATH"], "HOME": str(work), "GIT_SSH_COMMAND":
                       " ".join(["ssh", *client.options()]), "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
                       "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
        url = f"{client.address}:project.git"

        def git(*words):
            done = host.run("git", *words, env=environment)
            assert done.returncode == 0, done.stderr

        git("clone", "-q", url, work / "clone")
        (work / "clone/file").write_text("content\n")
        git("-C", work / "clone", "add", "file")
        git("-C", work / "clone", "commit", "-q", "-m", "one")
        git("-C", work / "clone", "push", "-q", "origin", "HEAD:main")
        git("clone", "-q", "-b", "main", url, work / "clone2")
        assert (work / "clone2/file").read_text() == "content\n"
        host.run("rm", "-rf", agent.data / "project.git")


class TestChannels:
    def test_nine_channels_share_one_isolation(self, control, agent):
        control.master()
        # Each waits for all, at both ends: how fast the machine starts nine channels does not matter.
        script = ("all() {{ until [ $(ls /tmp/$1.* | wc -l) = 9 ]; do sleep 0.05; done; }}; "
                  "echo $$ > /tmp/channel.{n}; all channel; cat /tmp/channel.* | wc -l; "
                  "readlink /proc/self/ns/pid /proc/self/ns/mnt; "
                  "for f in /tmp/channel.*; do kill -0 $(cat $f) || echo gone; done; : > /tmp/end.{n}; all end")
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            done = list(pool.map(lambda n: control.run(script.format(n=n)), range(9)))
        outputs = {d.stdout for d in done}
        assert [d.returncode for d in done] == [0] * 9
        assert len(outputs) == 1
        assert outputs.pop().splitlines()[0] == "9"
        assert len(installation.sessions_of(agent)) == 1

    def test_process_outlives_its_channel_not_its_session(self, control, agent):
        master = control.master()
        done = control.run("setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!")
        assert done.returncode == 0
        pid = done.stdout.strip()
        assert control.run(f"kill -0 {pid} && echo alive").stdout == "alive\n"
        end(master)
        assert host.wait_until(lambda: not agent.processes())

    def test_file_in_tmp_is_shared_between_channels_and_gone_with_the_session(self, control, client):
        control.master()
        control.run("echo kept > /tmp/file")
        assert control.run("cat /tmp/file").stdout == "kept\n"
        assert client.run("cat /tmp/file").returncode != 0

    def test_sftp_joins_the_same_isolation(self, control, work):
        control.master()
        control.run("echo inside > /tmp/only-here")
        done = host.run("sftp", "-b", "-", *control.options("-P"), control.address,
                        input=f"get /tmp/only-here {work}/got\n")
        assert done.returncode == 0, done.stderr
        assert (work / "got").read_text() == "inside\n"

    def test_no_shell_at_all(self, client, agent):
        process = client.popen(flags=["-N"])
        assert host.wait_until(lambda: installation.sessions_of(agent), 20)
        end(process)
        assert host.wait_until(lambda: not installation.sessions_of(agent))


class TestClientKilled:
    @pytest.mark.parametrize("terminal", [False, True], ids=["no terminal", "terminal"])
    def test_mid_run(self, client, agent, terminal):
        script = ("setsid sleep 1001 & nohup sleep 1002 >/dev/null 2>&1 & (setsid sh -c 'sleep 1003 &' &) ; "
                  "echo started; sleep 1000")
        if terminal:
            child = client.spawn(script)
            child.expect("started")
            os.kill(child.pid, signal.SIGKILL)
            child.close(force=True)
        else:
            process = client.popen(script)
            assert b"started" in wait_for_line(process)
            process.kill()
            process.wait()
        assert host.wait_until(lambda: not agent.processes()), agent.processes()

    def test_while_data_flows(self, client, agent):
        process = client.popen("cat /dev/zero", stdout=subprocess.PIPE)
        process.stdout.read(1 << 20)
        process.kill()
        process.wait()
        assert host.wait_until(lambda: not agent.processes()), agent.processes()
