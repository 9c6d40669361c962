"""agentshctl account and policy against the real user database: all or nothing, whatever fails."""
import grp
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import host
import pytest
from private_ctl import PREFIX, group_exists, in_private_mounts, make_person, settle, snapshot

STEPS = ["policy draft", "group", "user", "user manager", "egress guard", "data home", "passwd home", "keys", "policy"]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "id"
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, check=True)
    return path


# ---- account add

def test_add_makes_everything_as_it_must_be(tool, key):
    name = f"{PREFIX}01"
    done = tool("account", "add", name, "--template", "small", "--key", f"{key}.pub", "--shell", "/bin/sh")
    entry = pwd.getpwnam(name)
    assert entry.pw_shell == str(tool.shell) and entry.pw_uid >= 1000
    assert grp.getgrgid(entry.pw_gid).gr_name == name
    assert name in grp.getgrnam("agents").gr_mem
    assert entry.pw_dir == f"/home/{name}"
    home = os.lstat(entry.pw_dir)
    assert (home.st_uid, home.st_gid, stat.S_IMODE(home.st_mode)) == (0, 0, 0o755)
    assert os.listdir(entry.pw_dir) == []
    shadow = host.run("getent", "shadow", name).stdout
    assert shadow.split(":")[1].startswith("!")
    data = tool.state / "homes" / name
    for path, uid in ((tool.state, 0), (tool.state / "homes", 0), (data, entry.pw_uid)):
        st = path.lstat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (uid, 0o700), path
    assert {p.name for p in data.iterdir()} == {p.name for p in pathlib.Path("/etc/skel").iterdir()
                                                if p.is_file() and not p.is_symlink() or p.is_dir()}
    assert all(p.lstat().st_uid == entry.pw_uid for p in data.rglob("*"))
    keys = tool.config / "keys" / name
    assert (keys.stat().st_uid, stat.S_IMODE(keys.stat().st_mode)) == (0, 0o644)
    assert keys.read_text() == 'restrict,pty,command="agentsh-session" ' + pathlib.Path(f"{key}.pub").read_text()
    policy = tool.config / "accounts" / f"{name}.ini"
    assert (policy.stat().st_uid, stat.S_IMODE(policy.stat().st_mode)) == (0, 0o600)
    assert os.listdir(tool.config / "accounts") == [policy.name]
    assert name in done.stdout and str(policy) in done.stdout
    values = {(v["section"], v["key"]): v for v in tool.json("policy", "explain", name)}
    assert values["limits", "memory"]["value"] == "64M"
    assert values["limits", "memory"]["file"] == "templates/small.ini"
    assert values["account", "shell"]["value"] == "/bin/sh"
    assert values["account", "shell"]["file"] == f"accounts/{name}.ini"


@pytest.fixture
def units():
    """systemd's directory, also where there is no systemd."""
    made = not host.UNITS.is_dir()
    host.UNITS.mkdir(parents=True, exist_ok=True)
    before = set(host.UNITS.iterdir())
    yield host.UNITS
    for path in set(host.UNITS.iterdir()) - before:
        path.unlink()
    if made:
        host.UNITS.rmdir()


def test_user_manager_is_masked(tool, units):
    """logind would start user@UID.service at each login. A unit that an administrator made stays."""
    mask, other = units / "user@61234.service", units / "user@61235.service"
    tool("account", "add", f"{PREFIX}01", "--uid", "61234")
    assert os.readlink(mask) == "/dev/null"
    tool("account", "remove", f"{PREFIX}01")
    assert not mask.is_symlink()
    other.write_text("[Service]\nExecStart=/bin/true\n")
    done = tool("account", "add", f"{PREFIX}02", "--uid", "61235", status=1)
    assert "user@61235.service" in done.stderr and other.read_text().startswith("[Service]")


def test_a_failure_leaves_an_earlier_mask(tool, units):
    mask = units / "user@61234.service"
    mask.symlink_to("/dev/null")
    tool("account", "add", f"{PREFIX}01", "--uid", "61234", status=1, env={"AGENTSH_FAULT": "policy"})
    assert os.readlink(mask) == "/dev/null"


def test_add_is_not_changed_by_the_callers_state(tool):
    name = f"{PREFIX}01"
    old = os.umask(0o777)
    try:
        tool("account", "add", name, env={"LD_LIBRARY_PATH": "/tmp", "PATH": "/tmp"},
             preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(f"/home/{name}").st_mode) == 0o755
    assert stat.S_IMODE((tool.config / "keys").stat().st_mode) == 0o755
    assert stat.S_IMODE((tool.config / "accounts" / f"{name}.ini").stat().st_mode) == 0o600


def test_add_with_uid(tool):
    tool("account", "add", f"{PREFIX}01", "--uid", "54321")
    assert pwd.getpwnam(f"{PREFIX}01").pw_uid == 54321
    for uid in ("0", "-1", "4294967295", "99999999999", "x", ""):
        tool("account", "add", f"{PREFIX}02", "--uid", uid, status=2)
    for uid in ("1", "999", "65534", "65535", "54321"):
        tool("account", "add", f"{PREFIX}02", "--uid", uid, status=1)


BAD_ARGUMENTS = [
    (["root"], "already"), (["daemon"], "already"), (["Bad"], "name"), (["-x"], None), (["a/b"], "name"),
    (["x" * 33], "name"), ([".."], "name"), ([f"{PREFIX}01", "--template", "missing"], "missing"),
    ([f"{PREFIX}01", "--template", "../agentsh"], "template"), ([f"{PREFIX}01", "--template", "broken"], "memroy"),
    ([f"{PREFIX}01", "--tier", "none"], "tier"), ([f"{PREFIX}01", "--tier", "cloud"], "not supported"),
    ([f"{PREFIX}01", "--shell", "bash"], "shell"), ([f"{PREFIX}01", "--shell", "/bin/../x"], "shell"),
    ([f"{PREFIX}01", "--shell", "/bin/sh\n[limits]\nmemory = 9T"], "shell"),
    ([f"{PREFIX}01", "--key", "/nonexistent"], "/nonexistent"), ([f"{PREFIX}01", "--key", "/etc/passwd"], "line 1"),
    ([f"{PREFIX}01", "--key", "/dev/zero"], "regular"), ([f"{PREFIX}01", "--key", "/etc"], "regular"),
    ([], None), ([f"{PREFIX}01", f"{PREFIX}02"], None), ([f"{PREFIX}01", "--unknown"], None),
]


@pytest.mark.parametrize("arguments,said", BAD_ARGUMENTS, ids=lambda value: str(value)[:40])
def test_add_refuses_and_leaves_nothing(tool, arguments, said):
    settle(tool)
    before = snapshot(tool)
    done = tool("account", "add", *arguments, status=1 if said else 2)
    assert said is None or said in done.stderr
    assert snapshot(tool) == before


def test_add_refuses_a_private_key(tool, key):
    assert "private key" in tool("account", "add", f"{PREFIX}01", "--key", key, status=1).stderr


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("convert", [False, True], ids=["add", "convert"])
def test_a_failed_step_leaves_nothing(tool, key, step, convert):
    name = f"{PREFIX}01"
    settle(tool)
    if convert:
        make_person(name, "--groups", "games,audio")
    before = snapshot(tool)
    options = ["--convert"] if convert else []
    done = tool("account", "add", name, "--key", f"{key}.pub", *options, status=1, env={"AGENTSH_FAULT": step})
    assert step in done.stderr and "cannot take back" not in done.stderr
    after = snapshot(tool)
    assert after == before
    if convert:
        assert (pathlib.Path("/home") / name / "work/file").read_text() == "mine"


REAL_FAILURES = {
    "useradd fails": 'mount -t tmpfs none /mnt && printf "#!/bin/sh\\necho no more users >&2; exit 9\\n" >/mnt/useradd'
                     ' && chmod 755 /mnt/useradd && mount --bind /mnt/useradd /usr/sbin/useradd',
    "useradd lies": "mount --bind /bin/true /usr/sbin/useradd",
    "/home is read-only": "mount --bind /home /home && mount -o remount,bind,ro /home",
    "groupadd is missing": "mount --bind /dev/null /usr/sbin/groupadd",
    "no skeleton can be read": "mount -t tmpfs -o size=4k none /etc/skel; head -c 2000000 /dev/zero >/etc/skel/x || :;"
                               "mount -t tmpfs none /etc/skel; head -c 2000000 /dev/zero >/etc/skel/x",
    "no room for the keys": "mount -t tmpfs -o size=4k,nr_inodes=1,mode=755 none {config}/keys",
}


@pytest.mark.parametrize("what", REAL_FAILURES)
def test_a_real_failure_leaves_nothing(tool, key, what):
    if what == "groupadd is missing" and group_exists("agents"):
        pytest.skip("the group agents is there already")
    settle(tool)
    before = snapshot(tool)
    mounts = REAL_FAILURES[what].format(config=tool.config)
    if what == "/home is read-only":
        # the folders of the test lie there too: only /home itself is to be read-only
        mounts += f"\nmount --bind {tool.root} {tool.root} && mount -o remount,bind,rw {tool.root}"
    done = in_private_mounts(tool, mounts, "account", "add", f"{PREFIX}01", "--key", f"{key}.pub")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "agentshctl: " in done.stderr and "cannot take back" not in done.stderr
    assert snapshot(tool) == before


def test_signals_do_not_leave_half_an_account(tool):
    """SIGTERM at many moments: the account is there as a whole, or not at all."""
    settle(tool)
    before = snapshot(tool)
    whole = 0
    for delay in range(0, 60, 6):
        process = subprocess.Popen([tool.program, "account", "add", f"{PREFIX}01"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(delay / 1000)
        process.terminate()
        process.wait(30)
        if (tool.config / "accounts" / f"{PREFIX}01.ini").exists():
            assert pwd.getpwnam(f"{PREFIX}01").pw_shell == str(tool.shell)
            assert (tool.state / "homes" / f"{PREFIX}01").exists()
            tool("account", "remove", f"{PREFIX}01")
            whole += 1
        now = snapshot(tool)
        assert now[1:] == before[1:]
        assert f"{PREFIX}01" not in now[0]["passwd"]


def test_add_refuses_unsafe_places(tool, key):
    settle(tool)
    name = f"{PREFIX}01"
    (tool.state / "homes").chmod(0o755)
    os.chown(tool.state, 1, 1)
    assert "root" in tool("account", "add", name, status=1).stderr
    os.chown(tool.state, 0, 0)
    (tool.config / "accounts").chmod(0o775)
    assert "writable" in tool("account", "add", name, status=1).stderr
    (tool.config / "accounts").chmod(0o755)
    (tool.config / "keys").rmdir()
    (tool.config / "keys").symlink_to("/tmp")
    tool("account", "add", name, "--key", f"{key}.pub", status=1)
    assert not os.path.exists(f"/tmp/{name}")
    with pytest.raises(KeyError):
        pwd.getpwnam(name)


def test_add_refuses_what_is_there_already(tool):
    settle(tool)
    name = f"{PREFIX}01"
    for path in (pathlib.Path("/home") / name, tool.state / "homes" / name):
        path.mkdir()
        assert str(path) in tool("account", "add", name, status=1).stderr
        path.rmdir()
    os.symlink("/tmp", f"/home/{name}")
    assert "already" in tool("account", "add", name, status=1).stderr
    os.unlink(f"/home/{name}")
    for path in (tool.config / "accounts" / f"{name}.ini", tool.config / "keys" / name):
        path.write_text("")
        assert str(path) in tool("account", "add", name, status=1).stderr
        path.unlink()
    host.run("groupadd", name, check=True)
    assert "group" in tool("account", "add", name, status=1).stderr
    host.run("groupdel", name, check=True)
    tool("account", "add", name)
    assert "it is an agent" in tool("account", "add", name, status=1).stderr


def test_skeleton_links_and_devices_stay_behind(tool):
    name = f"{PREFIX}01"
    mounts = """mount -t tmpfs none /etc/skel
        ln -s /etc/shadow /etc/skel/link; mkfifo /etc/skel/fifo; mkdir -p /etc/skel/.config/deep
        echo x >/etc/skel/.config/deep/file; ln /etc/skel/.config/deep/file /etc/skel/hard; chmod 4755 /etc/skel/hard
        ln -s / /etc/skel/.config/root; mknod /etc/skel/null c 1 3"""
    done = in_private_mounts(tool, mounts, "account", "add", name)
    assert done.returncode == 0, done.stderr
    data = tool.state / "homes" / name
    assert {str(p.relative_to(data)) for p in data.rglob("*")} == {".config", ".config/deep", ".config/deep/file",
                                                                    "hard"}
    assert stat.S_IMODE((data / "hard").stat().st_mode) == 0o755
    assert all(p.lstat().st_uid == pwd.getpwnam(name).pw_uid for p in data.rglob("*"))


# ---- --convert

def test_convert(tool, key):
    name = f"{PREFIX}01"
    home = make_person(name, "--groups", "games,audio")
    host.run("usermod", "-p", "$6$x$y", name, check=True)
    home.chmod(0o755)
    assert "--convert" in tool("account", "add", name, status=1).stderr
    done = tool("account", "add", "--convert", name, "--key", f"{key}.pub", "--template", "small")
    entry = pwd.getpwnam(name)
    assert entry.pw_shell == str(tool.shell) and entry.pw_dir == str(home)
    assert os.listdir(home) == [] and home.stat().st_uid == 0
    data = tool.state / "homes" / name
    assert (data / "work/file").read_text() == "mine"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700 and data.stat().st_uid == entry.pw_uid
    assert {g.gr_name for g in grp.getgrall() if name in g.gr_mem} == {"agents"}
    assert host.run("getent", "shadow", name).stdout.split(":")[1].startswith("!")
    assert "games" in done.stdout


def test_convert_refuses(tool):
    settle(tool)
    name = f"{PREFIX}01"
    for who in ("root", "daemon", "nobody", f"{PREFIX}77"):
        assert who in tool("account", "add", "--convert", who, status=1).stderr
    home = make_person(name)
    before = snapshot(tool)
    assert "lock yourself out" in tool("account", "add", "--convert", name, status=1, env={"SUDO_USER": name}).stderr
    tool("account", "add", "--convert", name, "--uid", "12345", status=1)
    entry = pwd.getpwnam(name)
    process = subprocess.Popen(["sleep", "60"], user=entry.pw_uid)
    try:
        assert "running processes" in tool("account", "add", "--convert", name, status=1).stderr
    finally:
        process.kill()
        process.wait()
    os.chown(home, 0, 0)
    assert "somebody else" in tool("account", "add", "--convert", name, status=1).stderr
    os.chown(home, entry.pw_uid, entry.pw_gid)
    home.rename(f"{home}-moved")
    home.symlink_to(f"{home}-moved")
    tool("account", "add", "--convert", name, status=1)
    home.unlink()
    pathlib.Path(f"{home}-moved").rename(home)
    assert snapshot(tool) == before


def test_convert_over_file_systems_is_refused(tool):
    name = f"{PREFIX}01"
    settle(tool)
    make_person(name)
    before = snapshot(tool)
    done = in_private_mounts(tool, f"mount -t tmpfs -o mode=700 none {tool.state}/homes", "account", "add",
                             "--convert", name)
    assert done.returncode == 1 and "different file systems" in done.stderr
    done = in_private_mounts(tool, f"mount --bind {tool.state}/homes {tool.state}/homes", "account", "add",
                             "--convert", name)
    assert done.returncode == 1 and "cannot move" in done.stderr and "cannot take back" not in done.stderr
    assert snapshot(tool) == before


# ---- account remove, account list

def test_remove_takes_everything_away(tool, key):
    settle(tool)
    had_group = group_exists("agents")
    before = snapshot(tool)
    name = f"{PREFIX}01"
    tool("account", "add", name, "--key", f"{key}.pub")
    data = tool.state / "homes" / name
    (data / "a/b").mkdir(parents=True)
    (data / "a/link").symlink_to("/etc/passwd")
    (tool.run_dir / "slots").mkdir()
    (tool.run_dir / "slots" / name).write_text("")
    tool("account", "remove", name)
    assert not (tool.run_dir / "slots" / name).exists()
    if not had_group:
        host.run("groupdel", "agents", check=True)
    assert snapshot(tool) == before
    assert os.path.exists("/etc/passwd")


def test_remove_keep_home(tool):
    name = f"{PREFIX}01"
    tool("account", "add", name)
    (tool.state / "homes" / name / "mine").write_text("x")
    tool("account", "remove", "--keep-home", name)
    assert (tool.state / "homes" / name / "mine").read_text() == "x"
    assert "earlier account" in tool("account", "add", name, status=1).stderr
    tool("account", "remove", name)
    assert not (tool.state / "homes" / name).exists()


def test_remove_refuses_who_is_no_agent(tool):
    name = f"{PREFIX}01"
    home = make_person(name)
    for who in (name, "root", f"{PREFIX}77", "../x", ""):
        tool("account", "remove", who, status=1)
    assert (home / "work/file").exists()
    tool("account", "remove", status=2)


def test_remove_is_finished_by_a_second_run(tool, key):
    name = f"{PREFIX}01"
    tool("account", "add", name, "--key", f"{key}.pub")
    done = in_private_mounts(tool, "mount --bind /bin/false /usr/sbin/userdel", "account", "remove", name)
    assert done.returncode == 1 and "userdel" in done.stderr
    assert not (tool.config / "accounts" / f"{name}.ini").exists(), "half removed, it must be closed"
    tool("account", "remove", name)
    assert not (tool.state / "homes" / name).exists() and not (tool.config / "keys" / name).exists()
    with pytest.raises(KeyError):
        pwd.getpwnam(name)


def test_list(tool):
    tool("account", "add", f"{PREFIX}01", "--template", "small")
    tool("account", "add", f"{PREFIX}02")
    (tool.config / "accounts" / f"{PREFIX}02.ini").write_text("[limits]\nmemroy = 1G\n")
    found = {entry["name"]: entry for entry in tool.json("account", "list")}
    assert found[f"{PREFIX}01"]["policy_valid"] and found[f"{PREFIX}01"]["tier"] == "jail"
    assert found[f"{PREFIX}01"]["enabled"] and found[f"{PREFIX}01"]["problem"] is None
    assert not found[f"{PREFIX}02"]["policy_valid"] and "memroy" in found[f"{PREFIX}02"]["problem"]
    text = tool("account", "list").stdout
    assert "NAME" in text and f"{PREFIX}01" in text and "memroy" in text


# ---- policy check, policy explain

def test_policy_check(tool, tmp_path):
    tool("account", "add", f"{PREFIX}01", "--template", "small")
    assert "valid" in tool("policy", "check").stdout
    bad = tool.config / "accounts" / f"{PREFIX}02.ini"
    bad.write_text("[limits]\nmemroy = 1G\ntasks = many\n[nosuch]\nx = 1\n")
    text = tool("policy", "check", status=1).stdout
    assert "memroy" in text and "memory" in text and "tasks" in text and "nosuch" in text
    assert f"accounts/{PREFIX}02.ini:2" in text
    found = {entry["policy"]: entry for entry in tool.json("policy", "check", status=1)}
    assert found[f"{PREFIX}01"]["valid"] and not found[f"{PREFIX}02"]["valid"]
    assert len(found[f"{PREFIX}02"]["issues"]) >= 3
    tool("policy", "check", f"{PREFIX}01")
    tool("policy", "check", f"{PREFIX}02", status=1)
    tool("policy", "check", f"{PREFIX}03", status=1)
    tool("policy", "check", bad, status=1)
    tool("policy", "check", tool.config / "accounts" / f"{PREFIX}01.ini")
    loose = tmp_path / "draft.ini"
    loose.write_text("[limits]\nmemory = 1G\n")
    tool("policy", "check", loose)
    loose.write_bytes(b"[limits]\nmemory = 1G\0\n")
    tool("policy", "check", loose, status=1)
    for odd in ("/dev/zero", "/nonexistent.ini", "/etc"):
        tool("policy", "check", odd, status=1)
    tool("policy", "check", "a", "b", status=2)


def test_policy_check_of_a_file_needs_no_root(tool, tmp_path_factory):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="agt-test-"))
    try:
        directory.chmod(0o755)
        file = directory / "draft.ini"
        file.write_text("[limits]\nmemory = 1G\n")
        file.chmod(0o644)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        tool("policy", "check", file, **nobody)
        file.write_text("[limits]\nmemory = lots\n")
        tool("policy", "check", file, status=1, **nobody)
        for verb in (["account", "list"], ["account", "add", "x"], ["account", "remove", "x"], ["sessions"],
                     ["kill", "0"], ["doctor"]):
            assert "root" in tool(*verb, status=1, **nobody).stderr
    finally:
        shutil.rmtree(directory)


def test_policy_explain(tool):
    tool("account", "add", f"{PREFIX}01")
    values = {(v["section"], v["key"]): v for v in tool.json("policy", "explain", f"{PREFIX}01")}
    assert values["limits", "memory"]["value"] == "512M" and values["limits", "memory"]["file"] == "agentsh.ini"
    assert values["limits", "memory"]["line"] == 2
    assert values["account", "tier"]["file"] is None
    text = tool("policy", "explain", f"{PREFIX}01").stdout
    assert "agentsh.ini:2" in text and "default" in text
    tool("policy", "explain", f"{PREFIX}77", status=1)
    tool("policy", "explain", "../../etc/passwd", status=1)
    tool("policy", "explain", status=2)


# ---- the command line

def test_usage(tool):
    assert "account add" in tool("--help").stdout
    assert tool("--version").stdout.startswith("agentshctl ")
    for verb in (["account", "add"], ["account", "remove"], ["account", "list"], ["policy", "check"],
                 ["policy", "explain"], ["sessions"], ["kill"], ["doctor"]):
        text = tool(*verb, "--help").stdout
        assert text.startswith("Usage: agentshctl " + " ".join(verb)) and "Exit status" in text
        tool(*verb, "--nonsense", status=2)
    for wrong in ([], ["account"], ["account", "nonsense"], ["nonsense"], ["--nonsense"], [""], ["sessions", "x"],
                  ["doctor", "x"], ["account", "list", "x"], ["policy", "check", "--json=yes"]):
        assert "--help" in tool(*wrong, status=2).stderr


def test_output_that_cannot_be_written_is_a_failure(tool):
    with open("/dev/full", "w", encoding="ascii") as full:
        tool("--help", status=1, stdout=full)
        tool("sessions", status=1, stdout=full)


def test_closed_stdio(tool):
    done = host.run("sh", "-c", f'exec "{tool.program}" account add {PREFIX}01 <&- >&- 2>&-')
    assert done.returncode in (0, 1)
    assert (tool.config / "accounts" / f"{PREFIX}01.ini").exists()
    assert tool("policy", "check", f"{PREFIX}01").returncode == 0
