"""What sshd does beside the login shell: forwarding, agents, X11, files it reads, subsystems. With the snippet."""
import os
import socket
import subprocess
import threading
import time

import accounts
import host
import installation
import pytest
from need import need_program
from sshd import Client, Sshd, end, environment, free_port, listening

SECRET = b"host secret\n"


@pytest.fixture(scope="module")
def service():
    """A service on the host's loopback that greets with a secret."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.sendall(SECRET)
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.close()


def read_from(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 3) as connection:
            connection.settimeout(3)
            return connection.recv(100)
    except OSError:
        return b""


@pytest.fixture
def forward(client):
    """Start ssh with forwarding flags and -N; ended with the test."""
    running = []

    def start(*flags):
        process = client.popen(flags=["-N", "-o", "ExitOnForwardFailure=no", *flags])
        running.append(process)
        time.sleep(1.0)
        return process

    yield start
    for process in running:
        end(process)


class TestForwarding:
    def test_the_test_works_for_a_plain_user(self, sshd, plain, service):
        assert Client(sshd, plain).run(flags=["-W", f"127.0.0.1:{service}"]).stdout.encode() == SECRET

    def test_direct_tcp(self, client, service):  # 1
        assert client.run(flags=["-W", f"127.0.0.1:{service}"]).stdout == ""

    def test_local(self, forward, service):  # 1
        port = free_port()
        forward("-L", f"127.0.0.1:{port}:127.0.0.1:{service}")
        assert read_from(port) == b""

    def test_dynamic(self, forward, service):  # 1
        port = free_port()
        forward("-D", f"127.0.0.1:{port}")
        try:
            with socket.create_connection(("127.0.0.1", port), 3) as proxy:
                proxy.settimeout(3)
                proxy.sendall(b"\x05\x01\x00")
                proxy.recv(2)
                proxy.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + service.to_bytes(2, "big"))
                answer = proxy.recv(10)
                assert len(answer) < 2 or answer[1] != 0 or proxy.recv(100) == b""
        except OSError:
            pass

    def test_remote(self, forward, service):  # 2
        port = free_port()
        forward("-R", f"127.0.0.1:{port}:127.0.0.1:{service}")
        assert not listening(port)

    def test_local_to_a_unix_socket(self, forward, work):  # 3
        path = work / "host.sock"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            path.chmod(0o777)
            server.listen()
            server.settimeout(2)
            port = free_port()
            forward("-L", f"127.0.0.1:{port}:{path}")
            threading.Thread(target=read_from, args=(port,), daemon=True).start()
            with pytest.raises(TimeoutError):
                server.accept()
        path.unlink()

    def test_remote_unix_socket(self, forward, service):  # 4
        path = f"/tmp/agtest-{os.getpid()}.sock"
        forward("-R", f"{path}:127.0.0.1:{service}")
        assert not os.path.exists(path)

    def test_tunnel(self, client):
        done = client.run("echo in", flags=["-w", "any:any", "-o", "ExitOnForwardFailure=yes"])
        assert not [name for name in os.listdir("/sys/class/net") if name.startswith("tun")]
        assert done.returncode != 0 or done.stdout == "in\n"


class TestAgentAndX11:
    def test_agent_forwarding(self, client, work):  # 5
        started = host.run("ssh-agent", "-a", work / "agent.sock", "-s")
        pid = int(started.stdout.split("SSH_AGENT_PID=")[1].split(";")[0])
        try:
            before = set(os.listdir("/tmp"))
            argv = client.command("echo sock=$SSH_AUTH_SOCK; sleep 0.5", flags=["-A"])
            process = subprocess.Popen(argv, env=environment(SSH_AUTH_SOCK=str(work / "agent.sock")),
                                       stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            line = process.stdout.readline()
            new = {name for name in set(os.listdir("/tmp")) - before if name.startswith("ssh-")}
            process.wait(10)
            process.stdout.close()
            assert line == b"sock=\n"
            assert not new
        finally:
            os.kill(pid, 15)

    def test_x11(self, client):  # 6
        def displays():
            return {port for port in range(6000, 6100) if listening(port)}
        before = displays()
        argv = client.command("echo display=$DISPLAY", flags=["-X"])
        done = host.run(*argv, env=environment(DISPLAY="127.0.0.1:77"))
        assert "display=\n" in done.stdout
        assert displays() == before


MARKER = "/var/tmp/agtest-marker"


@pytest.fixture
def marker():
    """A name on the host that no planted file may bring into being. The directory is everybody's."""
    if os.path.exists(MARKER):
        os.unlink(MARKER)
    yield MARKER
    existed = os.path.exists(MARKER)
    if existed:
        os.unlink(MARKER)
    assert not existed, "code of the agent's ran on the host"


class TestFilesOfTheAgent:
    """7 to 10: whatever the agent writes into its home is not read outside."""

    def plant(self, agent, marker):
        script = f"#!/bin/sh\ntouch {marker}\n"
        agent.write(".ssh/rc", script, 0o755)
        agent.write(".ssh/environment", f"BASH_ENV=/proc/self/cwd/{marker}\nPLANTED=yes\n")
        agent.write(".pam_environment", "LD_PRELOAD DEFAULT=/home/x/planted.so\nPLANTED DEFAULT=yes\n")
        for name in (".hushlogin", ".forward", ".rhosts", ".shosts", ".k5login"):
            agent.write(name, f"|/usr/bin/touch {marker}\n")

    def unplant(self, agent):
        for name in (".ssh", ".pam_environment", ".hushlogin", ".forward", ".rhosts", ".shosts", ".k5login"):
            host.run("rm", "-rf", agent.data / name)

    @pytest.mark.parametrize("way", ["ssh", "su"])
    def test_planted_files(self, client, agent, marker, way):
        self.plant(agent, marker)
        try:
            if way == "ssh":
                done = client.run("env")
            else:
                done = host.run("su", "-", agent.name, "-c", "env", env=environment())
            assert done.returncode == 0, done.stderr
            assert "PLANTED" not in done.stdout and "LD_PRELOAD" not in done.stdout + done.stderr
        finally:
            self.unplant(agent)

    def test_planted_files_with_a_lax_sshd(self, work, agent, marker):
        """Global settings as wide open as sshd allows: the passwd home holds nothing of the agent's."""
        self.plant(agent, marker)
        try:
            with Sshd(work / "lax", extra="PermitUserEnvironment yes\nAcceptEnv *\nPermitUserRC yes") as server:
                client = Client(server, agent, options=["SetEnv=LD_PRELOAD=/tmp/x.so PLANTED=yes"])
                done = client.run("env")
            assert done.returncode == 0, done.stderr
            assert "LD_PRELOAD" not in done.stdout + done.stderr and "PLANTED" not in done.stdout
        finally:
            self.unplant(agent)

    def test_key_added_from_inside(self, sshd, client, agent, work):
        stranger = accounts.make_key(work / "stranger-of-the-home")
        text = open(f"{stranger}.pub").read().strip()
        done = client.run(f"mkdir -p -m 700 ~/.ssh && echo '{text}' >> ~/.ssh/authorized_keys && "
                          "chmod 600 ~/.ssh/authorized_keys && wc -l < ~/.ssh/authorized_keys")
        assert done.stdout.strip().isdigit(), done.stderr
        assert Client(sshd, agent, key=stranger).run("echo in").stdout == ""
        host.run("rm", "-rf", agent.data / ".ssh")

    def test_authorized_keys_of_root_cannot_be_changed(self, client, agent):
        done = client.run(f"ls -la {agent.home}/.. /etc/agentsh; echo x >> /etc/agentsh/keys/{agent.name}")
        assert done.returncode != 0


class TestSubsystem:
    def test_internal_sftp(self, work, agent):  # 11
        with Sshd(work / "internal", sftp="internal-sftp") as server:
            client = Client(server, agent)
            done = host.run("sftp", "-b", "-", *client.options("-P"), client.address,
                            input="ls /var/lib\nput /etc/hostname /var/tmp/agtest-by-sftp\n")
        assert "agentsh" not in done.stdout
        assert not os.path.exists("/var/tmp/agtest-by-sftp")


class TestPamServices:
    def test_systemd_user(self, agent):  # 12
        need_program("pamtester")
        assert host.run("pamtester", "systemd-user", agent.name, "acct_mgmt").returncode != 0
        assert host.run("pamtester", "systemd-user", agent.name, "open_session").returncode != 0

    def test_not_a_valid_shell(self, installed):  # 14
        assert str(host.SHELL) not in open("/etc/shells").read().split()

    def test_chsh_is_refused(self, agent):  # 14
        accounts.set_password(agent.name)
        done = host.run("runuser", "-u", agent.name, "--", "chsh", "-s", "/bin/bash", input=accounts.PASSWORD + "\n")
        assert done.returncode != 0
        import pwd
        assert pwd.getpwnam(agent.name).pw_shell == str(host.SHELL)

    def test_no_pam(self, work, agent):  # 16
        with Sshd(work / "no-pam", use_pam="no") as server:
            done = Client(server, agent).run("echo inside-$((40+2))")
        assert "inside-42" not in done.stdout and done.returncode != 0

    def test_shell_run_by_hand(self, agent):
        """Without a session, or with a forged one, agentsh runs nothing."""
        for value in (None, "/tmp/none", "/run/agentsh/control", "relative", "/run/agentsh/sessions/../control"):
            variables = environment() if value is None else environment(AGENTSH_SOCKET=value)
            done = host.run(host.SHELL, "-c", "echo inside-$((40+2))", env=variables,
                            preexec_fn=accounts.drop_to(agent.uid, agent.gid))
            assert "inside-42" not in done.stdout and done.returncode != 0

    def test_session_of_another_account(self, client, plain):
        """Another user who knows the path of a live session's socket does not get in."""
        process = client.popen("echo up; sleep 20")
        assert process.stdout.readline() == b"up\n"
        try:
            path = host.SESSIONS / installation.sessions_of(client.account)[0]["id"] / "attach"
            done = host.run(host.SHELL, "-c", "echo inside-$((40+2))", env=environment(AGENTSH_SOCKET=str(path)),
                            preexec_fn=accounts.drop_to(plain.uid, plain.gid))
            assert "inside-42" not in done.stdout and done.returncode != 0
        finally:
            end(process)

    def test_set_env_from_the_client(self, work, agent):
        with Sshd(work / "setenv", extra="AcceptEnv *") as server:
            client = Client(server, agent, options=["SetEnv=AGENTSH_SOCKET=/tmp/forged"])
            done = client.run("echo inside-$((40+2))")
        assert "inside-42" in done.stdout or done.returncode != 0


class TestEffectiveConfiguration:
    WANTED = {"disableforwarding": "yes", "allowtcpforwarding": "no", "allowstreamlocalforwarding": "no",
              "allowagentforwarding": "no", "x11forwarding": "no", "permittunnel": "no", "gatewayports": "no",
              "permituserrc": "no", "permitopen": "none", "permitlisten": "none"}

    def effective(self, sshd, name):
        done = host.run("/usr/sbin/sshd", "-T", "-f", sshd.config, "-C", f"user={name},host=x,addr=127.0.0.1",
                        check=True)
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)

    def test_agents_get_every_switch(self, sshd, agent):
        found = self.effective(sshd, agent.name)
        assert {name: found.get(name) for name in self.WANTED} == self.WANTED

    def test_others_keep_theirs(self, sshd, plain):
        found = self.effective(sshd, plain.name)
        assert found["allowtcpforwarding"] == "yes" and found["x11forwarding"] == "yes"
