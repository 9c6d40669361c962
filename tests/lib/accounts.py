"""Accounts for tests: agents by agentshctl, plain users by useradd. Names have prefixes that nobody else uses."""
import os
import pwd
import shutil
import subprocess

import host

AGENT_PREFIX = "agtest"
PLAIN_PREFIX = "agplain"
PASSWORD = "correct horse 7"
# A range of their own, so that whatever else runs on the machine has other uids: the checks go by uid.
UIDS = range(23_000, 24_000)


def free_uid():
    """A uid of the range that no account and no process has."""
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {uid for p in host.processes() for uid in p.uids}
    return next(uid for uid in UIDS if uid not in taken)


def policy_text(settings):
    """{'limits': {'memory': '64M'}} as INI."""
    lines = []
    for section, keys in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def make_key(path):
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "agentsh-test", "-f", path, check=True)
    return path


def set_password(name, password=PASSWORD):
    host.run("chpasswd", input=f"{name}:{password}\n", check=True)


def kill_all_of(uid):
    """SIGKILL for what is left of a test account, by pid."""
    for process in host.processes_of(uid):
        try:
            os.kill(process.pid, 9)
        except ProcessLookupError:
            pass


class Agent:
    """An agent account with a key. `policy` replaces its file; `write` plants files in its data home.

    `tier` is that of the policies which name none; the account's first policy is that of agentshctl.
    """

    tier = "jail"

    def __init__(self, name, key, settings=None):
        self.name, self.key = name, key
        remove_agent(name)
        host.run(host.CTL, "account", "add", name, "--uid", free_uid(), "--key", f"{key}.pub", check=True)
        entry = pwd.getpwnam(name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.policy_file = host.CONFIG / "accounts" / f"{name}.ini"
        self.original = self.policy_file.read_bytes()
        self.data = host.HOMES / name
        if settings is not None:
            self.policy(settings)

    def policy(self, settings=None):
        if self.tier != "jail":
            settings = dict(settings or {})
            settings["account"] = {"tier": self.tier, **settings.get("account", {})}
        text = self.original if settings is None else policy_text(settings).encode()
        self.policy_raw(text)

    def policy_raw(self, data):
        # A new file each time: the old one may have been made a link, or given to somebody, by a test.
        if self.policy_file.is_symlink() or self.policy_file.exists():
            self.policy_file.unlink()
        self.policy_file.write_bytes(data)
        os.chown(self.policy_file, 0, 0)
        self.policy_file.chmod(0o644)

    def install(self, source, name=None, mode=0o755):
        """Copy a file into the data home, as the agent's."""
        target = self.data / (name or os.path.basename(source))
        if target.exists() or target.is_symlink():
            target.unlink()
        shutil.copyfile(source, target)
        os.chmod(target, mode)
        os.chown(target, self.uid, self.gid)
        return target

    def write(self, name, text, mode=0o644):
        """Write a file in the data home, as the agent's, directories on the way included."""
        target = self.data / name
        for parent in reversed(target.relative_to(self.data).parents[:-1]):
            directory = self.data / parent
            directory.mkdir(exist_ok=True)
            os.chown(directory, self.uid, self.gid)
        target.write_text(text)
        os.chmod(target, mode)
        os.chown(target, self.uid, self.gid)
        return target

    def processes(self):
        return host.processes_of(self.uid)

    def remove(self):
        remove_agent(self.name)


def delete_user(name, *flags):
    """Without agentshctl: with the mask that it made for the uid of an agent."""
    mask = host.UNITS / f"user@{pwd.getpwnam(name).pw_uid}.service"
    host.run("userdel", "-f", *flags, name)
    if mask.is_symlink():
        mask.unlink()


def remove_agent(name):
    if not host.user_exists(name) and not (host.CONFIG / "accounts" / f"{name}.ini").exists():
        return
    if host.user_exists(name):
        kill_all_of(pwd.getpwnam(name).pw_uid)
    done = host.run(host.CTL, "account", "remove", name, "--purge")
    if done.returncode != 0:
        host.run(host.CTL, "account", "remove", name)
    if host.user_exists(name):
        home = pwd.getpwnam(name).pw_dir
        delete_user(name)
        if AGENT_PREFIX in home:
            shutil.rmtree(home, ignore_errors=True)
    for path in (host.CONFIG / "accounts" / f"{name}.ini", host.CONFIG / "keys" / name):
        if path.is_symlink() or path.exists():
            path.unlink()
    shutil.rmtree(host.HOMES / name, ignore_errors=True)


class Plain:
    """An ordinary account with bash, a password and the same key."""

    def __init__(self, name, key):
        self.name, self.key = name, key
        self.remove()
        host.run("useradd", "-u", free_uid(), "-m", "-s", "/bin/bash", name, check=True)
        set_password(name)
        entry = pwd.getpwnam(name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, entry.pw_dir
        ssh = os.path.join(self.home, ".ssh")
        os.mkdir(ssh, 0o700)
        shutil.copyfile(f"{key}.pub", os.path.join(ssh, "authorized_keys"))
        for path in (ssh, os.path.join(ssh, "authorized_keys")):
            os.chown(path, self.uid, self.gid)

    def remove(self):
        if host.user_exists(self.name):
            kill_all_of(pwd.getpwnam(self.name).pw_uid)
            delete_user(self.name, "-r")


def remove_left_over():
    """Accounts of an earlier run that was killed."""
    for entry in pwd.getpwall():
        if entry.pw_name.startswith(AGENT_PREFIX):
            remove_agent(entry.pw_name)
        elif entry.pw_name.startswith(PLAIN_PREFIX):
            kill_all_of(entry.pw_uid)
            delete_user(entry.pw_name, "-r")


def drop_to(uid, gid):
    """A preexec_fn that becomes an ordinary user for good."""
    def drop():
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    return drop


DEVNULL = subprocess.DEVNULL
