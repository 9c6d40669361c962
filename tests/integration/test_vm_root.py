"""What a virtual machine has as its root: an image that is made of this host, or of a directory, when it is needed."""
import json
import os
import signal
import subprocess

import host
import pytest
from machines import SLOW, STATE, session, settings, su

ROOTS = STATE / "roots"
MONITOR = host.PREFIX / "lib/agentsh/agentsh-monitor"


def images():
    done = host.run(host.CTL, "root", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {entry["image"]: entry for entry in json.loads(done.stdout)}


def extract(image, target):
    host.run("fsck.erofs", f"--extract={target}", image, check=True)
    return target


@pytest.fixture
def empty(parts):
    host.run("rm", "-rf", ROOTS)
    yield
    host.run("rm", "-rf", ROOTS)


@pytest.fixture
def tree(parts, empty):
    """A directory of a root, with a package manager's record and what not everybody may read."""
    path = parts / "tree"
    host.run("cp", "-a", "--reflink=auto", parts / "base", path, check=True)
    (path / "var/lib/dpkg").mkdir(parents=True)
    (path / "var/lib/dpkg/status").write_text("one\n")
    (path / "etc/shadow").write_text("root:secret\n")
    (path / "etc/shadow").chmod(0o640)
    (path / "closed").mkdir(mode=0o700)
    (path / "closed/secret").write_text("secret\n")
    (path / "left").mkdir()
    (path / "left/out").write_text("left out\n")
    (path / "link").symlink_to("/etc/agentsh")
    yield path
    host.run("rm", "-rf", path)


def of_tree(parts, tree, **root):
    return settings(parts, root={"source": f"dir:{tree}", "omit": "/left /nowhere", **root})


def largest(count):
    """The largest directories and files of /usr that a shell can do without: this machine may have tool chains."""
    needed = {"/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/share"}
    sizes = []
    for line in host.run("du", "-xam", "-t", "1M", "--max-depth", "4", "/usr").stdout.splitlines():
        size, name = line.split("\t")
        if name not in needed and not name.endswith("-linux-gnu") and "libc." not in name:
            sizes.append((-int(size), len(name), name))
    chosen = []
    for _, _, name in sorted(sizes):
        if not any(name.startswith(f"{other}/") for other in chosen):
            chosen.append(name)
    return " ".join(chosen[:count])


class TestHost:
    def test_login(self, virtual, parts, empty):
        """The default. The host's largest directories are left out, as an administrator could, to keep the test short."""
        secret = host.pathlib.Path("/usr/bin/agtest-secret")
        secret.write_text("not for everybody\n")
        secret.chmod(0o600)
        try:
            virtual.policy(settings(parts, root={"source": "host", "omit": largest(32)}))
            done = host.run(host.CTL, "vm", "build", "--account", virtual.name, timeout=300)
            assert done.returncode == 0 and "making an image of the root host" in done.stderr, done.stderr
            done = su(virtual, "cat /etc/passwd; wc -c < /usr/bin/agtest-secret; ls -A /; touch /etc/x 2>&1")
            assert "touch: cannot touch" in done.stdout, done
            lines = done.stdout.splitlines()
            assert [line.split(":")[0] for line in lines if ":" in line and "touch" not in line] == ["root", "nobody", virtual.name]
            assert "agtest" not in done.stdout.replace(virtual.name, ""), done.stdout
            assert not {"boot", "lost+found", "work"} & set(lines) and {"usr", "etc", "home", "bin"} <= set(lines)
        finally:
            secret.unlink()

    def test_too_large(self, virtual, parts, empty):
        virtual.policy(settings(parts, root={"source": "host", "size": "1M"}))
        done = su(virtual, "echo in")
        assert done.returncode != 0 and "in\n" not in done.stdout
        assert "[root] size allows 1M" in done.stderr and "[root] omit" in done.stderr and "/usr/" in done.stderr
        assert {path.name for path in ROOTS.iterdir()} <= {"lock"}


class TestDirectory:
    def test_what_goes_in(self, virtual, parts, tree, work):
        virtual.policy(of_tree(parts, tree))
        done = su(virtual, "cat /etc/shadow /closed/secret /left/out; ls -A /left /closed; readlink /link; git --version")
        assert "secret" not in done.stdout + done.stderr.replace("/closed/secret", "")
        assert "/etc/agentsh\n" in done.stdout and "git version" in done.stdout, done
        found = images()
        assert [entry["source"] for entry in found.values()] == [f"dir:{tree}"]
        image = ROOTS / next(iter(found)) / "image"
        assert os.stat(image).st_mode & 0o7777 == 0o600 and os.stat(image).st_uid == 0
        out = extract(image, work / "extracted")
        try:
            texts = [path.read_text(errors="replace") for path in out.rglob("*") if path.is_file() and path.name in
                     ("shadow", "secret", "out")]
            assert not any(texts), texts
            assert os.readlink(out / "link") == "/etc/agentsh"
        finally:
            host.run("rm", "-rf", out)

    def test_made_again_when_packages_change(self, virtual, parts, tree):
        virtual.policy(of_tree(parts, tree))
        with session(virtual):
            first = images()
            assert len(first) == 1 and all(entry["in_use"] for entry in first.values())
            name = next(iter(first))
            done = host.run(host.CTL, "root", "remove", name[:6])
            assert done.returncode == 1 and "a session uses it" in done.stderr, done
            (tree / "usr/bin/added").write_text("#!/bin/sh\necho added\n")
            (tree / "usr/bin/added").chmod(0o755)
            (tree / "var/lib/dpkg/status").write_text("one\ntwo\n")
            virtual.policy(of_tree(parts, tree, **{}) | {"home": {"mode": "ephemeral"}})
            assert su(virtual, "added").stdout == "added\n"
            assert set(images()) > set(first)
        assert host.wait_until(lambda: not any(entry["in_use"] for entry in images().values()))
        (tree / "var/lib/dpkg/status").write_text("three\n")
        assert su(virtual, "added").stdout == "added\n"
        left = images()
        assert len(left) == 1 and name not in left
        assert host.run(host.CTL, "root", "remove", "--all").returncode == 0 and not images()

    def test_accounts_that_leave_out_other_things(self, virtual, parts, tree):
        """Neither's image goes when the other's is made."""
        for omit in ("/left", "/left /closed", "/left"):
            virtual.policy(of_tree(parts, tree, omit=omit))
            assert su(virtual, "echo in").stdout == "in\n"
        assert len(images()) == 2

    def test_told_what_it_waits_for(self, virtual, parts, tree):
        """Nothing is there: the login makes both, and says so."""
        host.run(host.CTL, "vm", "remove", "--all", check=True)
        virtual.policy(of_tree(parts, tree))
        findings = json.loads(host.run(host.CTL, "doctor", "--json").stdout)["findings"]
        said = [f["text"] for f in findings if f["check"] == "tier" and f["text"].startswith(virtual.name)]
        assert len(said) == 1 and said[0].count("is not there yet") == 2, said
        done = su(virtual, "echo in")
        assert done.stdout == "in\n", done
        assert "please wait" in done.stderr

    def test_a_link_cannot_be_left_out(self, virtual, parts, tree):
        virtual.policy(of_tree(parts, tree, omit="/link/x"))
        done = su(virtual, "echo in")
        assert done.returncode != 0 and "/link/x is a link" in done.stderr, done
        assert not images()

    @pytest.mark.parametrize("spoil, said", [
        (lambda tree: os.chmod(tree, 0o777), "writable by"),
        (lambda tree: os.chown(tree, 12345, 12345), "belongs to uid 12345"),
        (lambda tree: tree.rename(tree.with_name("away")), "No such file"),
    ])
    def test_refused(self, virtual, parts, tree, spoil, said):
        spoil(tree)
        try:
            virtual.policy(of_tree(parts, tree))
            done = su(virtual, "echo in")
            assert done.returncode != 0 and "in\n" not in done.stdout and said in done.stderr, done
        finally:
            host.run("rm", "-rf", tree.with_name("away"))
        assert not images()

    def test_killed_while_it_is_made(self, parts, tree):
        with open(tree / "large", "wb") as stream:
            stream.truncate(3 << 30)
        started = subprocess.Popen([MONITOR, "--make-root", f"dir:{tree}"], stderr=subprocess.PIPE)
        try:
            assert host.wait_until(lambda: any("mkfs.erofs" in p.command and str(ROOTS.parent) not in p.command
                                               for p in host.processes()), 20)
            making = [p for p in host.processes() if "mkfs.erofs" in p.command]
            assert all(p.uid >= 0x70000000 for p in making), making
        finally:
            started.send_signal(signal.SIGKILL)
            started.wait()
        assert host.wait_until(lambda: not any("mkfs.erofs" in p.command for p in host.processes()), 10)
        assert not images()
        (tree / "large").unlink()
        done = host.run(MONITOR, "--make-root", f"dir:{tree}", timeout=SLOW)
        assert done.returncode == 0 and len(images()) == 1, done.stderr
        assert not [path for path in ROOTS.iterdir() if path.name.startswith(".")]


class TestVerbs:
    @pytest.mark.parametrize("words", [["root", "remove"], ["root", "remove", "--stale"], ["root", "list", "x"],
                                       ["vm", "build", "--account", "x", "--cpus", "2"], ["vm", "build", "--account", "../x"]])
    def test_usage(self, installed, words):
        assert host.run(host.CTL, *words).returncode == 2

    @pytest.mark.parametrize("source", ["image:/x", "host\n[kernel]", "oci:x", "dir:x", ""])
    def test_no_root(self, installed, source):
        before = images()
        done = host.run(MONITOR, "--make-root", source)
        assert done.returncode == 1 and images() == before, done

    def test_an_account_that_gets_none(self, agent):
        done = host.run(host.CTL, "vm", "build", "--account", agent.name)
        assert done.returncode == 1 and "tier jail" in done.stderr, done
        assert host.run(host.CTL, "vm", "build", "--account", "agnobody").returncode == 1
