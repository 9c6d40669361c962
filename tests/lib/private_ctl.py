"""agentshctl built with folders of its own, so that an installed agentsh is not touched.

What it shares with the machine is the user database and /home: accounts are named agt-test... and are removed with all
that belongs to them, whatever a test does.
"""
import contextlib
import glob
import grp
import json
import os
import pathlib
import pwd
import shutil
import stat
import tempfile

import accounts
import host

PREFIX = "agt-test"


def group_exists(name):
    with contextlib.suppress(KeyError):
        grp.getgrnam(name)
        return True
    return False


def remove_test_accounts():
    for entry in pwd.getpwall():
        if entry.pw_name.startswith(PREFIX):
            accounts.delete_user(entry.pw_name)
    for entry in grp.getgrall():
        if entry.gr_name.startswith(PREFIX):
            host.run("groupdel", entry.gr_name)
    for path in glob.glob(f"/home/{PREFIX}*"):
        if not path.startswith(f"/home/{PREFIX}root-"):
            shutil.rmtree(path)


class Tool:
    """A build of agentshctl whose folders lie below `root`."""

    def __init__(self, root):
        self.root = root
        self.config, self.state, self.run_dir = root / "etc/agentsh", root / "state", root / "run"
        self.sessions = self.run_dir / "sessions"
        self.shell = root / "usr/bin/agentsh"
        self.build()
        self.program = root / "build/agentshctl"
        self.shell.parent.mkdir(parents=True)
        self.shell.write_text("#!/bin/false\n")
        self.shell.chmod(0o755)
        self.reset()

    def build(self):
        defines = f"""-UAGENTSH_STATE_DIR -DAGENTSH_STATE_DIR='"{self.state}"' """ \
                  f"""-UAGENTSH_RUNTIME_DIR -DAGENTSH_RUNTIME_DIR='"{self.run_dir}"'"""
        done = host.run("make", f"-j{os.cpu_count()}", "-C", host.TOP, f"O={self.root}/build", "FAULTS=1",
                        f"PREFIX={self.root}/usr", f"SYSCONFDIR={self.root}/etc", f"CFLAGS={defines}",
                        f"{self.root}/build/agentshctl", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr

    def reset(self):
        for path in (self.config, self.state, self.run_dir):
            shutil.rmtree(path, ignore_errors=True)
        (self.config / "accounts").mkdir(parents=True)
        (self.config / "templates").mkdir()
        (self.config / "agentsh.ini").write_text("[limits]\nmemory = 512M\n")
        (self.config / "templates/small.ini").write_text("[limits]\nmemory = 64M\n")
        (self.config / "templates/broken.ini").write_text("[limits]\nmemroy = 64M\n")
        self.sessions.mkdir(parents=True)

    def __call__(self, *args, status=0, env=None, **kwargs):
        done = host.run(self.program, *args, env={**os.environ, **(env or {})}, **kwargs)
        assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *args, **kwargs):
        return json.loads(self(*args, "--json", **kwargs).stdout)


@contextlib.contextmanager
def build():
    """A Tool with a folder in /home: there its data homes are on the file system of people's homes."""
    root = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}root-", dir="/home"))
    root.chmod(0o755)
    try:
        yield Tool(root)
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def clean(tool):
    """No test account and no group before and after."""
    had_group = group_exists("agents")
    remove_test_accounts()
    tool.reset()
    try:
        yield tool
    finally:
        remove_test_accounts()
        if not had_group and group_exists("agents") and not grp.getgrnam("agents").gr_mem:
            host.run("groupdel", "agents")


def tree(*roots):
    """Every path below, with owner, mode and content: what must be the same before and after."""
    found = {}
    for root in roots:
        for base, dirs, files in os.walk(root):
            for name in dirs + files:
                path = pathlib.Path(base, name)
                st = path.lstat()
                content = path.read_bytes() if stat.S_ISREG(st.st_mode) else b""
                found[str(path)] = (st.st_uid, st.st_gid, oct(st.st_mode), content)
    return found


def snapshot(tool):
    database = {name: pathlib.Path("/etc", name).read_text()
                for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")}
    others = (str(tool.root), f"/home/{accounts.AGENT_PREFIX}", f"/home/{accounts.PLAIN_PREFIX}")
    homes = {path for path in glob.glob("/home/*") if not path.startswith(others)}
    masks = set(host.UNITS.glob("user@*.service"))
    return database, homes, masks, tree(tool.config), tree(tool.state)


def settle(tool):
    """The folders that any run makes are there: what differs afterwards is what a run left."""
    for name, mode in (("keys", 0o755), ("accounts", 0o755)):
        (tool.config / name).mkdir(mode=mode, exist_ok=True)
    for path in (tool.state, tool.state / "homes"):
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)


def make_person(name, *options):
    host.run("useradd", "--create-home", "--shell", "/bin/bash", *options, name, check=True)
    home = pathlib.Path(pwd.getpwnam(name).pw_dir)
    (home / "work").mkdir()
    (home / "work/file").write_text("mine")
    for path in (home / "work", home / "work/file"):
        shutil.chown(path, name, name)
    return home


def in_private_mounts(tool, mounts, *args):
    """Run the tool with something on the way made unwritable, in a mount namespace of its own."""
    script = f'{mounts}\nexec "$@"'
    return host.run("unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh", tool.program, *args)
