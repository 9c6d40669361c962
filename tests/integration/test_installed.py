"""What is on the disk after an installation: no privilege in any file, static where promised, modes and owners."""
import os
import re
import shutil
import stat

import host
import installation
import pytest
from need import need_program

PROGRAMS = {"agentsh": host.SHELL, "agentsh-init": host.INIT, "agentsh-monitor": host.MONITOR, "agentshctl": host.CTL,
            "agentsh-probe": host.PROBE,
            **{name: host.INIT.with_name(name) for name in ("agentsh-launch", "agentsh-relay", "agentsh-guest")}}


@pytest.fixture(scope="module")
def variables(installed):
    text = host.run("make", "-s", "-C", host.TOP, f"O={host.BUILD}", "install-vars", check=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def module(variables):
    return os.path.join(variables["PAMDIR"], "pam_agentsh.so")


def ours(variables):
    """Every file that the installation put somewhere."""
    names = [*PROGRAMS.values(), os.path.join(variables["PAMDIR"], "pam_agentsh.so"),
             os.path.join(variables["INITDIR"], "agentsh")]
    for top in (variables["SHAREDIR"], variables["LIBEXECDIR"], variables["CONFDIR"]):
        for base, dirs, files in os.walk(top):
            names += [os.path.join(base, name) for name in files + dirs]
    return [str(name) for name in names]


class TestPrivilege:
    def test_no_setuid_no_setgid(self, variables):
        for path in ours(variables):
            assert not os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID), path

    def test_no_file_capabilities(self, variables):
        for path in ours(variables):
            assert "security.capability" not in os.listxattr(path, follow_symlinks=False), path

    def test_everything_is_roots_and_nobody_else_writes(self, variables):
        for path in ours(variables):
            found = os.lstat(path)
            assert found.st_uid == 0, path
            assert not found.st_mode & 0o022, path

    @pytest.mark.parametrize("path, mode", [("/etc/agentsh", 0o755), ("/etc/agentsh/accounts", 0o755),
                                            ("/var/lib/agentsh", 0o700), ("/var/lib/agentsh/homes", 0o700),
                                            ("/var/log/agentsh", 0o700), ("/run/agentsh", 0o711),
                                            ("/run/agentsh/sessions", 0o711), ("/run/agentsh/control", 0o600)])
    def test_modes(self, installed, path, mode):
        found = os.stat(path)
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (mode, 0)


class TestPrograms:
    @pytest.mark.parametrize("name", ["agentsh", "agentsh-init"])
    def test_static(self, installed, name):
        done = host.run("ldd", PROGRAMS[name])
        assert re.search("statically linked|not a dynamic executable", done.stdout + done.stderr)

    @pytest.mark.parametrize("name", PROGRAMS)
    def test_hardened(self, installed, name):
        need_program("readelf", "binutils")
        text = host.run("readelf", "-hldW", PROGRAMS[name], check=True).stdout
        assert re.search(r"Type:\s+DYN", text), "position independent"
        assert "GNU_RELRO" in text
        assert not re.search(r"GNU_STACK.*RWE", text)
        assert re.search(r"BIND_NOW|FLAGS_1.*NOW", text) or "There is no dynamic section" in text

    def test_module_exports_only_the_pam_functions(self, module):
        need_program("nm", "binutils")
        text = host.run("nm", "-D", "--defined-only", module, check=True).stdout
        names = {line.split()[-1].split("@")[0] for line in text.splitlines() if " T " in line or " D " in line}
        assert names and all(name.startswith("pam_sm_") for name in names), names

    def test_module_needs_nothing_but_libc_and_libpam(self, module):
        text = host.run("readelf", "-dW", module, check=True).stdout
        needed = set(re.findall(r"NEEDED.*\[(.*?)\]", text))
        assert needed <= {"libpam.so.0", "libc.so.6"}

    def test_no_fault_points_in_what_is_installed(self, installed):
        for path in PROGRAMS.values():
            assert b"AGENTSH_FAULT" not in path.read_bytes()

    @pytest.mark.parametrize("name", ["agentsh-monitor", "agentshctl"])
    def test_version_and_help(self, installed, name):
        version = (host.TOP / "VERSION").read_text().strip()
        assert version in host.run(PROGRAMS[name], "--version").stdout
        assert host.run(PROGRAMS[name], "--help").returncode == 0

    def test_probe(self, installed):
        done = host.run(host.MONITOR, "--probe")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_monitor_is_for_root(self, installed, plain):
        from accounts import drop_to
        done = host.run(host.MONITOR, "--listen", preexec_fn=drop_to(plain.uid, plain.gid))
        assert done.returncode != 0 and "root" in done.stderr


class TestHost:
    def test_not_in_etc_shells(self, installed):
        assert str(host.SHELL) not in open("/etc/shells").read().split()

    @pytest.mark.parametrize("name", ["common-account", "common-session", "common-session-noninteractive"])
    def test_pam_lines(self, installed, name):
        path = f"/etc/pam.d/{name}"
        if not os.path.exists(path):
            pytest.skip("PAM has no such file here")
        lines = [line.split() for line in open(path) if "pam_agentsh.so" in line and not line.startswith("#")]
        assert len(lines) == 1 and lines[0][1] == "required"

    def test_accounts_home_and_data(self, agent):
        home = os.stat(agent.home)
        assert home.st_uid == 0 and not home.st_mode & 0o022
        data = os.lstat(agent.data)
        assert data.st_uid == agent.uid and stat.S_ISDIR(data.st_mode) and not data.st_mode & 0o022

    def test_agents_uid_cannot_reach_the_data_homes(self, agent):
        from accounts import drop_to
        done = host.run("ls", agent.data, preexec_fn=drop_to(agent.uid, agent.gid))
        assert done.returncode != 0

    def test_man_pages(self, installed):
        for page in ("agentsh.8", "pam_agentsh.8", "agentsh-monitor.8", "agentshctl.8", "agentsh.ini.5"):
            path = host.PREFIX / "share/man" / f"man{page[-1]}" / page
            assert path.exists(), path

    def test_key_table_of_the_man_page(self, installed):
        text = (host.PREFIX / "share/man/man5/agentsh.ini.5").read_text()
        for key in ("max_sessions", "session_time", "fake_root", "open_files"):
            assert key in text.replace("\\-", "-")


class TestInstallAgain:
    def test_idempotent(self, installed, agent):
        """A second installation changes no file and ends no account."""
        def state():
            return {path: (os.stat(path).st_size, open(path, "rb").read())
                    for path in [str(p) for p in PROGRAMS.values()] +
                    ["/etc/pam.d/common-session", "/etc/pam.d/common-account", "/etc/agentsh/agentsh.ini"]
                    if os.path.exists(path)}
        before = state()
        done = installation.install("--no-deps")
        assert done.returncode == 0, done.stdout + done.stderr
        assert state() == before
        from sshd import environment
        assert host.run("su", "-", agent.name, "-c", "echo in", env=environment()).stdout == "in\n"

    def test_outdated_listener_is_replaced(self, installed, agent, work):
        """One that runs a program which is no longer the installed one would make sessions of the old."""
        if installation.systemd():
            return  # A monitor is started for each session there.
        old = installation.listener_pid()
        copy = host.MONITOR.with_name("agentsh-monitor.new")
        shutil.copy2(host.MONITOR, copy)
        copy.rename(host.MONITOR)
        installation.start_listener()
        new = installation.listener_pid()
        assert new != old and os.readlink(f"/proc/{new}/exe") == str(host.MONITOR)
        installation.start_listener()
        assert installation.listener_pid() == new, "one that is up to date goes on"
