"""The tier vm: a virtual machine for each session, by emulation where there is no KVM."""
import contextlib
import hashlib
import json
import io
import os
import re
import signal
import socket
import subprocess
import tarfile
import time

import host
import installation
import pytest
from machines import PLACE, SLOW, STATE, qemus, session, settings, su
from sshd import end, environment, spawn, wait_for_line

TEMPLATES = STATE / "vm"
GUEST = host.PREFIX / "lib/agentsh/agentsh-guest"


class TestLogin:
    def test_su(self, virtual):
        done = su(virtual, "id -u; uname -r; hostname; ls /sys; cat /proc/net/dev 2>&1; exit 7")
        assert done.returncode == 7, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == str(virtual.uid)
        assert lines[1] != os.uname().release and "cloud" in lines[1]
        assert lines[2] == virtual.name
        names = {line.split(":")[0].strip() for line in lines if ":" in line}
        assert names <= {"lo"}, lines

    def test_ssh_streams_and_status(self, virtual, client):
        done = client.run("echo out; echo err >&2; cat; exit 9", timeout=SLOW, input="given\n")
        assert (done.stdout, done.returncode) == ("out\ngiven\n", 9)
        assert "err\n" in done.stderr

    def test_signal(self, virtual, client):
        assert client.run("kill -TERM $$", timeout=SLOW).returncode in (143, 255)

    def test_terminal(self, virtual, client):
        child = client.spawn()
        child.timeout = SLOW
        child.sendline("echo tty=$(tty) size=$(stty size)")
        child.expect(r"tty=/dev/pts/\d+ size=24 80")
        child.sendline("sleep 1000")
        time.sleep(1)
        child.sendintr()
        child.sendline("echo status=$?")
        child.expect("status=130")
        child.setwinsize(40, 100)
        child.sendline("sleep 0.5; stty size")
        child.expect("40 100")
        child.sendline("exit 3")
        child.expect("exit")
        child.wait()
        assert child.exitstatus == 3

    def test_sftp(self, virtual, client, work):
        source = work / "vm-file"
        source.write_bytes(os.urandom(300000))
        batch = work / "vm-batch"
        batch.write_text(f"put {source} copied\nget copied {source}.back\nrm copied\n")
        done = host.run("sftp", "-b", batch, *client.options("-P"), client.address, env=environment(), timeout=SLOW)
        assert done.returncode == 0, done.stderr
        assert (work / "vm-file.back").read_bytes() == source.read_bytes()

    def test_bulk_with_checksum(self, virtual, client, work):
        data = os.urandom(16 << 20)
        path = work / "bulk"
        path.write_bytes(data)
        with open(path, "rb") as stream:
            done = subprocess.run(client.command("sha256sum; head -c 8388608 /dev/urandom | tee /tmp/x | sha256sum; "
                                                 "sha256sum /tmp/x"), stdin=stream, stdout=subprocess.PIPE, text=True,
                                  env=environment(), timeout=SLOW, check=False)
        lines = done.stdout.split()
        assert lines[0] == hashlib.sha256(data).hexdigest()
        assert lines[2] == lines[4]

    def test_channels_share_the_machine(self, virtual, control):
        control.master()
        assert control.run("echo a > /tmp/shared; cat /proc/sys/kernel/random/boot_id", timeout=SLOW).returncode == 0
        assert control.run("cat /tmp/shared", timeout=SLOW).stdout == "a\n"
        assert len(qemus()) == 1


    def test_nine_channels_at_once(self, virtual, control):
        control.master()
        several = [control.popen(f"echo $(cat) {number}; exit {number}", stdin=subprocess.PIPE, text=True) for number in range(9)]
        for number, process in enumerate(several):
            out, _ = process.communicate(f"to {number}\n", timeout=SLOW)
            assert (out, process.returncode) == (f"to {number} {number}\n", number)

    def test_rsync_and_git(self, virtual, control, work):
        control.master()
        tree, back = work / "vm-tree", work / "vm-back"
        (tree / "deep").mkdir(parents=True)
        (tree / "deep/data").write_bytes(os.urandom(100000))
        (tree / "link").symlink_to("deep/data")
        ssh = " ".join(map(str, ["ssh", *control.options()]))
        for words in (["-a", f"{tree}/", f"{control.address}:tree"], ["-a", f"{control.address}:tree/", back]):
            done = host.run("rsync", "-e", ssh, *words, env=environment(), timeout=SLOW)
            assert done.returncode == 0, done.stderr
        assert (back / "deep/data").read_bytes() == (tree / "deep/data").read_bytes() and os.readlink(back / "link") == "deep/data"
        git = environment(GIT_SSH_COMMAND=ssh, GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a",
                          GIT_COMMITTER_EMAIL="a@b")
        url, clone = f"{control.address}:repository", work / "vm-clone"
        assert control.run("git init -q --bare -b main repository", timeout=SLOW).returncode == 0
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"], ["push", "-q", url, "main"],
                      ["clone", "-q", url, clone]):
            done = host.run("git", *words, cwd=tree, env=git, timeout=SLOW)
            assert done.returncode == 0, (words, done.stderr)
        assert (clone / "deep/data").read_bytes() == (tree / "deep/data").read_bytes()
        assert control.run("rm -rf tree repository", timeout=SLOW).returncode == 0


class TestHome:
    def test_kept_and_closed_to_the_host(self, virtual):
        assert su(virtual, "echo kept > file").returncode == 0
        assert su(virtual, "cat file").stdout == "kept\n"
        image = host.HOMES / f"{virtual.name}.guest"
        assert os.stat(image).st_uid == 0 and os.stat(image).st_mode & 0o777 == 0o600
        assert not (virtual.data / "file").exists()
        done = host.run("e2fsck", "-fn", image)
        assert done.returncode == 0, done.stdout

    def test_what_was_written_last_is_kept(self, virtual, work):
        """An ordinary logout writes the home back, though nobody said sync; its file system is clean then."""
        said = su(virtual, "head -c 25165824 /dev/urandom | tee late | sha256sum").stdout
        image = host.HOMES / f"{virtual.name}.guest"
        assert "Filesystem state:         clean" in host.run("dumpe2fs", "-h", image).stdout
        assert "needs_recovery" not in host.run("dumpe2fs", "-h", image).stdout
        assert su(virtual, "sha256sum < late; rm late").stdout == said and said

    def test_kept_when_the_client_is_killed(self, virtual):
        process = subprocess.Popen(["su", "-", virtual.name, "-c", "echo last > word; echo up; sleep 100"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment())
        try:
            assert wait_for_line(process, SLOW) == b"up\n"
            process.kill()
            assert host.wait_until(lambda: not qemus())
        finally:
            end(process)
        assert su(virtual, "cat word").stdout == "last\n"

    def test_its_size_holds(self, virtual):
        done = su(virtual, "dd if=/dev/zero of=fill bs=1M count=100 2>&1; rm -f fill; sync")
        assert "No space left" in done.stdout

    def test_one_session_at_a_time(self, virtual):
        process = subprocess.Popen(["su", "-", virtual.name, "-c", "echo up; sleep 100"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            assert wait_for_line(process, SLOW) == b"up\n"
            done = su(virtual, "echo in")
            assert done.returncode != 0 and "another session" in done.stderr, done.stderr
        finally:
            end(process)

    @pytest.fixture
    def without(self, make_agent, parts, template):
        """An account that has no home yet."""
        agent = make_agent()
        agent.policy(settings(parts))
        return agent

    def test_made_once_for_logins_at_once(self, without):
        several = [subprocess.Popen(["su", "-", without.name, "-c", "echo up; sleep 8"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
                   for _ in range(4)]
        ends = [process.communicate(timeout=SLOW) for process in several]
        assert [out for out, _ in ends].count("up\n") == 1, ends
        assert sum("another session" in err for _, err in ends) == 3, ends

    def test_goes_with_the_account(self, without):
        image = host.HOMES / f"{without.name}.guest"
        assert su(without, "echo secret > file; sync").returncode == 0 and image.exists()
        assert host.run(host.CTL, "account", "remove", without.name).returncode == 0
        assert not image.exists()

    def test_ephemeral(self, virtual, parts):
        virtual.policy(settings(parts, home={"mode": "ephemeral", "size": "16M"}))
        assert su(virtual, "echo x > ephemeral-file; cat ephemeral-file").stdout == "x\n"
        assert su(virtual, "cat ephemeral-file").returncode != 0


def state(pid):
    return (host.pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0]


class TestSecondSession:
    """[vm] second_session = copy: another session beside the one that has the home."""

    @pytest.fixture
    def shared(self, virtual, parts):
        virtual.policy(settings(parts, vm={"second_session": "copy"}))
        return virtual

    @pytest.fixture
    def first(self, shared):
        """The session that has the home: a shell that reads commands."""
        process = subprocess.Popen(["su", "-", shared.name, "-c", "echo start > word; echo up; exec sh"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert wait_for_line(process, SLOW) == b"up\n", process.stderr.read()
        yield process
        end(process)

    @staticmethod
    def tell(first, command):
        first.stdin.write(command.encode() + b"\n")
        first.stdin.flush()
        return wait_for_line(first, SLOW).decode()

    def test_a_copy_as_it_is_at_that_moment(self, shared, first, work):
        image = host.HOMES / f"{shared.name}.guest"
        # Written all the time, while it is copied: what a copy has of two files must be what there was at one moment.
        self.tell(first, "echo 0 > a; echo 0 > b; i=0; (while :; do i=$((i+1)); for f in a b; do echo $i > new; mv new $f; sync;"
                  "done; done) & sync; echo ok")
        for _ in range(2):
            second = su(shared, "cat word; cat a b; echo $AGENTSH_HOME; echo lost > mine; echo lost > word")
            assert second.returncode == 0, second.stderr
            word, a, b, variable = second.stdout.splitlines()
            assert word == "start" and variable == "copy" and int(a) - int(b) in (0, 1), second.stdout
        assert self.tell(first, "kill $!; echo $(cat word; ls mine 2>&1 | grep -c 'No such')") == "start 1\n"
        assert {path.name for path in host.HOMES.iterdir() if path.name.startswith(f"{shared.name}.")} == {image.name}
        with open("/var/log/agentsh/sessions.jsonl", encoding="utf-8") as records:
            assert [json.loads(line)["tier"] for line in records][-2:] == ["vm, tcg, copy"] * 2
        done = move("import", "--live", shared.name, input="")
        assert done.returncode == 1 and "copy" in done.stderr, done.stderr
        end(first)
        assert host.wait_until(lambda: not qemus())
        assert "clean" in host.run("dumpe2fs", "-h", image).stdout
        TestEnds.check_home(image, work / "home.copy")
        assert su(shared, "cat word; cat mine").stdout == "start\n"

    def test_copies_leave_room_on_the_disk(self, shared, parts):
        host.run("mount", "-t", "tmpfs", "-o", "size=100m,mode=700", "tmpfs", host.HOMES, check=True)
        try:
            with session(shared):
                for image, said in (("64M", "less than a tenth of the disk"), ("200M", "cannot reserve 200 MiB")):
                    if image == "200M":
                        os.truncate(host.HOMES / f"{shared.name}.guest", 200 << 20)
                    else:
                        (host.HOMES / "filler").write_bytes(b"x" * (30 << 20))
                    done = su(shared, "echo in")
                    assert done.returncode != 0 and said in done.stderr and "in\n" not in done.stdout, done.stderr
                assert os.statvfs(host.HOMES).f_bavail * os.statvfs(host.HOMES).f_frsize > 60 << 20
        finally:
            assert host.wait_until(lambda: not qemus())
            host.run("umount", host.HOMES, check=True)

    def test_the_first_does_not_stand_still_for_long(self, shared, first):
        """Whoever asks for it and then dies, or never hangs up, is not waited for."""
        machine = qemus()[0].pid
        attach = next(host.RUNTIME.glob("sessions/*/attach"))
        for patient in (False, True):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
                asked.connect(str(attach))
                asked.settimeout(10)
                assert len(asked.recv(4096)) > 0 and state(machine) == "T"
                start = time.monotonic()
                if patient:
                    assert asked.recv(4096) == b"" and 2 < time.monotonic() - start < 6
            assert host.wait_until(lambda: state(machine) != "T")
            assert self.tell(first, "echo goes on") == "goes on\n"
        # The account itself cannot: it is a client like any other.
        ask = ("import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(1)\n"
               f"s.connect('{attach}')\ntry: print(len(s.recv(9)))\nexcept TimeoutError: print('nothing')")
        assert host.run("setpriv", f"--reuid={shared.uid}", f"--regid={shared.gid}", "--clear-groups", "/usr/bin/python3", "-c",
                        ask).stdout == "nothing\n"
        assert state(machine) != "T"

    def test_killed_at_any_time(self, shared, first, work):
        machine = qemus()[0].pid
        before = {monitor.pid for monitor in installation.monitors()}
        for pause in (0.02, 0.05, 0.1, 0.2, 0.4):
            process = subprocess.Popen(["su", "-", shared.name, "-c", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=environment())
            try:
                assert host.wait_until(lambda: len(installation.monitors()) == 2)
                time.sleep(pause)
                # One that is killed in PAM's account phase is followed by another for the session.
                assert host.wait_until(lambda: kill_others(before))
            finally:
                end(process)
            assert host.wait_until(lambda: state(machine) != "T") and self.tell(first, "echo here") == "here\n"
        assert host.wait_until(lambda: not [link for p in host.processes() for link in links(p.pid) if f"{host.HOMES}/#" in link])


def kill_others(monitors):
    others = [p.pid for p in installation.monitors() if p.pid not in monitors]
    for pid in others:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not others and len(qemus()) == 1


def links(pid):
    found = []
    with contextlib.suppress(OSError):
        for path in (host.pathlib.Path("/proc") / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(path))
    return found


class TestMachines:
    def test_two_have_nothing_in_common(self, virtual, parts):
        virtual.policy(settings(parts, home={"mode": "ephemeral", "size": "16M"}))
        script = ("head -c 16 /dev/urandom | od -An -tx1; cat /etc/machine-id; cat /proc/sys/kernel/random/uuid; date +%s")
        first, second = su(virtual, script).stdout.splitlines(), su(virtual, script).stdout.splitlines()
        assert len(first) == 4 and all(a != b for a, b in zip(first[:3], second[:3]))
        assert abs(int(second[3]) - time.time()) < 60

    def test_qemu_is_confined(self, virtual):
        process = subprocess.Popen(["su", "-", virtual.name, "-c", "echo up; sleep 100"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            assert wait_for_line(process, SLOW) == b"up\n"
            found = qemus()
            assert len(found) == 1
            base = host.pathlib.Path("/proc") / str(found[0].pid)
            status = dict(line.split(":\t", 1) for line in (base / "status").read_text().splitlines() if ":\t" in line)
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[name], 16) == 0, name
            assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
            assert {int(uid) for uid in status["Uid"].split()} == {found[0].uid} and found[0].uid >= 0x70000000
            for kind in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup"):
                assert host.namespace(found[0].pid, kind) != host.namespace("self", kind)
            links = {os.readlink(path) for path in (base / "fd").iterdir()}
            files = {link for link in links if link.startswith("/") and not link.startswith(("/dev/null", "/memfd:"))}
            assert files <= {str(host.HOMES / f"{virtual.name}.guest"), f"{PLACE}/root.erofs"} | \
                {link for link in files if link.endswith("/state")}, files
            assert not [line for line in (base / "net/dev").read_text().splitlines()[2:] if "lo:" not in line]
        finally:
            end(process)

    def test_risk_high_beats_the_tier(self, virtual, parts):
        virtual.policy(settings(parts, account={"tier": "jail", "risk": "high"}))
        assert "cloud" in su(virtual, "uname -r").stdout

    def test_kvm_is_refused_where_it_is_not(self, virtual, parts):
        if os.path.exists("/dev/kvm"):
            pytest.skip("this machine has /dev/kvm")
        virtual.policy(settings(parts, vm={"accel": "kvm"}))
        done = su(virtual, "echo in")
        assert done.returncode != 0 and "in\n" not in done.stdout and "/dev/kvm" in done.stderr, done.stderr


def listed():
    done = host.run(host.CTL, "vm", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {entry["template"]: entry for entry in json.loads(done.stdout)}


@pytest.fixture
def stale(template):
    """A template of a kernel that is there no more, one of files that were replaced, one that was never finished."""
    gone, replaced, unfinished = (TEMPLATES / name for name in ("0123456789abcdef", "fedcba9876543210",
                                                                ".fedcba9876543210"))
    about = (TEMPLATES / template / "about").read_text()
    for path in (gone, replaced, unfinished):
        path.mkdir(mode=0o700)
        (path / "ram").touch()
    (gone / "about").write_text(re.sub("(?m)^kernel=.*$", "kernel=/boot/vmlinuz-gone", about))
    (replaced / "about").write_text(about)
    yield gone.name, replaced.name
    for path in (gone, replaced, unfinished):
        host.run("rm", "-rf", path)


class TestTemplates:
    def test_list(self, virtual, parts, template, stale):
        found = listed()
        ready = found[template]
        assert ready["kernel"] == str(next((parts / "boot").glob("vmlinuz-*"))) and ready["accel"] == "tcg"
        assert (ready["memory"], ready["cpus"]) == (256 << 20, 1)
        assert 10 << 20 < ready["size"] < 256 << 20 and abs(ready["made"] - time.time()) < 3600
        assert not ready["stale"] and not ready["in_use"]
        assert all(found[name]["stale"] for name in stale)
        assert "/boot/vmlinuz-gone" in found[stale[0]]["reason"] and "replaced" in found[stale[1]]["reason"]
        rows = host.run(host.CTL, "vm", "list").stdout.splitlines()
        assert rows[0].split() == ["TEMPLATE", "KERNEL", "MEMORY", "CPUS", "ACCEL", "SIZE", "AGE", "STATE"]
        assert any(row.startswith(template) and row.rstrip().endswith("ready") for row in rows)
        assert len(rows) == len(found) + 1

    def test_remove_stale(self, template, stale):
        done = host.run(host.CTL, "vm", "remove", "--stale")
        assert done.returncode == 0, done.stderr
        assert all(name in done.stdout for name in stale) and template not in done.stdout
        assert {path.name for path in TEMPLATES.iterdir()} - {"lock"} == {template}

    def test_remove_refuses_what_is_used(self, virtual, template):
        with session(virtual):
            assert listed()[template]["in_use"]
            for words in ([template], [template[:6]], ["--all"]):
                done = host.run(host.CTL, "vm", "remove", *words)
                assert done.returncode == 1 and "a session uses it" in done.stderr, done
            assert template in listed()
            for monitor in installation.monitors():
                os.kill(monitor.pid, signal.SIGKILL)
            assert host.wait_until(lambda: not listed()[template]["in_use"])

    @pytest.mark.parametrize("words", [[], ["--stale", "--all"], ["--all", "0123456789abcdef"], ["--bad"]])
    def test_usage(self, installed, words):
        assert host.run(host.CTL, "vm", "remove", *words).returncode == 2

    @pytest.mark.parametrize("word", ["../homes", "", "lock", "0123"])
    def test_what_is_none(self, template, word):
        done = host.run(host.CTL, "vm", "remove", "--", word)
        assert done.returncode == 1 and "no template" in done.stderr, done

    def test_removed_is_made_again(self, virtual, template):
        assert host.run(host.CTL, "vm", "remove", "--all").returncode == 0
        assert not listed()
        assert su(virtual, "echo in").stdout == "in\n"
        assert list(listed()) != []


def risk(*words):
    return host.run(host.CTL, "risk", *words)


class TestRisk:
    TEXT = "# mine\n[account]\n# why\ntier = {tier}\n\n[root]\nsource = image:{parts}/root.erofs\n[limits]\ncpus = 0\n" \
           "[vm]\naccel = tcg\nhome = 64M\nkernel = {kernel}\n# end\n"

    def text(self, parts, tier="jail"):
        return self.TEXT.format(tier=tier, parts=parts, kernel=next((parts / "boot").glob("vmlinuz-*")))

    def test_high_beats_the_tier_from_the_next_login_on(self, virtual, parts):
        before = self.text(parts)
        virtual.policy_raw(before.encode())
        virtual.policy_file.chmod(0o600)
        done = risk(virtual.name, "high")
        assert done.returncode == 0, done.stderr
        assert "tier vm, since risk = high beats tier = jail" in done.stdout and "is ready" in done.stdout, done.stdout
        assert virtual.policy_file.read_text() == before.replace("[account]\n", "[account]\nrisk = high\n")
        assert os.stat(virtual.policy_file).st_mode & 0o7777 == 0o600
        assert {path.name for path in virtual.policy_file.parent.iterdir() if "draft" in path.name} == set()
        assert "cloud" in su(virtual, "uname -r").stdout
        findings = json.loads(host.run(host.CTL, "doctor", "--json").stdout)["findings"]
        said = [f["text"] for f in findings if f["check"] == "tier" and f["text"].startswith(virtual.name)]
        assert len(said) == 1 and "risk = high beats tier = jail" in said[0] and "is ready" in said[0], said

    def test_sessions_go_on_or_end(self, virtual, parts):
        virtual.policy_raw(self.text(parts, "vm").encode())
        with session(virtual) as process:
            done = risk(virtual.name, "high")
            assert done.returncode == 0 and "1 session of it goes on" in done.stdout, done
            assert process.poll() is None
            done = risk("--end-sessions", virtual.name, "normal")
            assert done.returncode == 0 and "has ended" in done.stdout, done
            assert "tier vm, since risk is normal and tier = vm" in done.stdout
            assert process.wait(20) != 0 and not qemus()
        assert "risk = normal\n" in virtual.policy_file.read_text()

    @pytest.mark.parametrize("settings, said, remedy", [
        ({"root": {"source": "image:/nonexistent.erofs"}}, "/nonexistent.erofs", "mkfs.erofs /nonexistent.erofs"),
        ({"root": None, "vm": {"accel": "tcg", "kernel": "/boot/vmlinuz-none"}}, "vmlinuz-none", "leave kernel out"),
        ({"root": None, "vm": {"accel": "kvm"}}, "/dev/kvm", "accel = auto"),
    ])
    def test_refused_where_the_host_cannot(self, virtual, parts, settings, said, remedy):
        if settings.get("vm", {}).get("accel") == "kvm" and os.path.exists("/dev/kvm"):
            pytest.skip("this machine has /dev/kvm")
        settings = {name: keys or {"source": f"image:{parts}/root.erofs"} for name, keys in settings.items()}
        if settings.get("vm", {}).get("accel") == "kvm":
            settings["vm"]["kernel"] = next((parts / "boot").glob("vmlinuz-*"))
        virtual.policy(settings)
        before = virtual.policy_file.read_bytes()
        done = risk(virtual.name, "high")
        assert done.returncode == 1 and "nothing is changed" in done.stderr and said in done.stderr, done
        assert remedy in done.stderr and "--force" in done.stderr, done.stderr
        assert virtual.policy_file.read_bytes() == before
        done = risk("--force", virtual.name, "high")
        assert done.returncode == 0 and remedy in done.stderr, done
        refused = su(virtual, "echo in")
        assert refused.returncode != 0 and "in\n" not in refused.stdout and said in refused.stderr, refused
        findings = json.loads(host.run(host.CTL, "doctor", "--json").stdout)["findings"]
        bad = [f for f in findings if f["check"] == "tier" and f["text"].startswith(virtual.name)]
        assert len(bad) == 1 and bad[0]["severity"] == "bad" and said in bad[0]["text"] and remedy in bad[0]["remedy"]

    @pytest.mark.parametrize("words, status", [(["nosuchaccount", "high"], 1), (["root", "high"], 1), (["x"], 2), ([], 2),
                                               (["x", "low"], 2), (["--bad", "x", "high"], 2), (["../x", "high"], 2)])
    def test_usage(self, installed, words, status):
        assert risk(*words).returncode == status

    def test_what_is_not_valid_stays(self, virtual):
        for text in ("[account]\nrisk = normal\nrisk = high\n", "[account]\ntier = none\n"):
            virtual.policy_raw(text.encode())
            assert risk(virtual.name, "high").returncode == 1
            assert risk("--force", virtual.name, "high").returncode == 1
            assert virtual.policy_file.read_text() == text


# What tests/probes/hostile_guest.c does, by its number there, and a limit of the session for what never ends by itself.
HOSTILE = {"garbage": (1, None), "lies about a size": (2, None), "floods unasked": (5, "8s"), "sends beyond its credit": (6, None),
           "closes others' channels": (7, None), "halts": (8, None), "panics": (9, None), "spins": (10, "8s"),
           "eats its memory": (11, "8s")}


@pytest.fixture(scope="class")
def hostile_program(installed):
    """The test's own program in the place of the guest's, for sessions to come."""
    host.run("mount", "--bind", host.BUILD / "probes/hostile_guest", GUEST, check=True)
    yield
    host.run("umount", GUEST, check=True)


@pytest.fixture(scope="class")
def neighbour(make_agent, parts, template):
    """A session of another account, in a good guest, that goes on meanwhile."""
    agent = make_agent()
    agent.policy(settings(parts))
    process = subprocess.Popen(["su", "-", agent.name, "-c", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    assert wait_for_line(process, SLOW) == b"hello\n"
    yield process
    end(process)


class TestHostileGuest:
    @pytest.mark.leaves
    @pytest.mark.parametrize("mode", HOSTILE)
    def test_harms_its_session_alone(self, agent, parts, neighbour, hostile_program, mode):
        number, limit = HOSTILE[mode]
        agent.policy(settings(parts, home={"mode": "ephemeral", "size": "16M"},
                              limits={"tmp": f"{number}M", **({"session_time": limit} if limit else {})}))
        start = time.monotonic()
        done = su(agent, "echo in")
        assert time.monotonic() - start < 60
        assert done.returncode != 0 and "in\n" not in done.stdout, done
        assert done.stderr.strip() and len(done.stderr) < 2000, done.stderr
        assert host.wait_until(lambda: len(qemus()) == 1)
        neighbour.stdin.write(mode.encode() + b"\n")
        neighbour.stdin.flush()
        assert wait_for_line(neighbour, 20) == mode.encode() + b"\n"


KILLED = {"qemu": lambda p: "qemu-system" in p.command, "relay": lambda p: p.name == "agentsh-relay",
          "shell": lambda p: p.name == "agentsh"}


class TestEnds:
    @staticmethod
    def check_home(image, copy):
        """Once its journal is replayed, in a copy, there is nothing to repair."""
        host.run("cp", "--sparse=always", image, copy, check=True)
        host.run("e2fsck", "-E", "journal_only", "-p", copy)
        done = host.run("e2fsck", "-fn", copy)
        copy.unlink()
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("which", [*KILLED, "monitor"])
    def test_killed(self, virtual, work, which):
        process = subprocess.Popen(["su", "-", virtual.name, "-c", "echo up; sleep 100"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            assert wait_for_line(process, SLOW) == b"up\n"
            if which == "monitor":
                victims = installation.monitors()
            else:
                victims = [p for p in host.processes() if KILLED[which](p)
                           and (p.uid >= 0x70000000 or p.uid == virtual.uid)]
            assert victims
            os.kill(victims[0].pid, signal.SIGKILL)
            assert process.wait(20) != 0
            assert host.wait_until(lambda: not qemus() and not installation.monitors())
        finally:
            end(process)
        self.check_home(host.HOMES / f"{virtual.name}.guest", work / "home.copy")
        assert su(virtual, "echo again").stdout == "again\n"


# A home with everything that an archive has to carry, and how it looks.
PLANT = r"""
mkdir -p tree/deep/er && cd tree || exit
echo text > plain; printf '\001\377' > binary; : > empty
chmod 640 plain; chmod 711 binary; chmod 700 deep
ln -s ../outside dangling; ln plain hard; ln -s plain link; mkfifo fifo
dd if=/dev/zero of=sparse bs=1 seek=8388607 count=1 2>/dev/null
printf x | dd of=sparse bs=1 seek=1048576 conv=notrunc 2>/dev/null
echo a > "$(printf 'odd \n\\ name')"; echo b > -dash; echo c > "quote'd"
touch -h -d '2001-02-03 04:05:06.789 UTC' plain dangling; touch -d '2002-02-03 04:05:06 UTC' deep/er
chmod 555 deep/er
"""
SHOW = r"""
find tree -printf '%P|%y|%m|%T@|%l|%n\n' | sort; find tree -type f -print0 | sort -z | xargs -0 sha256sum
stat -c %s tree/sparse; echo $(($(stat -c %b tree/sparse) * 512 < 1048576))
"""


def move(*words, **kwargs):
    return host.run(host.CTL, "home", *words, timeout=SLOW, **kwargs)


def archive(*members):
    """A tar archive of (name, content or TarInfo attributes)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else b""
            for key, value in ({} if isinstance(content, bytes) else content).items():
                setattr(info, key, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def empty(agent):
    """Whatever its home is, it has nothing in it."""
    for path in (host.HOMES / f"{agent.name}.guest", *agent.data.glob("*")):
        host.run("rm", "-rf", path, check=True)


@pytest.fixture(params=["jail", "vm"])
def owner(request, agent, parts, template):
    """An agent with a persistent home, in each tier whose home is kept differently."""
    agent.policy(settings(parts) if request.param == "vm" else {})
    empty(agent)
    yield agent
    empty(agent)


class TestMovingFiles:
    def test_round_trip(self, owner, work):
        file = work / "home.tar"
        before = su(owner, f"({PLANT}) && {SHOW}").stdout
        assert "plain|f|640|981173106.789" in before and before.endswith("8388608\n1\n"), before
        done = move("export", owner.name, "-o", file)
        assert done.returncode == 0 and not done.stdout and not done.stderr, done
        assert os.stat(file).st_mode & 0o7777 == 0o600 and os.stat(file).st_size < 1 << 20
        empty(owner)
        with open(file, "rb") as stream:
            done = move("import", owner.name, stdin=stream)
        assert done.returncode == 0 and not done.stderr, done
        assert su(owner, SHOW).stdout == before
        with open("/var/log/agentsh/sessions.jsonl", encoding="utf-8") as records:
            record = [json.loads(line) for line in records][-2]
        assert (record["account"], record["service"], record["ruser"], record["why"]) == (owner.name, "su-l", "root", "closed")

    def test_single_paths(self, owner):
        assert su(owner, "mkdir -p tree/deep; echo a > tree/a; echo b > tree/deep/b; echo c > c; echo d > -o").returncode == 0
        done = subprocess.run([host.CTL, "home", "export", owner.name, "--", "tree/deep", f"{owner.home}/c", "-o"],
                              capture_output=True, check=False, timeout=SLOW)
        assert done.returncode == 0, done.stderr
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            assert tar.getnames() == ["tree/deep", "tree/deep/b", "c", "-o"]
            assert tar.getmember("c").uid == owner.uid
        done = move("export", owner.name, "c", "missing")
        assert done.returncode == 1 and "missing" in done.stderr and "status 2" in done.stderr, done.stderr

    def test_hostile_archive(self, owner):
        bad = archive(("../../../../../../tmp/agtest-dots", b"x"), ("/tmp/agtest-absolute", b"x"),
                      ("out", {"type": tarfile.SYMTYPE, "linkname": "/tmp"}), ("out/agtest-through", b"x"),
                      ("hard", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}),
                      ("device", {"type": tarfile.BLKTYPE, "devmajor": 8, "mode": 0o666}),
                      ("setuid", {"mode": 0o6777, "uname": "root"}), ("\033[2J", b"x"), ("good", b"arrived"))
        done = subprocess.run([host.CTL, "home", "import", owner.name], input=bad, capture_output=True, check=False,
                              timeout=SLOW)
        assert done.returncode == 1 and b"\033" not in done.stderr, done.stderr
        assert not list(host.pathlib.Path("/tmp").glob("agtest-*"))
        said = su(owner, "cat good; echo; find . -type b -o -type c; stat -c %U setuid; ls tmp /tmp").stdout
        assert said.splitlines()[:2] == ["arrived", owner.name] and "through" not in said, said

    @staticmethod
    def kill(owner, verb, words, data):
        process = subprocess.Popen([host.CTL, "home", verb, owner.name, *words], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.stdin.write(data)
            process.stdin.flush()
            assert host.wait_until(lambda: [p for p in host.processes() if p.name == "agentsh"], SLOW)
            time.sleep(0.5)
            process.kill()
            assert process.wait(20) == -9
            assert host.wait_until(lambda: not installation.monitors() and not qemus())
        finally:
            end(process)

    def test_killed(self, owner, work):
        place = work / f"killed-{os.urandom(4).hex()}"
        place.mkdir()
        assert su(owner, "head -c 5000000 /dev/urandom > big; printf '#!/bin/sh\\nhead -c 3000000 big; sleep 100\\n' > slow; chmod +x slow"
                  ).returncode == 0
        # So that it does not come to its end before.
        policy = owner.policy_file.read_text()
        owner.policy_raw(f"{policy}[account]\nshell = {owner.home}/slow\n".encode() if "[account]" not in policy else
                         policy.replace("[account]\n", f"[account]\nshell = {owner.home}/slow\n").encode())
        self.kill(owner, "export", ["-o", place / "x.tar"], b"")
        owner.policy_raw(policy.encode())
        self.kill(owner, "import", [], archive(("new", os.urandom(3000000)))[:2000000])
        assert not list(place.iterdir())
        if (image := host.HOMES / f"{owner.name}.guest").exists():
            TestEnds.check_home(image, work / "home.copy")
        assert su(owner, "wc -c < big").stdout == "5000000\n"

    def test_a_home_that_is_used(self, owner):
        with session(owner):
            for verb in ("export", "import"):
                done = move(verb, owner.name, input="")
                assert done.returncode == 1 and "has a live session" in done.stderr, done
            done = move("export", "--live", owner.name)
            if owner.policy_file.read_bytes() == b"\n":
                assert done.returncode == 0 and "./" in done.stdout, done
            else:
                assert done.returncode == 1 and "another session" in done.stderr, done

    def test_what_it_says_is_hostile(self, agent):
        """A shell that the agent wrote: it cannot speak to the terminal, nor without end, nor seem to have worked."""
        agent.write("shell", "#!/bin/sh\nfor i in $(seq 1000); do printf '\\033]0;owned\\007%d\\n' $i >&2; done\nexit 3\n", 0o755)
        agent.policy({"account": {"shell": f"{agent.home}/shell"}})
        for verb in ("export", "import"):
            done = move(verb, agent.name, input="")
            assert done.returncode == 1 and "status 3" in done.stderr, done.stderr
            assert "\033" not in done.stderr and "\\x1b]0;owned\\x071" in done.stderr
            assert len(done.stderr.splitlines()) < 60

    def test_an_archive_that_does_not_fit_on_the_disk(self, agent, work):
        place = work / "small"
        place.mkdir()
        host.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place, check=True)
        try:
            (place / "x.tar").write_text("before")
            agent.write("big", "x" * 3000000)
            done = move("export", agent.name, "-o", place / "x.tar")
            assert done.returncode == 1 and "No space left" in done.stderr, done
            assert (place / "x.tar").read_text() == "before" and len(list(place.iterdir())) == 1
        finally:
            host.run("umount", place)
            place.rmdir()

    def test_on_a_terminal(self, agent, work):
        for words, said in ((["export", agent.name], "--output"), (["import", agent.name], "--input")):
            child = spawn([str(host.CTL), "home", *words])
            child.expect(f"is a terminal: give {said}")
            child.wait()
            assert child.exitstatus == 2
        child = spawn([str(host.CTL), "home", "export", agent.name, "-o", str(work / "t.tar")])
        child.expect(rf"{agent.name}: [0-9.]+[KMG]?, [0-9.]+[KMG]?/s\r\n")
        child.wait()
        assert child.exitstatus == 0

    @pytest.mark.parametrize("words, status, said", [
        (["export"], 2, "name"), (["import"], 2, "name"), (["export", "--bad", "x"], 2, "options"),
        (["import", "x", "y"], 2, "archive"), (["import", "-o", "x", "y"], 2, "options"),
        (["export", "nosuchaccount"], 1, "nosuchaccount"), (["export", "root"], 1, "no agent"),
        (["import", "-i", "/nonexistent", "agent"], 1, "/nonexistent"), (["export", "agent", "../x"], 1, "not below"),
        (["export", "agent", "/etc"], 1, "not below"), (["export", "agent", ""], 1, "not below"),
        (["export", "-o", "/nonexistent/x", "agent"], 1, "/nonexistent/x")])
    def test_usage(self, agent, words, status, said):
        done = move(*[agent.name if word == "agent" else word for word in words], input="")
        assert done.returncode == status and said in done.stderr, done

    def test_no_home(self, agent):
        agent.policy({"home": {"mode": "ephemeral"}})
        assert "ephemeral" in move("export", agent.name).stderr
